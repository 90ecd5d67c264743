/* ---- numbers as text ---- */

const DASH = '–';
const isKnown = Number.isFinite;
const integer = n => isKnown(n) ? n.toLocaleString('en') : DASH;

function scaled(n, steps, base) {
  let step = 0;
  while (step + 1 < steps.length && n >= base * 0.9995) { n /= base; step++; }
  return (n >= 99.95 || n === 0 || (step === 0 && n >= 10) ? n.toFixed(0)
    : n >= 9.995 ? n.toFixed(1) : step === 0 && n < 0.1 ? n.toFixed(2)
      : n.toFixed(step === 0 ? 1 : 2)) + steps[step];
}

const short = text => text.replace(/\.0+(?!\d)/, '');
const rate = n => isKnown(n) ? scaled(n, ['', 'k', 'M', 'G'], 1000) : DASH;
const bytes = n => isKnown(n) ? scaled(n, [' B', ' KiB', ' MiB', ' GiB', ' TiB'], 1024) : DASH;

/* Rounded towards the truth that matters: 100 % is all of it. */
function percent(share) {
  if (!isKnown(share)) return DASH;
  if (share === 0 || share === 1) return `${share * 100} %`;
  return share < 0.001 ? '<0.1 %' : `${(Math.floor(share * 1000) / 10).toFixed(1)} %`;
}

function duration(ms) {
  if (!isKnown(ms)) return DASH;
  if (ms < 0.9995) return `${ms < 0.00995 ? (ms * 1000).toFixed(1) : (ms * 1000).toFixed(0)} µs`;
  if (ms < 999.5) return `${ms.toFixed(ms < 9.995 ? 2 : ms < 99.95 ? 1 : 0)} ms`;
  return `${(ms / 1000).toFixed(ms < 99950 ? 1 : 0)} s`;
}

function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (!isKnown(s)) return DASH;
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  return s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`;
}

const two = n => String(n).padStart(2, '0');
function clock(ms) {
  const at = new Date(ms);
  return isKnown(ms) && ms > 0
    ? `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}` : DASH;
}

/* ---- elements: all text goes through text, never through markup ---- */

function make(tag, name, ...parts) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...parts);
  return made;
}

function shape(tag, attributes, ...parts) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...parts);
  return made;
}

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function show(element, isShown) {
  element.toggleAttribute('hidden', !isShown); // pictures have no property of this name
}

/* One child for each item, in their order; those that are there stay. `create` returns an object
 * with `root`, and `update` of an item. */
function sync(parent, items, keyOf, create) {
  const before = parent.kept || new Map();
  const kept = parent.kept = new Map();
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    if (kept.has(key)) continue;
    const child = before.get(key) || create(item);
    before.delete(key);
    kept.set(key, child);
    if (child.root === place) place = place.nextElementSibling;
    else parent.insertBefore(child.root, place);
    child.update(item);
  }
  for (const child of before.values()) child.root.remove();
}

const MARKS = { ok: 'M5 0a5 5 0 1 0 .01 0z', noticed: 'M5 1l4 4-4 4-4-4z',
  degraded: 'M5 0l5 9.5H0z', failed: 'M0 0h10v10H0z' };

/* A sign whose form says what its colour does. */
function sign() {
  const path = shape('path', {});
  const root = shape('svg', { class: 'mark', viewBox: '0 0 10 10', 'aria-hidden': 'true' }, path);
  return { root, update: kind => set(path, 'd', MARKS[kind] || MARKS.noticed) };
}

/* ---- charts ---- */

/* Rectangles for what each level answered, in columns of `width` seconds. */
function stripPaths(series, width) {
  const paths = Object.fromEntries(PARTS.map(name => [name, '']));
  const first = series.last - series.last % width; // columns stand still until the next is full
  for (let column = 0; column * width < KEEP_S; column++) {
    const start = first - column * width;
    const sum = Object.fromEntries(['reads', ...PARTS].map(name => [name, 0]));
    for (let second = start; second < start + width; second++) {
      const age = series.last - second;
      if (age >= 0 && series.at(age, 'reads') > 0)
        for (const name in sum) sum[name] += series.at(age, name);
    }
    if (sum.reads === 0) continue;
    const x = KEEP_S - (column + 1) * width;
    let level = 100;
    for (const name of PARTS) {
      const next = level - 100 * sum[name] / sum.reads;
      if (next < level) paths[name] += `M${x} ${level.toFixed(2)}h${width}V${next.toFixed(2)}h-${width}z`;
      level = next;
    }
  }
  return paths;
}

const picture = (...shapes) => shape('svg', { viewBox: '0 0 300 100', preserveAspectRatio: 'none',
  class: 'picture', 'aria-hidden': 'true' }, ...shapes);

function strip(width) {
  const parts = PARTS.map(name => shape('path', { class: `part ${name === 'failed' ? 'miss' : name}`,
    'shape-rendering': 'crispEdges' }));
  const root = picture(...parts);
  return { root, update: series => {
    const paths = stripPaths(series, width);
    PARTS.forEach((name, i) => set(parts[i], 'd', paths[name]));
  } };
}

function niceTop(n) {
  if (!(n > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 5, 10].find(step => step * power >= n * 0.999) * power;
}

/* The line of a field, broken where nothing is known; and the area below it. */
function linePaths(series, name, top) {
  let line = '', area = '', start = -1;
  const end = x => { if (start >= 0) area += `L${x} 100L${start} 100z`; start = -1; };
  for (let age = KEEP_S - 1; age >= 0; age--) {
    const value = series.at(age, name), x = KEEP_S - age - 0.5;
    if (!isKnown(value)) { end(x - 1); continue; }
    const point = `${x} ${(100 - 100 * Math.min(value / top, 1)).toFixed(2)}`;
    line += start < 0 ? `M${point}h.01` : `L${point}`;
    area += start < 0 ? `M${point}` : `L${point}`;
    if (start < 0) start = x;
  }
  end(KEEP_S - 0.5);
  return { line, area };
}

/* The cursor that all charts share: how many seconds ago. -1: none. */
const cursor = { age: -1, changed: () => {} };

function moveCursor(age) {
  age = age < 0 ? -1 : Math.min(Math.max(Math.round(age), 0), KEEP_S - 1);
  if (age === cursor.age) return;
  cursor.age = age;
  cursor.changed();
}

/* A chart over five minutes: its grid, its cursor, the times below it. */
function frame(name, label, shapes) {
  const line = shape('path', { class: 'cursor' });
  const grid = shape('path', { class: 'grid', d: name
    ? 'M60 0V100M120 0V100M180 0V100M240 0V100' : 'M0 0H300M0 50H300M0 100H300' });
  const drawing = picture(...(name ? [...shapes, grid] : [grid, ...shapes]), line);
  const root = make('div', `chart ${name}`, drawing);
  root.tabIndex = 0;
  set(root, 'role', 'img');
  set(root, 'aria-label', label);
  const times = make('div', 'times', ...['5 min', '4', '3', '2', '1', 'now']
    .map(text => make('span', '', text)));
  drawing.addEventListener('pointermove', event => {
    const box = drawing.getBoundingClientRect();
    moveCursor(KEEP_S - 0.5 - (event.clientX - box.left) / box.width * KEEP_S);
  });
  const leave = () => moveCursor(-1);
  drawing.addEventListener('pointerleave', leave);
  root.addEventListener('blur', leave);
  root.addEventListener('keydown', event => {
    const step = { ArrowLeft: 1, ArrowRight: -1, PageUp: 30, PageDown: -30 }[event.key];
    if (!step) return;
    event.preventDefault();
    moveCursor(Math.max(0, Math.max(0, cursor.age) + step));
  });
  return { root: make('div', '', root, times), chart: root, drawCursor: () => set(line, 'd',
    cursor.age < 0 ? '' : `M${KEEP_S - cursor.age - 0.5} 0V100`) };
}

/* A chart of a field, and of another one with a name. `format` makes text of a value. */
function lineChart(title, format, field, other, other_name) {
  const value = make('b', 'num'), beside = make('small', ''), label = make('span', 'most');
  const area = shape('path', { class: 'area' }), line = shape('path', { class: 'line' });
  const line_beside = shape('path', { class: 'line beside' });
  const chart = frame('', `${title}, five minutes`, [area, line_beside, line]);
  chart.chart.append(label);
  const root = make('section', '', make('h2', '', title, value, beside), chart.root);
  return { root, update: series => {
    let top = 0;
    for (const name of other ? [field, other] : [field])
      for (let age = 0; age < KEEP_S; age++) top = Math.max(top, series.at(age, name) || 0);
    top = niceTop(top);
    say(label, short(format(top)));
    const paths = linePaths(series, field, top);
    set(line, 'd', paths.line);
    set(area, 'd', paths.area);
    const now = cursor.age < 0 ? series.mean(RECENT_S)
      : { [field]: series.at(cursor.age, field), [other]: series.at(cursor.age, other) };
    say(value, format(now ? now[field] : NaN));
    if (other) {
      set(line_beside, 'd', linePaths(series, other, top).line);
      say(beside, `${other_name} ${format(now ? now[other] : NaN)} (dashed)`);
    }
    chart.drawCursor();
  } };
}
