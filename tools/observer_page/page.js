/* ---- what is known ---- */

const known = { state: null, before: null, series: new Map(), changes: new Changes(),
  answered_ms: 0, trouble: '', second: 0 };
const page = document.getElementById('page');
const seriesOf = area => known.series.get(area) || new Series();

/* ---- the top of every view ---- */

const top_line = make('nav', '');
const live = make('span', 'live num');
const alarm = make('div', 'alarm');
set(alarm, 'role', 'alert');
const body = make('main', '');
page.append(make('header', 'top', top_line, live), alarm, body);

function drawTop() {
  const gone = known.trouble !== '';
  document.body.classList.toggle('gone', gone);
  show(alarm, gone);
  say(live, gone ? 'no answer' : known.state ? clock(known.state.time_ms) : '');
  if (!gone) return;
  say(alarm, `${known.trouble} ` + (known.answered_ms > 0
    ? `What you see is from ${clock(known.answered_ms)}, ${span(Date.now() - known.answered_ms)} ago.`
    : 'The page asks again every second.'));
}

const DOT = '  ·  ';
function processText(state) {
  const labels = Object.entries(state.labels).map(([name, value]) => `${name} ${value}`);
  return [...labels, `process ${state.pid}`, `up ${span(state.time_ms - state.started_ms)}`,
    `accel ${state.accel}`].join(DOT);
}

/* ---- parts that both views have ---- */

function figure(name) {
  const value = make('dd', ''), more = make('dd', 'more'), share = meter();
  show(share.root, false);
  return { root: make('div', '', make('dt', '', name), value, more, share.root),
    update: (text, below = '', part = null) => {
      say(value, text);
      say(more, below);
      show(share.root, part !== null);
      share.update(part);
    } };
}

function section(title, ...parts) {
  const more = make('small', '');
  return { root: make('section', '', make('h2', '', title, more), ...parts), more };
}

/* Rows of a time, a sign, an area and a text. `wanted` gives the items; of one area, or of all: then
 * what happened to many caches at one time is one row. */
function logSection(title, empty, area, wanted) {
  const list = make('ol', 'log'), none = make('p', 'empty', empty);
  const { root } = section(title, list, none);
  const create = item => {
    const mark = sign(), link = make('a', '', item.area), more = make('span', 'soft');
    mark.update(item.kind);
    show(mark.root, item.kind !== undefined);
    link.href = hashOf(item.area);
    show(link, area === null && Boolean(item.area));
    return { root: make('li', item.kind, make('time', '', clock(item.time_ms)), mark.root,
      make('span', '', link, ' ', more, item.text)),
    update: now => say(more, now.others ? `and ${now.others} more: ` : '') };
  };
  return { root, update: state => {
    const rows = [], groups = new Map();
    for (const item of wanted(state)) {
      if (area !== null && item.area && item.area !== area) continue;
      const before = area === null && item.group && groups.get(item.group);
      if (before && before.time_ms - item.time_ms < 5000) {
        before.others++;
        continue;
      }
      if (rows.length >= 12) break;
      rows.push({ ...item, others: 0 });
      groups.set(item.group, rows[rows.length - 1]);
    }
    const seen = {};
    sync(list, rows, item => {
      const key = `${item.time_ms} ${item.area} ${item.text}`;
      seen[key] = (seen[key] || 0) + 1;
      return `${key} ${seen[key]}`;
    }, create);
    show(none, rows.length === 0);
    show(list, rows.length > 0);
  } };
}

const hashOf = area => `#/${encodeURIComponent(area)}`;
const changesSection = area => logSection('What changed',
  'Nothing changed since this page was opened.', area, () => known.changes.list);
const errorsSection = area => logSection('Last errors', 'No errors.', area,
  state => state.errors.map(error => ({ ...error, group: error.text })));

function table(name, heads) {
  const rows = make('tbody', '');
  const head = make('tr', '', ...heads.map(([text, kind]) => {
    const cell = make('th', kind || '', text);
    cell.scope = 'col';
    return cell;
  }));
  return { root: make('table', name, make('thead', '', head), rows), rows };
}

function rowHead(...parts) {
  const cell = make('th', '', ...parts);
  cell.scope = 'row';
  return cell;
}

function meter() {
  const fill = make('i', '');
  return { root: make('span', 'meter', fill), update: share => {
    fill.style.width = `${(share > 0 ? Math.min(share, 1) : 0) * 100}%`;
  } };
}

/* A table of texts, and of meters where a cell is a number. `cellsOf` an item begins with its name;
 * with `kindOf` it has a sign. */
function textTable(heads, cellsOf, kindOf) {
  const { root, rows } = table('', heads);
  const create = item => {
    const mark = sign(), name = make('span', '');
    const cells = cellsOf(item).slice(1).map((value, i) => {
      const part = typeof value === 'number' ? meter() : { root: '', update: text => say(cell, text) };
      const cell = make('td', heads[i + 1][1] || 'wide', part.root);
      return { root: cell, update: part.update };
    });
    const line = make('tr', '', rowHead(...(kindOf ? [mark.root, ' '] : []), name),
      ...cells.map(cell => cell.root));
    return { root: line, update: now => {
      const [text, ...values] = cellsOf(now);
      if (kindOf) {
        line.className = kindOf(now);
        mark.update(line.className);
      }
      say(name, text);
      values.forEach((value, i) => cells[i].update(value));
    } };
  };
  return { root, update: (items, keyOf) => {
    show(root, items.length > 0);
    sync(rows, items, keyOf, create);
  } };
}

function redisSection() {
  const grid = textTable([['Server'], ['Breaker'], ['Connections'], ['In flight', 'num x-mid'],
    ['Reconnects', 'num x-mid']], ({ endpoint, breaker, connections, in_flight, reconnects }) =>
    [endpoint, breaker.replace('_', '-'), ['ready', 'connecting', 'down']
      .filter((name, i) => i === 0 || connections[name] > 0)
      .map(name => `${connections[name]} ${name}`).join(', '),
    integer(in_flight), integer(reconnects)],
  server => server.breaker !== 'closed' || server.connections.ready === 0 ? 'degraded'
    : server.connections.down > 0 ? 'noticed' : 'ok');
  const { root } = section('Redis', grid.root);
  return { root, update: servers => {
    show(root, servers.length > 0);
    grid.update(servers, server => server.endpoint);
  } };
}

/* ---- all caches ---- */

function cacheRow() {
  const mark = sign(), link = make('a', '');
  const word = make('b', ''), note = make('span', '');
  const picture = strip(5), fill = meter();
  const hit = make('span', ''), change = make('span', 'change'), entries = make('span', '');
  const cells = ['num', 'num x-mid', 'num x-late', 'num x-late'].map(name => make('td', name));
  const root = make('tr', '', make('td', '', make('div', 'name', mark.root, link),
    make('div', 'note', word, note)),
    make('td', '', picture.root), make('td', 'num', hit, ' ', change), ...cells,
    make('td', 'num x-fill', entries, fill.root));
  const row = { root, isSeen: true };
  row.update = ({ cache, series, verdict }) => {
    const { rank, kind, said: [first, ...others] } = verdict;
    root.className = kind;
    mark.update(kind);
    say(link, cache.area);
    set(link, 'href', hashOf(cache.area));
    set(link, 'aria-label', `${cache.area}, ${kind}`);
    say(word, rank > 1 ? kind : '');
    say(note, first ? (others.length > 0 ? `, ${others.length + 1} reasons: ` : rank > 1 ? ': ' : '') +
      first.text : '');
    if (!row.isSeen) return;
    picture.update(series);
    const now = series.mean(RECENT_S), old = series.mean(KEEP_S - 30, 30);
    const points = Math.round((ratio(now) - ratio(old)) * 100);
    say(hit, percent(ratio(now)));
    say(change, Math.abs(points) >= 1 ? `${points > 0 ? '▲' : '▼'} ${Math.abs(points)}` : '');
    const { load } = cache.latencies, { gauges } = cache;
    [rateOf(now, 'reads'), rateOf(now, 'load_total'),
      duration(load && load.count > 0 ? load.p99_ms : NaN), rateOf(now, 'local_evictions')]
      .forEach((text, i) => say(cells[i], text));
    say(entries, `${rate(gauges.entries)} of ${short(rate(gauges.capacity))}`);
    fill.update(gauges.entries / gauges.capacity);
  };
  return row;
}

const rateOf = (rates, name) => rate(rates ? rates[name] : NaN);

function overview() {
  const title = make('h1', ''), trouble = troubleBox(), figures = make('dl', 'figures');
  set(title, 'aria-live', 'polite');
  const cells = ['Reads a second', 'Hit ratio', 'Loads a second', 'Loads that fail',
    'Evictions a second'].map(figure);
  figures.append(...cells.map(cell => cell.root));
  const filter = make('input', '');
  filter.type = 'search';
  filter.placeholder = 'Filter';
  set(filter, 'aria-label', 'Show caches whose area contains');
  const { root: grid, rows } = table('caches', [['Cache'], ['Five minutes', 'c-strip'],
    ['Hit ratio', 'num c-hit'], ['Reads/s', 'num c-number'], ['Loads/s', 'num c-number x-mid'],
    ['Load p99', 'num c-number x-late'], ['Evictions/s', 'num c-number x-late'],
    ['Entries', 'num c-fill x-fill']]);
  const redis = redisSection(), changes = changesSection(null), errors = errorsSection(null);
  const bar = make('div', 'filter', stripLegend(false).root, filter);
  const root = make('div', '', title, trouble.root, make('div', 'fades', figures, bar, grid),
    redis.root, make('div', 'pairs', changes.root, errors.root));
  const seen = new Map();
  const watcher = new IntersectionObserver(entries => {
    for (const { target, isIntersecting } of entries) seen.get(target).isSeen = isIntersecting;
  }, { rootMargin: '300px' });
  const create = () => {
    const row = cacheRow();
    seen.set(row.root, row);
    watcher.observe(row.root);
    return row;
  };
  let order = {}, touched_ms = -HOLD_MS;
  filter.addEventListener('input', () => draw());
  for (const kind of ['pointermove', 'focusin'])
    grid.addEventListener(kind, () => { touched_ms = performance.now(); });

  function draw() {
    const { state } = known;
    const items = state.caches.map(cache => {
      const series = seriesOf(cache.area);
      return { cache, series, verdict: judge(cache, series), key: cache.area };
    });
    order = arrange(items, order, performance.now() - touched_ms < HOLD_MS);
    drawSums(cells, title, items);
    trouble.update(summary(order.items));
    show(bar, items.length > 0);
    show(grid, items.length > 0);
    show(filter, items.length > 8);
    const wanted = filter.value.trim().toLowerCase(), focused = document.activeElement;
    sync(rows, order.items.filter(item => item.key.toLowerCase().includes(wanted)),
      item => item.key, create);
    if (focused !== document.activeElement && rows.contains(focused)) // its row has moved
      focused.focus({ preventScroll: true });
    redis.update(state.redis);
    changes.update(state);
    errors.update(state);
  }
  return { root, draw };
}

/* What caches have in common is said once: by where to look. */
function summary(items) {
  const groups = new Map();
  let kind = 'noticed';
  for (const { key, verdict } of items)
    for (const { text, where } of verdict.rank > 1 ? verdict.said : []) {
      if (verdict.rank > 2 || kind === 'noticed') ({ kind } = verdict);
      const group = groups.get(where) || { where, keys: new Set(), text };
      groups.set(where, group);
      group.keys.add(key);
    }
  const said = [...groups.values()].map(({ text, where, keys: [key, ...others] }) => ({ where,
    text: `${key}${others.length > 0 ? ` and ${others.length} more` : ''}: ${text}` }));
  return { kind, said: said.slice(0, 5) };
}

const HOLD_MS = 3000;

/* By trouble, then by reads. Anew every ten seconds, at once when trouble comes or goes or the first
 * rates are known, but not just under a pointer that moves or a row that was chosen. */
function arrange(items, old, isHeld) {
  const ranks = items.map(({ key, verdict, series }) => `${key} ${verdict.rank} ${series.last < 0}`)
    .sort().join('\n');
  if (old.items && (isHeld || old.ranks === ranks && known.second - old.second < 10)) {
    const places = new Map(old.items.map((item, i) => [item.key, i]));
    const place = item => places.has(item.key) ? places.get(item.key) : items.length;
    return { ...old, items: items.sort((a, b) => place(a) - place(b)) };
  }
  for (const item of items) item.reads = (item.series.mean(60) || { reads: 0 }).reads;
  return { ranks, second: known.second, items: items.sort((a, b) =>
    b.verdict.rank - a.verdict.rank || b.reads - a.reads || a.key.localeCompare(b.key)) };
}

function drawSums(cells, title, items) {
  const names = ['reads', 'local', 'remote', 'load_total', 'load_error', 'local_evictions'];
  const sum = Object.fromEntries(names.map(name => [name, NaN]));
  for (const { series } of items) {
    const now = series.mean(RECENT_S);
    if (now) for (const name of names) sum[name] = (sum[name] || 0) + now[name];
  }
  [rate(sum.reads), percent(ratio(sum)), rate(sum.load_total),
    sum.load_total === 0 ? '0 %' : percent(Math.min(1, sum.load_error / sum.load_total)),
    rate(sum.local_evictions)].forEach((text, i) => cells[i].update(text));
  const bad = items.filter(item => item.verdict.rank > 1).length;
  const more = items.filter(item => item.verdict.rank === 1).length;
  const are = n => `${n} of ${items.length} caches ${n === 1 ? 'is' : 'are'}`;
  say(title, items.length === 0 ? 'No cache is open in this process.'
    : bad > 0 ? `${are(bad)} in trouble.` : more > 0 ? `${are(more)} worth a look.`
      : `All ${items.length} caches are well.`);
}

const PART_NAMES = { local: 'L1', remote: 'L2', loaded: 'loaded', negative: 'not in the source',
  failed: 'failed' };

/* Names of the strip's colours in their order from the top, with shares. */
function stripLegend(hasShares) {
  const values = {};
  const root = make('ul', 'legend', ...PARTS.map(name => {
    values[name] = make('b', 'num');
    show(values[name], hasShares);
    return make('li', name === 'failed' ? 'miss' : name, make('i', ''), PART_NAMES[name], values[name]);
  }));
  return { root, update: parts => {
    for (const name of PARTS)
      say(values[name], percent(parts && parts.reads > 0 ? parts[name] / parts.reads : NaN));
  } };
}

/* ---- one cache ---- */

const SCALE_MS = [0.01, 10000];
const scalePlace = ms => Math.min(1, Math.max(0,
  Math.log(ms / SCALE_MS[0]) / Math.log(SCALE_MS[1] / SCALE_MS[0])));

/* From the median to the 99th percentile, and the maximum, on a logarithmic scale. */
function rangeRow(name, isMinor) {
  const bar = shape('path', { class: 'bar' }), most = shape('path', { class: 'tick' });
  const drawing = picture(shape('path', { class: 'grid', d: 'M0 50H300' }), most, bar);
  const cells = ['num', 'num x-mid', 'num', 'num x-mid', 'num', 'num x-late']
    .map(each => make('td', each));
  const root = make('tr', isMinor ? 'minor' : '', rowHead(name), make('td', 'x-range', drawing),
    ...cells);
  return { root, update: ({ latency, now_ms, count }) => {
    const has = latency.count > 0;
    const x = ms => (scalePlace(ms) * 300).toFixed(1);
    set(bar, 'd', has ? `M${x(latency.p50_ms)} 50H${(+x(latency.p99_ms) + 0.1).toFixed(1)}` : '');
    set(most, 'd', has ? `M${x(latency.max_ms)} 25V75` : '');
    [latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.max_ms].forEach((ms, i) =>
      say(cells[i], has ? duration(ms) : DASH));
    say(cells[4], isMinor ? '' : duration(now_ms));
    say(cells[5], isMinor ? '' : rate(count));
  } };
}

const LATENCY_NAMES = { load: 'Load', remote: 'L2', wait: 'Wait for another’s load',
  read: 'Read beyond L1' };

function latencySection() {
  const { root: grid, rows } = table('latencies', [['', 'c-name'], ['', 'x-range'],
    ['p50', 'num'], ['p95', 'num x-mid'], ['p99', 'num'], ['max', 'num x-mid'],
    ['mean now', 'num'], ['per second', 'num x-late']]);
  const scale = make('span', 'scale');
  for (const [ms, text] of [[0.1, '100 µs'], [10, '10 ms'], [1000, '1 s']]) {
    const label = make('span', '', text);
    label.style.left = `${scalePlace(ms) * 100}%`;
    scale.append(label);
  }
  grid.tHead.rows[0].cells[1].append(scale);
  const { root, more } = section('How long it takes', grid);
  say(more, 'since the cache was opened; bar: p50 to p99, tick: maximum');
  const create = item => rangeRow(item.title, item.isMinor);
  return { root, update: (cache, now) => {
    const items = LATENCIES.flatMap(name => {
      const own = { key: name, title: LATENCY_NAMES[name], latency: cache.latencies[name] || {},
        now_ms: now ? now[name + '_ms'] : NaN, count: now ? now[name + '_count'] : NaN };
      const parts = name === 'remote' ? Object.entries(cache.remote_ops || {}) : [];
      return [own, ...parts.filter(([, latency]) => latency.count > 0).map(([op, latency]) =>
        ({ key: `remote ${op}`, title: op, isMinor: true, latency, now_ms: NaN, count: NaN }))];
    });
    sync(rows, items, item => item.key, create);
  } };
}

function hotSection() {
  const grid = textTable([['Key'], ['', 'c-bar'], ['Reads/s', 'num'], ['At least', 'num']],
    ({ hot, share }) => [hot.key, share, rate(hot.reads_per_s), integer(hot.at_least)]);
  const none = make('p', 'empty', 'None. The setting hot_keys turns them on.');
  const { root, more } = section('Hot keys', grid.root, none);
  return { root, update: (keys, now) => {
    show(none, keys.length === 0);
    const sum = keys.reduce((total, hot) => total + hot.reads_per_s, 0);
    say(more, keys.length > 0 && now && now.reads > 0
      ? `${percent(Math.min(1, sum / now.reads))} of the reads` : '');
    grid.update(keys.map((hot, i) => ({ hot, i, share: hot.reads_per_s / keys[0].reads_per_s })),
      item => item.i);
  } };
}

function sharingSection() {
  const grid = textTable([[''], ['', 'wide']], item => item);
  const { root } = section('Sharing with other processes', grid.root);
  return { root, update: (cache, now, state) => {
    const { gauges, channel_changed_ms: since } = cache;
    show(root, cache.mode !== 'local');
    grid.update([
      ['Channel', gauges.channel_up === undefined ? 'none' : (gauges.channel_up ? 'up' : 'down') +
        (since > 0 ? ` for ${span(state.time_ms - since)}, since ${clock(since)}` : '')],
      ['Lifetimes in L1', gauges.degraded ? 'short: changes by others are not received'
        : 'as configured'],
      ['L2', gauges.remote_ready ? 'ready' : 'not ready'],
      ['Repairs waiting', integer(gauges.repairs)],
      ['Messages', `${rateOf(now, 'invalidation_publish')} sent, ` +
        `${rateOf(now, 'invalidation_receive')} received a second`],
      ['Bytes', now ? `${bytes(now.remote_bytes_sent)} to L2, ` +
        `${bytes(now.remote_bytes_received)} from L2 a second` : DASH],
      ['Failed calls of L2', `${rateOf(now, 'remote_errors')} a second`],
    ], ([name]) => name);
  } };
}

/* As people do it by hand: the newer interface is only for pages that come over TLS. */
function copyText(button, text) {
  const field = make('textarea', '', text);
  document.body.append(field);
  field.select();
  say(button, document.execCommand('copy') ? 'Copied' : 'Not allowed');
  field.remove();
  button.focus();
  setTimeout(() => say(button, 'Copy'), 2000);
}

function settingsSection() {
  const grid = textTable([['Changed'], ['Value'], ['Default']],
    each => [each.name, each.value, each.default]);
  const all = make('dl', 'settings'), count = make('summary', ''), button = make('button', '', 'Copy');
  const none = make('p', 'empty', 'Every setting has its default.');
  const { root } = section('Configuration', grid.root, none, make('details', '', count, all));
  root.firstChild.append(button);
  grid.root.className = 'code';
  set(button, 'aria-label', 'Copy the configuration');
  let config = [];
  button.addEventListener('click', () => copyText(button, config.map(each =>
    `${each.name} = ${each.value}` + (isSet(each) ? `    # default ${each.default}` : '') + '\n')
    .join('')));
  const create = item => {
    const value = make('dd', '');
    const line = make('div', '', make('dt', '', item.name), value);
    return { root: line, update: now => {
      line.className = isSet(now) ? 'set' : '';
      say(value, now.value);
    } };
  };
  return { root, update: now => {
    config = now;
    const deviating = config.filter(isSet);
    show(none, deviating.length === 0);
    say(count, `All ${config.length} settings`);
    grid.update(deviating, item => item.name);
    sync(all, config, item => item.name, create);
  } };
}

const isSet = each => each.value !== each.default;

function troubleBox() {
  const list = make('ul', ''), root = make('div', 'trouble', list);
  const create = () => {
    const what = make('b', ''), where = make('span', '');
    return { root: make('li', '', what, where), update: item => {
      say(what, item.text);
      say(where, item.where);
    } };
  };
  return { root, update: verdict => {
    show(root, verdict.said.length > 0);
    root.className = `trouble ${verdict.kind}`;
    sync(list, verdict.said.map((item, i) => ({ ...item, i })), item => item.i, create);
  } };
}

function stripSection() {
  const legend = stripLegend(true), picture = strip(1);
  const chart = frame('tall', 'Who answered the reads, five minutes', [...picture.root.children]);
  const { root, more } = section('Who answers the reads', legend.root, chart.root);
  return { root, update: series => {
    picture.update(series);
    legend.update(cursor.age < 0 ? series.mean(RECENT_S)
      : Object.fromEntries(['reads', ...PARTS].map(name => [name, series.at(cursor.age, name)])));
    say(more, cursor.age < 0 ? `mean of ${RECENT_S} seconds`
      : cursor.age === 0 ? 'the last second' : `${cursor.age} s ago`);
    chart.drawCursor();
  } };
}

function detail(area) {
  const mark = sign(), word = make('span', ''), facts = make('p', 'soft');
  const state_line = make('span', '', mark.root, word);
  const trouble = troubleBox(), figures = make('dl', 'figures');
  const cells = ['Hit ratio', 'Reads a second', 'Loads a second', 'Entries in L1', 'Memory of L1',
    'Evictions a second'].map(figure);
  figures.append(...cells.map(cell => cell.root));
  const answered = stripSection(), latency = latencySection();
  const charts = [['Reads', rate, 'reads'], ['Loads', rate, 'load_total', 'load_error', 'failed'],
    ['Mean time of a load', duration, 'load_ms'],
    ['Evictions', rate, 'local_evictions', 'local_writes', 'writes']].map(each => lineChart(...each));
  const sharing = sharingSection(), redis = redisSection(), hot = hotSection();
  const changes = changesSection(area), errors = errorsSection(area), settings = settingsSection();
  const root = make('div', '', make('div', 'title', make('h1', '', area), state_line), facts,
    trouble.root, make('div', 'fades', figures, answered.root,
      make('div', 'quads', ...charts.map(chart => chart.root)), latency.root,
      make('div', 'pairs', sharing.root, hot.root), redis.root),
    make('div', 'pairs', changes.root, errors.root), settings.root);

  function draw() {
    const { state } = known;
    const cache = state.caches.find(each => each.area === area);
    const series = seriesOf(area), verdict = judge(cache, series), now = series.mean(RECENT_S);
    state_line.className = `state fades ${verdict.kind}`;
    mark.update(verdict.kind);
    say(word, verdict.kind === 'noticed' ? 'worth a look' : cache.health);
    say(facts, factsOf(cache, state));
    trouble.update(verdict);
    drawCells(cells, cache, now);
    for (const part of [answered, ...charts]) part.update(series);
    latency.update(cache, now);
    sharing.update(cache, now, state);
    hot.update(cache.hot_keys, now);
    redis.update(cache.mode === 'local' ? [] : state.redis);
    changes.update(state);
    errors.update(state);
    settings.update(cache.config);
  }
  return { root, draw };
}

function factsOf(cache, state) {
  const levels = { both: 'L1 and L2', local: 'L1 alone', remote: 'L2 alone' }[cache.mode];
  return [levels, cache.engine && `engine ${cache.engine}`, cache.policy && `policy ${cache.policy}`,
    `open for ${span(state.time_ms - cache.started_ms)}`,
    cache.instances > 1 && `${cache.instances} instances together`].filter(Boolean).join(DOT);
}

function drawCells(cells, cache, now) {
  const { gauges, metrics } = cache;
  const whole = shares(metrics, cache.mode);
  cells[0].update(percent(ratio(now)), `${percent(ratio(whole))} in all`);
  cells[1].update(rateOf(now, 'reads'), `${rate(whole.reads)} in all`);
  cells[2].update(rateOf(now, 'load_total'), `${integer(gauges.loads_running)} running, ` +
    `${integer(gauges.executor_queue)} queued`);
  cells[3].update(integer(gauges.entries), `of ${integer(gauges.capacity)}`,
    gauges.entries / gauges.capacity);
  cells[4].update(bytes(gauges.memory_bytes), gauges.max_weight > 0
    ? `weight ${rate(gauges.weight)} of ${rate(gauges.max_weight)}` : '');
  cells[5].update(rateOf(now, 'local_evictions'), `${rateOf(now, 'local_expirations')} expirations`);
}

/* ---- choosing the view ---- */

let view = null;

function wantedArea() {
  const { caches } = known.state;
  if (caches.length === 1) return caches[0].area;
  try {
    const area = decodeURIComponent(location.hash.slice(2));
    return caches.some(cache => cache.area === area) ? area : null;
  } catch {
    return null;
  }
}

function drawLinks(area) {
  const { state } = known;
  const key = `${area} ${state.caches.length}`;
  if (top_line.shown !== key) {
    top_line.shown = key;
    const back = make('a', '', `← All ${state.caches.length} caches`);
    back.href = '#/';
    top_line.replaceChildren(...(area !== null && state.caches.length > 1 ? [back] : []), make('span', ''));
  }
  say(top_line.lastChild, processText(state));
}

function draw() {
  drawTop();
  if (!known.state) return;
  const area = wantedArea();
  const key = area === null ? 'overview' : `cache ${area}`;
  if (!view || view.key !== key) {
    view = area === null ? overview() : detail(area);
    view.key = key;
    body.replaceChildren(view.root);
    cursor.age = -1;
    scrollTo(0, 0);
  }
  drawLinks(area);
  view.draw();
  const bad = known.state.caches.filter(cache => cache.health !== 'ok').length;
  const title = (known.trouble ? 'No answer' : bad > 0 ? `${bad} in trouble` : 'Caches') +
    (area === null ? '' : ` · ${area}`);
  if (document.title !== title) document.title = title;
}

cursor.changed = draw;
addEventListener('hashchange', () => {
  if (known.state) draw();
});
addEventListener('keydown', event => {
  if (event.key === 'Escape' && location.hash.length > 2 && event.target.tagName !== 'INPUT')
    location.hash = '#/';
});

/* ---- asking ---- */

const object = value => value && typeof value === 'object' && !Array.isArray(value) ? value : {};
const objects = value => Array.isArray(value) ? value.map(object) : [];
const string = value => typeof value === 'string' ? value : '';

/* The given fields as texts, whatever was sent. */
function withTexts(value, ...names) {
  for (const name of names) value[name] = string(value[name]);
  return value;
}

/* A state in which everything that the page reads has the right kind, whatever was sent. */
function checked(sent) {
  if (!Array.isArray(object(sent).caches) || !isKnown(sent.time_ms)) throw new SyntaxError();
  return { ...sent, labels: object(sent.labels),
    redis: objects(sent.redis).map(server => ({ ...withTexts(server, 'endpoint', 'breaker'),
      connections: object(server.connections) })),
    errors: objects(sent.errors).map(error => withTexts(error, 'area', 'text')),
    caches: objects(sent.caches).map(cache => {
      withTexts(cache, 'area', 'health', 'mode', 'engine', 'policy');
      for (const name of ['metrics', 'gauges', 'latencies', 'remote_ops'])
        cache[name] = object(cache[name]);
      for (const name of ['latencies', 'remote_ops'])
        for (const each in cache[name]) cache[name][each] = object(cache[name][each]);
      cache.reasons = Array.isArray(cache.reasons) ? cache.reasons.map(string) : [];
      cache.hot_keys = objects(cache.hot_keys).map(hot => withTexts(hot, 'key'));
      cache.config = objects(cache.config).map(each => withTexts(each, 'name', 'value', 'default'));
      return cache;
    }) };
}

function take(state, was_gone) {
  const { before } = known;
  const second = known.second = Math.floor(performance.now() / 1000);
  known.state = known.before = state;
  known.answered_ms = Date.now();
  const areas = new Set(state.caches.map(cache => cache.area));
  for (const area of known.series.keys()) if (!areas.has(area)) known.series.delete(area);
  if (!before) return;
  const passed = (state.time_ms - before.time_ms) / 1000;
  const old = new Map(before.caches.map(cache => [cache.area, cache]));
  const isSameProcess = state.pid === before.pid && state.started_ms === before.started_ms;
  for (const cache of state.caches) {
    const was = old.get(cache.area);
    if (!known.series.has(cache.area)) known.series.set(cache.area, new Series());
    if (!was || passed <= 0) continue;
    const sample = isSameProcess ? sampleOf(cache, was, passed) : null;
    known.series.get(cache.area).push(second, sample, was_gone);
    known.changes.watch(state.time_ms, cache.area, known.series.get(cache.area));
  }
  known.changes.compare(state, before);
}

async function ask() {
  const started = performance.now();
  try {
    const answer = await fetch('state.json', { cache: 'no-store', signal: AbortSignal.timeout(5000) });
    const text = await answer.text(), was_gone = known.trouble !== '';
    known.trouble = answer.ok ? '' : `The service answers ${answer.status}, not its state.`;
    if (answer.ok) showState(text, was_gone);
  } catch (error) {
    known.trouble = error.name === 'TimeoutError' ? 'The service did not answer within 5 s.'
      : 'The service does not answer.';
  }
  drawTop();
  const pause = known.series.size === 0 ? 300 : 1000;
  setTimeout(ask, Math.max(100, pause - (performance.now() - started)));
}

function showState(text, was_gone) {
  try {
    take(checked(JSON.parse(text)), was_gone);
    draw();
  } catch {
    known.trouble = 'What the service answers is not the state of caches.';
  }
}

ask();
