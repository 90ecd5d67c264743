/* What is kept of each cache: a column of rates for every second of five minutes. */
const KEEP_S = 300;
const RECENT_S = 10;

const COUNTERS = ['load_error', 'load_timeout', 'load_total', 'load_rejected', 'stale_fallback',
  'remote_errors', 'remote_decode_errors', 'local_evictions', 'local_expirations', 'local_writes',
  'invalidation_receive', 'invalidation_publish', 'remote_bytes_sent', 'remote_bytes_received'];
const PARTS = ['local', 'remote', 'loaded', 'negative', 'failed'];
const LATENCIES = ['load', 'remote', 'wait', 'read'];
const FIELDS = ['reads', ...PARTS, ...COUNTERS,
  ...LATENCIES.flatMap(name => [name + '_ms', name + '_count'])];

/* A ring of seconds. Of a second without data every field is NaN; a time without a count is too. */
class Series {
  constructor() {
    this.values = new Float64Array(KEEP_S * FIELDS.length).fill(NaN);
    this.last = -1;
  }

  /* Of the second that began `age` seconds before the last one. */
  at(age, name) {
    const second = this.last - age;
    return second < 0 ? NaN : this.values[second % KEEP_S * FIELDS.length + FIELDS.indexOf(name)];
  }

  put(second, sample) {
    const start = second % KEEP_S * FIELDS.length;
    FIELDS.forEach((name, place) => { this.values[start + place] = sample ? sample[name] : NaN; });
  }

  /* A sample covers the seconds since the one before it. Some were not asked for, in a tab that
   * nobody looked at; but while the service did not answer nothing is known. */
  push(second, sample, was_gone) {
    if (this.last >= 0)
      for (let each = Math.max(this.last + 1, second - KEEP_S); each < second; each++)
        this.put(each, was_gone ? null : sample);
    this.put(second, sample);
    this.last = second;
  }

  /* The mean of each field over some seconds that end `age` seconds ago. Null: nothing known. */
  mean(seconds, age = 0) {
    const { values, last } = this, width = FIELDS.length, first_time = width - 2 * LATENCIES.length;
    const sums = new Float64Array(width);
    let count = 0;
    for (let second = Math.max(0, last - age - seconds + 1); second <= last - age; second++) {
      const start = second % KEEP_S * width;
      if (isNaN(values[start])) continue;
      count++;
      for (let i = 0; i < first_time; i++) sums[i] += values[start + i];
      for (let i = first_time; i < width; i += 2) {
        const times = values[start + i + 1];
        sums[i + 1] += times;
        if (times > 0) sums[i] += times * values[start + i];
      }
    }
    if (count === 0) return null;
    const mean = {};
    FIELDS.forEach((name, i) => {
      mean[name] = i >= first_time && name.endsWith('_ms') ? sums[i] / sums[i + 1] : sums[i] / count;
    });
    return mean;
  }
}

/* Reads by who answered them. What is left over was answered by nobody. */
function shares(counts, mode) {
  const of = name => counts[name] || 0;
  const reads = mode === 'remote' ? of('remote_hit') + of('remote_miss')
    : of('local_hit') + of('local_miss');
  const negative = of('load_null');
  const wanted = {
    local: of('local_hit'), remote: of('remote_hit'), negative,
    failed: of('load_error') - of('refresh_failures') + of('load_timeout') + of('load_rejected'),
    loaded: of('load_success') - of('refresh_success') - negative + of('load_shared'),
  };
  const parts = { reads };
  let left = reads;
  for (const name of ['local', 'remote', 'negative', 'failed', 'loaded']) {
    parts[name] = Math.min(Math.max(wanted[name], 0), left);
    left -= parts[name];
  }
  return parts;
}

const ratio = parts => parts && parts.reads > 0 ? (parts.local + parts.remote) / parts.reads : NaN;

/* What happened between two states of a cache, per second. Null: the counters began anew. */
function sampleOf(now, before, seconds) {
  const counts = {};
  for (const [name, value] of Object.entries(now.metrics)) {
    const change = value - (before.metrics[name] || 0);
    if (change < 0) return null;
    counts[name] = change / seconds;
  }
  const sample = shares(counts, now.mode);
  for (const name of COUNTERS) sample[name] = counts[name] || 0;
  for (const name of LATENCIES) {
    const a = before.latencies[name] || {}, b = now.latencies[name] || {};
    const count = (b.count || 0) - (a.count || 0);
    sample[name + '_count'] = Math.max(count, 0) / seconds;
    sample[name + '_ms'] = count > 0
      ? Math.max(0, (b.count * b.mean_ms - (a.count ? a.count * a.mean_ms : 0)) / count) : NaN;
  }
  return sample;
}

/* ---- what is wrong, and where to look ---- */

/* A word of a reason, and what to look at. */
const HINTS = [
  [/channel/i, 'Changes by other processes are not received, so entries in L1 have short lifetimes. ' +
    'Look at the connections to Redis, its log, and whether this user may subscribe.'],
  [/breaker/i, 'Calls to this server fail at once, without being sent. Look at the server: is it ' +
    'up, reachable, and out of memory?'],
  [/repair|unconfirmed/i, 'Writes that L2 did not confirm wait for the server. Until then these ' +
    'keys come from the source. Look at the connections to Redis.'],
  [/memory|oom/i, 'Look at the server’s maxmemory, and at the memory of this process.'],
  [/\bL2\b|redis|remote|connect|server/i, 'Reads go on without L2. Look at the connections to ' +
    'Redis, and at the server’s log.'],
  [/queue|executor|thread/i, 'Loads wait for a thread. Look at how long loads take, and at the ' +
    'threads of the executor.'],
  [/load|source/i, 'Look at the last errors, then at the source itself.'],
  [/clos/i, 'Look at the program’s log: this cache was closed, or could not be opened.'],
];

function hint(text) {
  const found = HINTS.find(([word]) => word.test(text));
  return found ? found[1] : 'Look at the last errors.';
}

const settingOf = (cache, name) => (cache.config.find(each => each.name === name) || {}).value;

/* What the figures say and the service's own reasons do not. */
function noticed(cache, rates) {
  const found = [];
  const add = (text, where) => found.push({ text, where });
  if (!rates) return found;
  if (rates.load_error > 0.05 * rates.load_total)
    add(`${percent(rates.load_error / rates.load_total)} of the loads fail`,
      'Look at the last errors, then at the source itself.');
  if (rates.load_timeout > 0.05 * rates.load_total)
    add('reads give up waiting for loads', 'Look at how long loads take. The limit is ' +
      `loader_timeout_ms, ${settingOf(cache, 'loader_timeout_ms')}.`);
  if (rates.stale_fallback > 0)
    add(`${rate(rates.stale_fallback)} stale values a second are returned`,
      'The source did not deliver fresh ones. Look at the last errors.');
  if (rates.load_rejected > 0)
    add('loads are refused because the queue is full',
      'Look at how long loads take, and at the threads of the executor.');
  if (rates.local_evictions > 1 && rates.local_evictions > 0.9 * rates.local_writes && ratio(rates) < 0.5)
    add('entries are evicted nearly as fast as they are written',
      `The keys in use do not fit. The capacity is ${integer(cache.gauges.capacity)}.`);
  if (rates.remote_decode_errors > 0.05 * rates.reads)
    add('bytes in L2 cannot be read', 'Another release or another program writes under this area.');
  return found;
}

const RANKS = { __proto__: null, failed: 3, degraded: 2 };

/* Everything that is to be said of a cache, and how bad it is: 0 for nothing. */
function judge(cache, series) {
  const rates = series.mean(30);
  const said = cache.reasons.map(text => ({ text, where: hint(text) }));
  const more = noticed(cache, rates);
  const rank = RANKS[cache.health] || (more.length > 0 ? 1 : 0);
  const kind = ['ok', 'noticed', 'degraded', 'failed'][rank];
  if (said.length === 0 && rank > 1)
    said.push({ text: `the service calls this cache ${cache.health}`, where: hint('') });
  return { rank, kind, said: [...said, ...more] };
}

/* ---- what changed ---- */

const CHANGES_MAX = 500;

class Changes {
  constructor() {
    this.list = [];
    this.told = new Map();
  }

  /* `group`: what may happen to many caches at once. */
  add(time_ms, area, kind, text, group = text) {
    this.list.unshift({ time_ms, area, kind, text, group });
    this.list.length = Math.min(this.list.length, CHANGES_MAX);
  }

  compare(now, before) {
    const time = now.time_ms;
    if (now.pid !== before.pid || now.started_ms !== before.started_ms)
      this.add(time, '', 'noticed', 'The process was started anew.');
    const old = new Map(before.caches.map(cache => [cache.area, cache]));
    for (const cache of now.caches) {
      const was = old.get(cache.area);
      old.delete(cache.area);
      if (was) this.compareCache(time, cache, was);
      else this.add(time, cache.area, 'noticed', 'The cache was opened.');
    }
    for (const area of old.keys()) this.add(time, area, 'noticed', 'The cache was closed.');
    for (const server of now.redis) {
      const was = before.redis.find(each => each.endpoint === server.endpoint);
      if (was) this.compareServer(time, server, was);
    }
  }

  compareCache(time, cache, was) {
    const tell = (kind, text) => this.add(time, cache.area, kind, text);
    const is = cache.gauges, before = was.gauges;
    if (is.channel_up !== before.channel_up)
      tell(...is.channel_up ? ['ok', 'The channel is up again.'] : ['degraded', 'The channel went down.']);
    if (is.remote_ready !== before.remote_ready)
      tell(...is.remote_ready ? ['ok', 'L2 is ready again.'] : ['degraded', 'L2 is not ready.']);
    if (!is.repairs !== !before.repairs)
      tell(...is.repairs ? ['degraded', 'Unconfirmed writes wait for repair.']
        : ['ok', 'All unconfirmed writes are repaired.']);
    if (cache.health !== was.health && (cache.health === 'failed' || was.health === 'failed'))
      tell(cache.health, `The cache is ${cache.health} now.`);
    if (cache.metrics.epoch_raised > was.metrics.epoch_raised)
      tell('noticed', 'All of L1 expired at once.');
    for (const { name, value } of cache.config) {
      const old = settingOf(was, name);
      if (old !== value) tell('noticed', `${name}: ${old} became ${value}.`);
    }
  }

  compareServer(time, server, was) {
    const tell = (isGood, text) =>
      this.add(time, '', isGood ? 'ok' : 'degraded', `Redis ${server.endpoint}: ${text}`);
    if (server.breaker !== was.breaker)
      tell(server.breaker === 'closed', `the breaker is ${server.breaker}.`);
    const { ready } = server.connections, before = was.connections.ready;
    if (ready !== before) tell(ready > before, `${ready} connections are ready, ${before} before.`);
  }

  /* Shifts of a cache's figures, each told once and again only after a minute. */
  watch(time, area, series) {
    const now = series.mean(15), before = series.mean(60, 15);
    if (!now || !before || !isKnown(series.at(45, 'reads'))) return;
    const tell = (group, kind, text) => {
      const key = `${group} ${area}`;
      if (time - (this.told.get(key) || 0) > 60000) this.add(time, area, kind, text, group);
      this.told.set(key, time);
    };
    const is = ratio(now), was = ratio(before);
    if (now.reads > 5 && before.reads > 5 && Math.abs(is - was) > 0.1)
      tell(is < was ? 'fell' : 'rose', is < was ? 'degraded' : 'ok',
        `The hit ratio ${is < was ? 'fell' : 'rose'} from ${percent(was)} to ${percent(is)}.`);
    if (Math.max(now.reads, before.reads) > 20 &&
        Math.abs(Math.log(now.reads / before.reads)) > Math.log(3))
      tell('reads', 'noticed', `Reads went from ${rate(before.reads)} to ${rate(now.reads)} a second.`);
    if (now.load_ms > 3 * before.load_ms && now.load_ms - before.load_ms > 1)
      tell('load', 'degraded',
        `Loads take ${duration(now.load_ms)} on average, ${duration(before.load_ms)} before.`);
  }
}
