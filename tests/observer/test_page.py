"""The live page in a browser: served by a real service, and with states that are hard to make.
Skips with 77 where there is no Chromium. Usage: test_page.py ROOT SERVICE"""

import copy
import html.parser
import pathlib
import subprocess
import sys
import time
import unittest
import urllib.request

import browser
import state_world

ROOT, SERVICE = map(pathlib.Path, (sys.argv.pop(1), sys.argv.pop(1)))
WAIT_S = 60
HOSTILE = "</noscript><img src=x onerror='hit=1'><script>hit=1</script>\"&\u202e\x1b[31m"
# The page asks ten times a second, and what goes wrong in it is kept.
FAST = """
const wait = window.setTimeout;
window.setTimeout = (what, ms) => wait(what, ms / 10);
"""
KEEP_ERRORS = """
window.wrong = [];
addEventListener('error', event => wrong.push(event.message));
addEventListener('unhandledrejection', event => wrong.push(String(event.reason)));
addEventListener('securitypolicyviolation', event => wrong.push(event.violatedDirective));
"""
TEXT = "return document.body.innerText;"
AREAS = """
return Array.from(document.querySelectorAll('.caches tbody a'), link => link.textContent);
"""
# What reaches beyond the window, or is wider inside than outside.
OVERFLOWING = """
const root = document.documentElement, found = [];
if (root.scrollWidth > innerWidth) found.push('page ' + root.scrollWidth);
for (const part of document.querySelectorAll('#page *')) {
  const box = part.getBoundingClientRect();
  if (box.width === 0 || part instanceof SVGElement) continue;
  const name = part.tagName + '.' + part.className + ' ' + part.textContent.slice(0, 40);
  if (box.right > innerWidth + 0.5 || box.left < -0.5) found.push('outside: ' + name);
  const style = getComputedStyle(part);
  const is_cut = style.display !== 'inline' && style.overflow !== 'hidden';
  if (is_cut && part.scrollWidth > part.clientWidth + 1 && part.clientWidth > 0)
    found.push('wider: ' + name);
}
return found;
"""
# How far parts have moved that nobody touched.
SHIFTS = """
window.shifts = [];
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) shifts.push(entry.value);
}).observe({ type: 'layout-shift' });
"""
PRESS = """
const event = new KeyboardEvent('keydown', { key: arguments[0], bubbles: true });
document.activeElement.dispatchEvent(event);
"""


class Service:
    """The program service.c, run."""

    def __init__(self, count):
        call = [SERVICE, str(count)]
        self.process = subprocess.Popen(
            call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/"

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def get(self, target=""):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + target, timeout=WAIT_S) as answer:
            return answer.read()

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=WAIT_S) == 0
        self.process.stdout.close()


class Table(html.parser.HTMLParser):
    """The tables of a page as rows of texts, and the elements that it has."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.tags, self.is_cell = [], [], False
        self.feed(page)

    def handle_starttag(self, tag, _):
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        self.is_cell = tag in ("th", "td")
        if self.is_cell:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self.is_cell = False

    def handle_data(self, data):
        if self.is_cell:
            self.rows[-1][-1] += data


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = browser.Browser().__enter__()
        cls.addClassCleanup(cls.browser.__exit__)
        cls.browser.command("Page.addScriptToEvaluateOnNewDocument", source=KEEP_ERRORS)
        real = Service(1)
        cls.page = real.get()
        real.close()

    def setUp(self):
        self.browser.visit("about:blank", 900)
        self.browser.console()

    def real(self, count):
        service = Service(count)
        self.addCleanup(service.close)
        return service

    def made(self, answer):
        """A service whose states are made up, with the page of the real one; fast."""
        service = state_world.Service(answer if callable(answer) else lambda _: answer)
        service.page = self.page
        self.addCleanup(service.close)
        fast = self.browser.command("Page.addScriptToEvaluateOnNewDocument", source=FAST)
        self.addCleanup(
            self.browser.command, "Page.removeScriptToEvaluateOnNewDocument",
            identifier=fast["identifier"],
        )  # fmt: skip
        return service

    def run_script(self, script, *arguments):
        return self.browser.run(script, *arguments)

    def until(self, script, is_so, *arguments):
        deadline = time.monotonic() + WAIT_S
        while True:
            value = self.run_script(script, *arguments)
            if is_so(value):
                return value
            if time.monotonic() > deadline:
                self.fail(f"{script} {arguments} is still {value!r}")
            time.sleep(0.05)

    def shows(self, part):
        return self.until(TEXT, lambda text: part in text)

    def is_well(self):
        self.assertEqual(self.run_script("return wrong"), [])
        self.assertEqual(self.browser.console(), [])
        self.assertNotIn("no answer", self.run_script(TEXT))

    # ---- with a real service ----

    def test_a_counter_moves_its_number(self):
        service = self.real(1)
        self.browser.visit(service.url, 900)
        self.shows("area_0")
        in_all = "return document.querySelectorAll('.figures .more')[1].textContent"
        self.until(in_all, lambda text: text == "0 in all")
        for command, said in (("read 0 0 600", "600"), ("read 0 0 100", "700"),
                              ("read 0 0 1000", "1.70k")):  # fmt: skip
            service.tell(command)
            self.until(in_all, lambda text, said=said: text == f"{said} in all")
        self.until(
            "return document.querySelectorAll('.figures dd')[1].textContent",
            lambda text: text not in ("0", "–"),
        )
        self.is_well()
        asked = set(service.tell("asked").split())
        self.assertEqual(asked, {"/", "/state.json"})
        fetched = self.run_script(
            "return performance.getEntriesByType('resource').map(entry => entry.name)"
        )
        self.assertEqual(set(fetched), {service.url + "state.json"})

    def test_trouble_is_said(self):
        service = self.real(3)
        service.tell("read 2 0 50")
        self.browser.visit(service.url, 900)
        self.shows("All 3 caches are well.")
        service.tell("down 1")
        text = self.shows("1 of 3 caches is in trouble.")
        self.assertIn("area_1: the channel has been down", text)
        self.assertIn("whether this user may subscribe", text)
        self.shows("The channel went down.")
        self.until(AREAS, lambda areas: areas[0] == "area_1")
        service.tell("up 1")
        self.shows("All 3 caches are well.")
        self.shows("The channel is up again.")
        self.is_well()

    def test_without_javascript_there_is_a_table(self):
        service = self.real(2)
        service.tell("read 1 0 80")
        service.tell("read 1 0 20")
        found = Table(service.get().decode())
        self.assertEqual(len([tag for tag in found.tags if tag == "noscript"]), 2)
        rows = {row[0]: row for row in found.rows if row}
        self.assertEqual(rows["area_1"][1:4], ["ok", "100", "20 %"])
        self.assertEqual(rows["area_0"][1:4], ["ok", "0", "–"])
        self.browser.command("Emulation.setScriptExecutionDisabled", value=True)
        self.addCleanup(
            self.browser.command, "Emulation.setScriptExecutionDisabled", value=False
        )
        self.browser.visit(service.url, 900)
        tree = self.browser.command("Accessibility.getFullAXTree")["nodes"]
        names = [item.get("name", {}).get("value") for item in tree]
        self.assertIn("area_1", names)
        self.assertTrue(any("Without JavaScript" in name for name in names if name))

    # ---- with states made up ----

    def test_texts_of_others_stay_texts(self):
        areas = [HOSTILE, "__proto__", "x" * 200]
        caches = [
            state_world.cache(
                area, health="degraded", reasons=[HOSTILE], engine=HOSTILE, policy=HOSTILE,
                hot_keys=[{"key": HOSTILE, "reads_per_s": 5, "at_least": 3}],
                config=[{"name": HOSTILE, "value": HOSTILE, "default": ""}],
                remote_ops={HOSTILE: state_world.latency(3, 1)},
            )
            for area in areas
        ]  # fmt: skip
        errors = [{"time_ms": 1, "area": HOSTILE, "text": HOSTILE}]
        servers = [state_world.endpoint(HOSTILE, breaker=HOSTILE)]
        first = state_world.state(
            *caches, errors=errors, redis=servers, labels={HOSTILE: HOSTILE}, pid=HOSTILE
        )
        service = self.made(state_world.growing(first, local_hit=100))
        for width in (400, 900):
            self.browser.visit(service.url, width)
            self.until(AREAS, lambda found: sorted(found) == sorted(areas))
            self.assertEqual(self.run_script(OVERFLOWING), [])
            self.run_script(
                "Array.from(document.querySelectorAll('.caches a'))"
                ".find(link => link.textContent === arguments[0]).click()", HOSTILE,
            )  # fmt: skip
            self.until("return document.querySelector('h1').textContent", lambda it: it == HOSTILE)
            shown = self.run_script("return document.getElementById('page').textContent")
            self.assertGreater(shown.count(HOSTILE), 8)
            self.assertEqual(self.run_script(OVERFLOWING), [])
            count = "return document.querySelectorAll('img, iframe, script').length"
            self.assertEqual(self.run_script(count), 1)
            self.assertFalse(self.run_script("return 'hit' in window"))
            self.is_well()

    def test_states_of_any_shape_are_borne(self):
        shapes = [None, 1, "x", [], {}, [None], [[]], {"a": {"b": None}}, -1, "1e999"]
        tried = []
        for shape in shapes:
            tried.append(shape)
            tried.append(state_world.state(shape, shape))
            for name in state_world.cache("x"):
                tried.append(state_world.state(state_world.cache("x") | {name: shape}))
            for name in state_world.state():
                tried.append(state_world.state(state_world.cache("x")) | {name: shape})
        last = state_world.state(state_world.cache("the last one"))
        service = self.made(lambda number: copy.deepcopy((tried + [last])[min(number, len(tried))]))
        self.browser.visit(service.url, 900)
        # Ask as fast as it answers.
        self.run_script("window.setTimeout = what => wait(what, 0)")
        self.shows("the last one")
        self.is_well()

    def test_forty_caches(self):
        caches = [state_world.cache(f"area{number:02}") for number in range(40)]
        caches[30] |= {"health": "failed", "reasons": ["the cache is closing"]}
        caches[20] |= {"health": "degraded", "reasons": ["the channel has been down for 3 s"]}
        first = state_world.state(*caches, redis=[state_world.endpoint("127.0.0.1:6379")])

        def answer(number):
            made = copy.deepcopy(first)
            made["time_ms"] += 1000 * number
            made["caches"][10]["metrics"]["local_hit"] = 500 * number
            return made

        service = self.made(answer)
        self.browser.visit(service.url, 1600)
        self.shows("2 of 40 caches are in trouble.")
        self.until(AREAS, lambda areas: areas[:3] == ["area30", "area20", "area10"])
        self.assertEqual(len(self.run_script(AREAS)), 40)
        # By keyboard: the filter, a row, back.
        self.run_script(
            "const field = document.querySelector('input'); field.focus(); field.value = 'REA2';"
            "field.dispatchEvent(new Event('input'))"
        )
        wanted = ["area20"] + [f"area2{number}" for number in range(1, 10)]
        self.until(AREAS, lambda areas: areas == wanted)
        self.run_script("document.querySelector('.caches a').focus()")
        self.run_script("document.activeElement.click()")
        text = self.shows("← All 40 caches")
        self.assertIn("The channel has been down for 3 s", text)
        self.assertEqual(self.run_script("return document.title"), "2 in trouble · area20")
        self.run_script(PRESS, "Escape")
        self.shows("2 of 40 caches are in trouble.")
        self.is_well()

    def test_a_focused_row_moves_with_its_focus(self):
        caches = [state_world.cache(area) for area in ("anna", "berta", "zoe")]
        is_bad = []

        def answer(_):
            made = copy.deepcopy(caches)
            if is_bad:
                made[2] |= {"health": "degraded", "reasons": ["the channel has been down for 3 s"]}
            return state_world.state(*made)

        self.browser.visit(self.made(answer).url, 900)
        self.until(AREAS, lambda areas: areas == ["anna", "berta", "zoe"])
        self.run_script("document.querySelectorAll('.caches a')[2].focus()")
        is_bad.append(True)
        self.until(AREAS, lambda areas: areas == ["zoe", "anna", "berta"])
        self.assertEqual(self.run_script("return document.activeElement.textContent"), "zoe")
        self.is_well()

    def test_a_process_that_begins_anew_is_told(self):
        first = state_world.state(state_world.cache("users"))
        older = state_world.growing(first, local_hit=500)
        service = self.made(lambda number: older(number + 1000))
        self.browser.visit(service.url, 900)
        self.shows("100 %")
        since = service.asked + 1000
        fresh = state_world.growing(first | {"pid": 4712, "started_ms": 1}, local_hit=80)
        service.answer = lambda number: fresh(number + 1000) | {
            "caches": fresh(number + 1000 - since)["caches"]
        }
        self.shows("The process was started anew.")
        self.shows("process 4712")
        rate = "return document.querySelectorAll('.figures dd')[2].textContent"
        self.until(rate, lambda text: "-" not in text and text not in ("", "–"))
        self.is_well()

    def test_one_cache_in_every_width_and_theme(self):
        cache = state_world.cache(
            "users", remote_ops={"get": state_world.latency(9, 0.1)},
            latencies={name: state_world.latency(99, 2) for name in ("load", "remote", "read")},
            hot_keys=[{"key": "k" * 40, "reads_per_s": 80.5, "at_least": 100}],
        )  # fmt: skip
        cache["config"][0]["value"] = "5000"
        servers = [state_world.endpoint("127.0.0.1:6379"), state_world.endpoint("x" * 60 + ":1")]
        first = state_world.state(cache, redis=servers, errors=[
            {"time_ms": state_world.STARTED_MS, "area": "users", "text": "e" * 150}])  # fmt: skip
        service = self.made(state_world.growing(first, local_hit=90, local_miss=10, remote_hit=5))
        colours = set()
        for width, theme in ((400, "light"), (620, "dark"), (900, "light"), (1600, "dark")):
            self.browser.visit(service.url, width, theme)
            self.shows("90.0 %")
            self.shows("95.0 %")
            self.assertEqual(self.run_script("return innerWidth"), width)
            self.assertEqual(self.run_script(OVERFLOWING), [], (width, theme))
            colours.add(self.run_script("return getComputedStyle(document.body).backgroundColor"))
        self.assertEqual(len(colours), 2)
        drawn = "return document.querySelectorAll('.tall .part')[0].getBBox().height"
        self.assertAlmostEqual(self.run_script(drawn), 90, delta=0.1)
        text = self.run_script(TEXT)
        self.assertIn("local_ttl_ms\t5000\t60000", text)
        self.is_well()

    def test_what_many_caches_say_is_one_row(self):
        caches = [state_world.cache(area) for area in ("anna", "berta", "zoe")]
        errors = [
            {"time_ms": state_world.STARTED_MS - 700 * i, "area": cache["area"], "text": "no route"}
            for i, cache in enumerate(caches)
        ]
        errors.append({"time_ms": state_world.STARTED_MS - 9000, "area": "zoe", "text": "no route"})
        self.browser.visit(self.made(state_world.state(*caches, errors=errors)).url, 900)
        self.shows("All 3 caches are well.")
        rows = "return Array.from(document.querySelectorAll('.log li > span'), it => it.innerText)"
        self.assertEqual(
            [row for row in self.run_script(rows) if "no route" in row],
            ["anna and 2 more: no route", "zoe no route"],
        )
        self.run_script("location.hash = '#/zoe'")
        self.until(rows, lambda found: found == ["no route", "no route"])
        self.is_well()

    def test_the_configuration_can_be_copied(self):
        cache = state_world.cache("users")
        cache["config"][0]["value"] = "5000"
        service = self.made(state_world.state(cache))
        self.browser.visit(service.url, 900)
        self.shows("Configuration")
        self.run_script(
            "document.execCommand = () => { window.copied = getSelection().toString() ||"
            " document.activeElement.value; return true; };"
            "document.querySelector('button').click()"
        )
        copied = self.run_script("return copied").splitlines()
        self.assertEqual(copied[0], "local_ttl_ms = 5000    # default 60000")
        self.assertEqual(copied[1], "remote_ttl_ms = 300000")
        self.assertEqual(self.run_script("return document.activeElement.tagName"), "BUTTON")

    def test_nothing_moves_while_numbers_do(self):
        caches = [state_world.cache(f"area{number}") for number in range(20)]
        first = state_world.state(*caches)
        service = self.made(state_world.growing(first, local_hit=97, local_miss=31, load_total=9))
        for target in ("", "#/area3"):
            self.browser.visit("about:blank", 900)
            self.browser.visit(service.url + target, 900)
            self.until(TEXT, lambda text: "75.7 %" in text or target)
            self.run_script(SHIFTS)
            asked = service.asked
            self.until("return 0", lambda _: service.asked > asked + 8)
            self.assertEqual(self.run_script("return shifts"), [], target)

    def test_a_silence_is_filled_unless_the_service_was_gone(self):
        first = state_world.state(state_world.cache("users"))
        answer = state_world.growing(first, local_hit=90, local_miss=10)
        service = self.made(answer)
        self.browser.visit(service.url, 900)
        self.run_script("const now = performance.now.bind(performance);"
                        "window.jump = ms => { const before = performance.now();"
                        " performance.now = () => now() + ms; return before; }")  # fmt: skip
        self.shows("90.0 %")
        # Columns of the last five minutes, a second each: those of the silence have the same mean.
        columns = "return document.querySelector('.tall .part').getAttribute('d').split('M').length"
        self.run_script("jump(40000)")
        self.until(columns, lambda count: 40 < count < 60)
        service.answer = lambda _: (503, b"")
        self.shows("The service answers 503")
        self.run_script("jump(100000)")
        service.answer = answer
        self.until(TEXT, lambda text: "no answer" not in text)
        self.until(columns, lambda count: 40 < count < 60)
        self.assertEqual(self.run_script("return wrong"), [])

    def test_the_charts_have_a_cursor_for_the_keyboard(self):
        first = state_world.state(state_world.cache("users"))
        service = self.made(state_world.growing(first, local_hit=90, local_miss=10))
        self.browser.visit(service.url, 900)
        self.shows("90.0 %")
        self.run_script("document.querySelector('.chart').focus()")
        self.run_script(PRESS, "ArrowLeft")
        self.shows("1 s ago")
        line = "return document.querySelector('.cursor').getAttribute('d')"
        self.assertEqual(self.run_script(line), "M298.5 0V100")
        self.run_script("document.activeElement.blur()")
        self.shows("mean of 10 seconds")

    def test_a_service_that_goes_is_told(self):
        first = state_world.state(state_world.cache("users"))
        given = [first]
        service = self.made(lambda _: given[0])
        self.browser.visit(service.url, 900)
        self.shows("users")
        for answer, said in (
            ((503, b"no"), "The service answers 503"),
            ((200, b"<html>"), "is not the state of caches"),
            ([], "is not the state of caches"),
        ):
            given[0] = answer
            text = self.shows(said)
            self.assertIn("What you see is from", text)
            self.assertIn("no answer", text)
            given[0] = first
            self.until(TEXT, lambda text: "no answer" not in text)
        service.close()
        self.shows("The service does not answer.")
        self.assertEqual(self.run_script("return wrong"), [])


if __name__ == "__main__":
    if not browser.is_here():
        print("SKIPPED: no chromium with chromedriver here (packages chromium, chromium-driver);"
              " nobody looked at the page")
        sys.exit(77)
    unittest.main()
