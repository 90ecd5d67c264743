// receiver.js: a strict OTLP/HTTP receiver for the tests, on the official generated decoder.
//
// usage: node receiver.js PORT (0: a free one), with the decoder in NODE_PATH
//
// It prints "ready PORT", then one line of JSON for each request: path, headers, sizes, and either
// the decoded message or why it is wrong. On standard input it reads orders, one a line, each of
// which it confirms by a line {"order": ...}:
//
//   ok                          take everything
//   status CODE [HEADER-LINE]   answer with this code, such as "status 503 Retry-After: 1"
//   body CODE TYPE BASE64       answer with these bytes
//   partial N TEXT              take it, except for N items
//   close                       close the connection without an answer
//   raw BASE64                  write these bytes to the connection, and close it
//   endless                     answer with a body that does not end
//   silent                      never answer
//   hangup                      close the connection while the request arrives
//   sync                        go on as before
//
// An order may be followed by "once": then "ok" is next.
'use strict';
const fs = require('fs');
const http = require('http');
const https = require('https');
const readline = require('readline');
const zlib = require('zlib');
const root = require('@opentelemetry/otlp-transformer/build/src/generated/root.js');

const collector = root.opentelemetry.proto.collector;
const SIGNALS = {
  '/v1/metrics': {
    request: collector.metrics.v1.ExportMetricsServiceRequest,
    response: collector.metrics.v1.ExportMetricsServiceResponse,
    rejected: 'rejectedDataPoints',
    check: checkMetrics,
  },
  '/v1/traces': {
    request: collector.trace.v1.ExportTraceServiceRequest,
    response: collector.trace.v1.ExportTraceServiceResponse,
    rejected: 'rejectedSpans',
    check: checkSpans,
  },
  '/v1/logs': {
    request: collector.logs.v1.ExportLogsServiceRequest,
    response: collector.logs.v1.ExportLogsServiceResponse,
    rejected: 'rejectedLogRecords',
    check: checkLogs,
  },
};
const ID_BYTES = {traceId: 16, spanId: 8, parentSpanId: 8};
const LONGS = new Set(['startTimeUnixNano', 'timeUnixNano', 'endTimeUnixNano', 'asInt', 'intValue',
  'observedTimeUnixNano', 'count', 'zeroCount', 'bucketCounts']);

let answer = {kind: 'ok', once: false};
let number = 0;

function say(object) {
  process.stdout.write(JSON.stringify(object) + '\n');
}

function fail(text) {
  throw new Error(text);
}

// ---- the form ----

// JSON has what the decoder has, and in the form that the specification asks for.
function checkJson(type, value, where) {
  if (Array.isArray(value)) {
    value.forEach((each, i) => checkJson(type, each, `${where}[${i}]`));
    return;
  }
  for (const [key, inner] of Object.entries(value)) {
    const at = `${where}.${key}`;
    if (!(key in type.prototype)) fail(`${at} is no field of ${type.name}`);
    if (key in ID_BYTES) {
      if (!/^[0-9a-f]+$/.test(inner)) fail(`${at} is not hexadecimal`);
      value[key] = Buffer.from(inner, 'hex').toString('base64');
    }
    for (const each of [].concat(inner)) {
      if (LONGS.has(key) && !/^-?[0-9]+$/.test(typeof each === 'string' ? each : ''))
        fail(`${at} is a 64-bit integer and no text`);
      if (/Number$|^kind$|^code$|Temporality$/.test(key) && !Number.isInteger(each))
        fail(`${at} is an enum and no integer`);
    }
    const types = inner !== null && typeof inner === 'object' ? fieldType(type, key) : null;
    if (types) checkJson(types, inner, at);
  }
}

// The type of a message field, found by decoding an empty one.
const TYPES = {
  resourceMetrics: 'metrics.v1.ResourceMetrics', scopeMetrics: 'metrics.v1.ScopeMetrics',
  metrics: 'metrics.v1.Metric', sum: 'metrics.v1.Sum', gauge: 'metrics.v1.Gauge',
  exponentialHistogram: 'metrics.v1.ExponentialHistogram',
  positive: 'metrics.v1.ExponentialHistogramDataPoint.Buckets',
  resourceSpans: 'trace.v1.ResourceSpans', scopeSpans: 'trace.v1.ScopeSpans',
  spans: 'trace.v1.Span', status: 'trace.v1.Status',
  resourceLogs: 'logs.v1.ResourceLogs', scopeLogs: 'logs.v1.ScopeLogs',
  logRecords: 'logs.v1.LogRecord', body: 'common.v1.AnyValue',
  resource: 'resource.v1.Resource', scope: 'common.v1.InstrumentationScope',
  attributes: 'common.v1.KeyValue', value: 'common.v1.AnyValue',
};
function fieldType(type, key) {
  let name = TYPES[key];
  if (key === 'dataPoints')
    name = type.name === 'ExponentialHistogram' ? 'metrics.v1.ExponentialHistogramDataPoint'
      : 'metrics.v1.NumberDataPoint';
  return name && name.split('.').reduce((at, part) => at[part], root.opentelemetry.proto);
}

function decode(signal, type, bytes) {
  if (type === 'application/json') {
    const text = bytes.toString('utf8');
    if (!Buffer.from(text, 'utf8').equals(bytes)) fail('the JSON is not UTF-8');
    const object = JSON.parse(text);
    checkJson(signal.request, object, '');
    const message = signal.request.fromObject(object);
    const why = signal.request.verify(message);
    if (why) fail(why);
    return message;
  }
  if (type !== 'application/x-protobuf') fail(`Content-Type is ${type}`);
  const message = signal.request.decode(bytes);
  // Unknown fields, texts that are not UTF-8 and lengths that are too long do not come back.
  const again = signal.request.encode(message).finish();
  if (again.length !== bytes.length) fail(`${bytes.length} bytes, ${again.length} when encoded again`);
  return message;
}

// ---- the content ----

function checkAttributes(attributes, where) {
  const seen = new Set();
  for (const {key, value} of attributes || []) {
    if (!key) fail(`${where} has an attribute without a key`);
    if (seen.has(key)) fail(`${where} has ${key} twice`);
    if (!value || Object.keys(value).length !== 1) fail(`${where}: ${key} has no single value`);
    seen.add(key);
  }
}

function* inner(object, resources, scopes, list) {
  if (!object[resources] || object[resources].length === 0) fail(`there are no ${resources}`);
  for (const resource of object[resources]) {
    checkAttributes(resource.resource.attributes, 'the resource');
    if (!resource[scopes] || resource[scopes].length === 0) fail(`there are no ${scopes}`);
    for (const scope of resource[scopes]) {
      if (!scope.scope || !scope.scope.name) fail('a scope has no name');
      if (!scope[list] || scope[list].length === 0) fail(`there are no ${list}`);
      yield* scope[list];
    }
  }
}

function checkPoint(name, point, kind, seen) {
  const series = JSON.stringify(point.attributes);
  if (seen.has(series)) fail(`${name}${series} is there twice`);
  seen.add(series);
  checkAttributes(point.attributes, name);
  if (BigInt(point.timeUnixNano || 0) < 1700000000000000000n) fail(`${name} has no time`);
  if (BigInt(point.startTimeUnixNano || 0) > BigInt(point.timeUnixNano)) fail(`${name} starts late`);
  if (kind !== 'exponentialHistogram') {
    if (('asInt' in point) === ('asDouble' in point)) fail(`${name} has no single value`);
    return;
  }
  const counts = (point.positive && point.positive.bucketCounts) || [];
  const sum = counts.reduce((total, each) => total + BigInt(each), 0n);
  if (sum !== BigInt(point.count)) fail(`${name} counts ${point.count}, its buckets ${sum}`);
  if (counts.length && (counts[0] === '0' || counts.at(-1) === '0')) fail(`${name} is not trimmed`);
}

function checkMetrics(object) {
  const names = new Set();
  for (const metric of inner(object, 'resourceMetrics', 'scopeMetrics', 'metrics')) {
    const kinds = ['sum', 'gauge', 'exponentialHistogram'].filter((kind) => metric[kind]);
    if (kinds.length !== 1) fail(`${metric.name} has the kinds ${kinds}`);
    if (names.has(metric.name)) fail(`${metric.name} is there twice`);
    names.add(metric.name);
    if (!metric.description) fail(`${metric.name} has no description`);
    const data = metric[kinds[0]];
    const isCounter = /_total$/.test(metric.name);
    if (isCounter !== Boolean(data.isMonotonic)) fail(`${metric.name} is monotonic or no counter`);
    if (kinds[0] !== 'gauge' && data.aggregationTemporality !== 2) fail(`${metric.name} is no sum`);
    if (!data.dataPoints || data.dataPoints.length === 0) fail(`${metric.name} has no points`);
    const seen = new Set();
    for (const point of data.dataPoints) checkPoint(metric.name, point, kinds[0], seen);
  }
}

function checkId(id, bytes, where) {
  const found = Buffer.from(id || '', 'base64');
  if (found.length !== bytes || found.every((byte) => byte === 0)) fail(`${where} is no id`);
}

function checkSpans(object) {
  for (const span of inner(object, 'resourceSpans', 'scopeSpans', 'spans')) {
    checkId(span.traceId, 16, 'traceId');
    checkId(span.spanId, 8, 'spanId');
    if ('parentSpanId' in span) checkId(span.parentSpanId, 8, 'parentSpanId');
    if (!span.name) fail('a span has no name');
    if (span.kind !== 1 && span.kind !== 3) fail(`${span.name} is of kind ${span.kind}`);
    if (BigInt(span.endTimeUnixNano) < BigInt(span.startTimeUnixNano)) fail(`${span.name} ends early`);
    checkAttributes(span.attributes, span.name);
  }
}

function checkLogs(object) {
  for (const record of inner(object, 'resourceLogs', 'scopeLogs', 'logRecords')) {
    if (!record.body || !record.body.stringValue) fail('a record has no body');
    if (!record.severityNumber) fail('a record has no severity');
    if ('traceId' in record) checkId(record.traceId, 16, 'traceId');
    checkAttributes(record.attributes, record.body.stringValue);
  }
}

// ---- requests ----

function take(request, bytes) {
  const signal = SIGNALS[request.url];
  if (!signal) fail(`${request.url} is no path of a receiver`);
  if (request.method !== 'POST') fail(`${request.method} in place of POST`);
  const agent = request.headers['user-agent'] || '';
  if (!/^OTel-OTLP-Exporter-\w+\/\d/.test(agent)) fail(`User-Agent is ${agent}`);
  const coding = request.headers['content-encoding'];
  if (coding !== undefined && coding !== 'gzip') fail(`Content-Encoding is ${coding}`);
  const raw = coding === 'gzip' ? zlib.gunzipSync(bytes) : bytes;
  const message = decode(signal, request.headers['content-type'], raw);
  const object = signal.request.toObject(message, {longs: String, enums: Number, bytes: String});
  signal.check(object);
  return {signal, object, raw: raw.length};
}

function respond(request, response, taken) {
  const type = request.headers['content-type'];
  const fields = {};
  if (answer.kind === 'partial')
    fields.partialSuccess = {[taken.signal.rejected]: answer.count, errorMessage: answer.text};
  const message = taken.signal.response.create(fields);
  response.setHeader('Content-Type', type);
  if (type === 'application/json')
    response.end(JSON.stringify(taken.signal.response.toObject(message, {longs: String})));
  else
    response.end(Buffer.from(taken.signal.response.encode(message).finish()));
}

function act(request, response, taken) {
  switch (answer.kind) {
    case 'status':
    case 'body':
      response.statusCode = answer.code;
      if (answer.header) response.setHeader(...answer.header.match(/^([^:]+): *(.*)$/).slice(1));
      response.end(answer.bytes || '');
      break;
    case 'close': request.socket.destroy(); break;
    case 'raw': request.socket.end(answer.bytes); break;
    case 'silent': break;
    case 'endless': {
      const more = () => { while (!response.destroyed && response.write(Buffer.alloc(65536))); };
      response.on('drain', more);
      more();
      break;
    }
    default: respond(request, response, taken);
  }
  if (answer.once) answer = {kind: 'ok', once: false};
}

function serve(request, response) {
  if (answer.kind === 'hangup') {
    request.socket.destroy();
    answer = {kind: 'ok', once: false};
    return;
  }
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('error', () => {});
  request.on('end', () => {
    const bytes = Buffer.concat(chunks);
    const line = {number: ++number, path: request.url, headers: request.headers,
      bytes: bytes.length, at: Date.now(), answer: answer.kind};
    try {
      const taken = take(request, bytes);
      say({...line, raw: taken.raw, message: taken.object});
      act(request, response, taken);
    } catch (error) {
      say({...line, wrong: error.message});
      response.statusCode = 400;
      response.end();
    }
  });
}

// ---- orders ----

function order(line) {
  if (line === 'sync') {
    say({order: line});
    return;
  }
  const words = line.replace(/ once$/, '').split(' ');
  answer = {kind: words[0], once: line.endsWith(' once')};
  if (words[0] === 'status') Object.assign(answer, {code: +words[1], header: words.slice(2).join(' ')});
  if (words[0] === 'body')
    Object.assign(answer, {code: +words[1], header: `Content-Type: ${words[2]}`,
      bytes: Buffer.from(words[3] || '', 'base64')});
  if (words[0] === 'raw') answer.bytes = Buffer.from(words[1], 'base64');
  if (words[0] === 'partial')
    Object.assign(answer, {count: +words[1], text: words.slice(2).join(' ')});
  say({order: line});
}

// By HTTPS where RECEIVER_CERTIFICATE is set, and to clients with a certificate by RECEIVER_CLIENTS
// where that is, too.
function makeServer() {
  const {RECEIVER_CERTIFICATE, RECEIVER_KEY, RECEIVER_CLIENTS} = process.env;
  if (!RECEIVER_CERTIFICATE) return http.createServer(serve);
  const options = {cert: fs.readFileSync(RECEIVER_CERTIFICATE), key: fs.readFileSync(RECEIVER_KEY)};
  if (RECEIVER_CLIENTS)
    Object.assign(options, {ca: fs.readFileSync(RECEIVER_CLIENTS), requestCert: true});
  return https.createServer(options, serve);
}

const server = makeServer();
server.keepAliveTimeout = 60000;
server.listen(+process.argv[2], '127.0.0.1', () => {
  process.stdout.write(`ready ${server.address().port}\n`);
});
const input = readline.createInterface({input: process.stdin});
input.on('line', order);
input.on('close', () => process.exit(0));
