(function () {
  'use strict';
  const lines = [...document.querySelectorAll('.overview tbody tr')];
  const chips = [...document.querySelectorAll('.chip')];
  const heads = [...document.querySelectorAll('.sort')];
  const field = document.getElementById('filter');
  const detailsOf = line => document.getElementById('bench-' + line.dataset.bench);
  document.documentElement.classList.add('js');

  function show() {
    const wanted = field.value.trim().toLowerCase();
    const off = chips.filter(chip => chip.getAttribute('aria-pressed') === 'false')
      .map(chip => chip.dataset.verdict);
    let count = 0;
    for (const line of lines) {
      const fits = line.dataset.name.toLowerCase().includes(wanted) &&
        !off.includes(line.dataset.verdict);
      line.hidden = detailsOf(line).hidden = !fits;
      count += fits;
    }
    document.getElementById('shown').textContent = count + ' of ' + lines.length;
  }
  if (field) field.addEventListener('input', show);
  for (const chip of chips) chip.addEventListener('click', () => {
    chip.setAttribute('aria-pressed', chip.getAttribute('aria-pressed') === 'false');
    show();
  });

  /* Numbers descend first, names ascend; what has no number comes last. */
  function compare(key, isUp, a, b) {
    const x = a.dataset[key], y = b.dataset[key];
    if (key === 'name') return isUp ? x.localeCompare(y) : y.localeCompare(x);
    if (x === '' || y === '') return (x === '') - (y === '');
    return isUp ? x - y : y - x;
  }
  for (const head of heads) head.addEventListener('click', () => {
    const key = head.dataset.sort, before = head.parentNode.getAttribute('aria-sort');
    const isUp = before === 'none' ? key === 'name' : before === 'descending';
    for (const other of heads) other.parentNode.setAttribute('aria-sort', 'none');
    head.parentNode.setAttribute('aria-sort', isUp ? 'ascending' : 'descending');
    for (const line of lines.toSorted((a, b) => compare(key, isUp, a, b)))
      for (const each of [line, detailsOf(line)]) each.parentNode.append(each);
  });

  function openTarget() {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === 'DETAILS') target.open = true;
  }
  addEventListener('hashchange', openTarget);
  openTarget();
})();
