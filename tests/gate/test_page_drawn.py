"""The page in a browser: every chart is drawn, links lead somewhere, nothing overflows. Skips with
77 where there is no Chromium."""

import sys

import browser
import gate_world
import page_world

# What each kind of drawing is made of, and how wide and high that is drawn at least.
PARTS = {
    "overview-axis": {".axis": (100, 0), ".tick": (5, 5)},
    "change": {".dot": (5, 5), ".whisker": (1, 0), ".noise": (1, 20), ".zero": (0, 20),
               ".limit.warn": (0, 20), ".limit.fail": (0, 20)},
    "rounds": {".mark.base": (3, 3), ".mark.now": (3, 3), ".thread.base": (100, 1),
               ".thread.now": (100, 1), ".middle.base": (100, 0), ".tick": (5, 5)},
    "trend": {".mark.now": (3, 3), "line.release": (0, 100), "text.release": (10, 5)},
}

# The size of each drawing of a kind, and those parts of it that cannot be seen.
UNSEEN = """
return Array.from(document.querySelectorAll('svg.' + arguments[0])).map(drawing => {
  const unseen = Object.entries(arguments[1]).filter(([part, least]) => {
    const marks = Array.from(drawing.querySelectorAll(part));
    return marks.length === 0 || marks.some(mark => {
      const style = getComputedStyle(mark), size = mark.getBoundingClientRect();
      const has_paint = style.fill !== 'none' || style.stroke !== 'none';
      return !has_paint || style.visibility !== 'visible' ||
        size.width < least[0] || size.height < least[1];
    });
  });
  const box = drawing.getBoundingClientRect();
  return [box.width, box.height, unseen.map(([part]) => part)];
});
"""

# What reaches beyond the window, or is wider inside than outside.
OVERFLOWING = """
const root = document.documentElement, found = [];
if (root.scrollWidth > innerWidth) found.push('page ' + root.scrollWidth);
for (const node of document.querySelectorAll('body *')) {
  const box = node.getBoundingClientRect();
  if (box.width === 0 || node.closest('.hidden')) continue;
  const kind = node.tagName + '.' + node.getAttribute('class');
  const name = kind + ' ' + node.textContent.slice(0, 40);
  if (box.right > innerWidth + 0.5 || box.left < -0.5) found.push('outside: ' + name);
  const is_html = node instanceof HTMLElement && getComputedStyle(node).display !== 'inline';
  if (is_html && node.scrollWidth > node.clientWidth + 1 && node.clientWidth > 0)
    found.push('wider: ' + name);
}
return found;
"""

# Texts of one drawing that lie on each other.
COLLIDING = """
const found = [];
for (const drawing of document.querySelectorAll('svg[role=img]')) {
  const boxes = Array.from(drawing.querySelectorAll('text'))
    .map(text => [text.textContent, text.getBoundingClientRect()]);
  for (let i = 0; i < boxes.length; i++)
    for (let j = i + 1; j < boxes.length; j++) {
      const a = boxes[i][1], b = boxes[j][1];
      const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      const label = drawing.getAttribute('aria-label');
      if (x > 2 && y > 4) found.push([label, boxes[i][0], boxes[j][0]]);
    }
}
return found;
"""

NAMES = """
return Array.from(document.querySelectorAll('.overview tbody tr a'))
  .filter(name => name.getBoundingClientRect().height > 0).map(name => name.textContent);
"""
FOLLOW = """
const link = document.querySelector('.overview tbody tr:last-child a');
link.click();
return document.querySelector(link.getAttribute('href')).closest('details').open;
"""
OPEN = "document.querySelectorAll('details').forEach(bench => { bench.open = true; });"
BACKGROUND = "return getComputedStyle(document.body).backgroundColor;"


class Drawn(gate_world.World):
    @classmethod
    def setUpClass(cls):
        cls.browser = browser.Browser().__enter__()
        cls.addClassCleanup(cls.browser.__exit__)

    def setUp(self):
        super().setUp()
        self.count = page_world.write(self)
        self.check(1, "base.json", "now.json", "--html=page.html", "--history=history.jsonl")

    def look(self, width=1400, theme="light"):
        self.browser.look(self.folder / "page.html", width, theme)
        self.browser.run(OPEN)

    def names(self):
        return self.browser.run(NAMES)

    def test_every_chart_is_drawn(self):
        # A bench of one side is drawn without the other.
        one_side = {"rounds": 2}
        for width, theme in ((1400, "light"), (1400, "dark"), (400, "light")):
            self.look(width, theme)
            for kind, parts in PARTS.items():
                drawn = self.browser.run(UNSEEN, kind, parts)
                self.assertTrue(drawn, kind)
                for wide, high, _ in drawn:
                    self.assertGreater(wide, 100, (kind, width))
                    self.assertGreaterEqual(high, 10, (kind, width))
                unseen = [parts for _, _, parts in drawn if parts]
                self.assertEqual(len(unseen), one_side.get(kind, 0), (kind, width, unseen))

    def test_nothing_overflows(self):
        for width in (400, 1400):
            self.look(width)
            self.assertEqual(self.browser.run("return innerWidth"), width)
            self.assertEqual(self.browser.run(OVERFLOWING), [], width)

    def test_texts_do_not_collide(self):
        for width in (400, 1400):
            self.look(width)
            self.assertEqual(self.browser.run(COLLIDING), [], width)

    def test_a_link_opens_its_bench(self):
        self.browser.look(self.folder / "page.html", 1400)
        self.assertEqual(len(self.names()), self.count)
        self.assertTrue(self.browser.run(FOLLOW))

    def test_themes(self):
        self.look(theme="light")
        light = self.browser.run(BACKGROUND)
        self.look(theme="dark")
        self.assertNotEqual(light, self.browser.run(BACKGROUND))

    def test_nothing_is_fetched_or_wrong(self):
        self.look()
        fetched = "return performance.getEntriesByType('resource').map(entry => entry.name)"
        self.assertEqual(self.browser.run(fetched), [])
        self.assertEqual(self.browser.run("return document.scripts.length"), 0)

    def test_two_hundred_benches(self):
        count = page_world.write(self, 200)
        self.check(1, "base.json", "now.json", "--html=page.html", "--history=history.jsonl")
        for width in (400, 1400):
            self.browser.look(self.folder / "page.html", width)
            self.assertEqual(self.browser.run(OVERFLOWING), [], width)
            self.assertEqual(len(self.names()), count)


if __name__ == "__main__":
    if not browser.is_here():
        print("SKIPPED: no chromium with chromedriver here (packages chromium, chromium-driver);"
              " nobody looked at the page")
        sys.exit(77)
    gate_world.main()
