(function () {
  'use strict';
  var root = document.documentElement;
  var lines = Array.from(document.querySelectorAll('.overview tbody tr'));
  var chips = Array.from(document.querySelectorAll('.chip'));
  var field = document.getElementById('filter');
  var shown = document.getElementById('shown');
  root.classList.add('js');

  function detailsOf(line) {
    return document.getElementById('bench-' + line.dataset.bench);
  }

  /* ---- filtering ---- */
  function show() {
    var wanted = field ? field.value.trim().toLowerCase() : '';
    var off = chips.filter(function (chip) { return chip.getAttribute('aria-pressed') === 'false'; })
      .map(function (chip) { return chip.dataset.verdict; });
    var count = 0;
    lines.forEach(function (line) {
      var fits = line.dataset.name.toLowerCase().indexOf(wanted) !== -1 &&
        off.indexOf(line.dataset.verdict) === -1;
      line.hidden = !fits;
      detailsOf(line).hidden = !fits;
      count += fits ? 1 : 0;
    });
    if (shown) shown.textContent = count + ' of ' + lines.length;
  }
  if (field) field.addEventListener('input', show);
  chips.forEach(function (chip) {
    chip.addEventListener('click', function () {
      var is_on = chip.getAttribute('aria-pressed') === 'true';
      chip.setAttribute('aria-pressed', is_on ? 'false' : 'true');
      show();
    });
  });

  /* ---- sorting: numbers descend first, names ascend; what has no number comes last ---- */
  function sortBy(key, is_up) {
    var ordered = lines.slice().sort(function (a, b) {
      var x = a.dataset[key], y = b.dataset[key];
      if (key === 'name') return is_up ? x.localeCompare(y) : y.localeCompare(x);
      if (x === '' || y === '') return (x === '') - (y === '');
      return is_up ? x - y : y - x;
    });
    ordered.forEach(function (line) {
      line.parentNode.appendChild(line);
      var bench = detailsOf(line);
      bench.parentNode.appendChild(bench);
    });
  }
  var heads = Array.from(document.querySelectorAll('.sort'));
  heads.forEach(function (head) {
    head.addEventListener('click', function () {
      var key = head.dataset.sort, cell = head.parentNode;
      var before = cell.getAttribute('aria-sort');
      var is_up = before === 'none' ? key === 'name' : before === 'descending';
      heads.forEach(function (other) { other.parentNode.setAttribute('aria-sort', 'none'); });
      cell.setAttribute('aria-sort', is_up ? 'ascending' : 'descending');
      sortBy(key, is_up);
    });
  });

  /* ---- opening ---- */
  function openTarget() {
    var target = location.hash ? document.getElementById(location.hash.slice(1)) : null;
    if (target && target.tagName === 'DETAILS') {
      target.open = true;
      target.scrollIntoView();
    }
  }
  window.addEventListener('hashchange', openTarget);
  openTarget();
})();
