"""Each fault of docs/cache-ops-runbook.md is caused, and the live page shows what the runbook says.

With ACCEL_TEST_PICTURES, a folder, it keeps a picture of each, as docs/images has them. With
ACCEL_SOAK_SECONDS it also waits for the alerts, whose times are sixtieths here."""

import base64
import os
import pathlib
import re
import subprocess
import time
import unittest

import browser
import world

PICTURES = os.environ.get("ACCEL_TEST_PICTURES")
WITH_ALERTS = "ACCEL_SOAK_SECONDS" in os.environ
ONLY = os.environ.get("ACCEL_TEST_FAULTS", "redis source").split()  # groups or names
DAY = {"AccelHitRatioFell"}  # compares with what was a day ago

# What the page says, as an expression. The figures are rates of its last half minute.
GROUPS = {
    "redis": {
        "redis-down": r"L2 does not answer",
        "breaker": r"its breaker is open",
        "channel-down": r"The channel has been down for .*'subscribe' command",
        "full-redis": r"OOM|out of memory",
        "repairs": r"L2 did not confirm the last write of \d+ keys",
        "foreign-bytes": r"bytes in L2 cannot be read",
        "thrash": r"entries are evicted nearly as fast as they are written",
    },
    "source": {
        "loader-slow": r"Load\s.*3\d\d ms",
        "loader-hanging": r"reads give up waiting for loads",
        "loader-failing": r"% of the loads fail",
        "postgres-down": r"% of the loads fail",
        "stale": r"stale values a second are returned",
        "hot-key": r"Hot keys.*At least\s+7\s+([3-9]\d\d|\d,\d{3})\s",
    },
}
# Where that stands, if not at the top.
SECTION = {
    "breaker": "Redis",
    "full-redis": "What changed",  # the last errors stand beside it
    "loader-slow": "How long it takes",
    "hot-key": "Sharing with other processes",
}
TOP = """
const headings = Array.from(document.querySelectorAll('h2, h3'));
const found = headings.find(each => each.textContent.startsWith(arguments[0]));
return scrollY + found.getBoundingClientRect().top;
"""
SAYS = {name: text for group in GROUPS.values() for name, text in group.items()}


def provocations():
    """{name: the alerts that it fires}"""
    script = 'source tools/stack/provoke.sh; printf "%s\\n" "${PROVOCATIONS[@]}"'
    done = subprocess.run(
        ["bash", "-c", script], cwd=world.ROOT, capture_output=True, text=True,
        timeout=world.PATIENCE_S, check=True,
    )  # fmt: skip
    lines = [line.split("|") for line in done.stdout.splitlines()]
    return {name: set(alerts.split(" and ")) - {"-"} for name, _, alerts in lines}


class Runbook(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = world.Stack(
            "postgres", "redis", "prometheus", "service", "traffic",
            options=["--quick-alerts"], ACCEL_LOCAL_TTL_MS="2000", ACCEL_CAPACITY="500",
        )  # fmt: skip
        cls.addClassCleanup(cls.stack.close)
        cls.browser = browser.Browser().__enter__()
        cls.addClassCleanup(cls.browser.__exit__)

    def text(self):
        return self.browser.run("return document.body.innerText")

    def picture(self, name):
        """The part of the page that shows it, half as large."""
        top = self.browser.run(TOP, SECTION[name]) - 20 if name in SECTION else 0
        height = 280 if name in SECTION else 580
        clip = {"x": 0, "y": max(0, top), "width": 1200, "height": height, "scale": 0.5}
        shot = self.browser.command(
            "Page.captureScreenshot", clip=clip, captureBeyondViewport=True
        )
        path = pathlib.Path(PICTURES) / f"runbook_{name.replace('-', '_')}.png"
        path.write_bytes(base64.b64decode(shot["data"]))

    def is_healthy(self):
        return self.stack.service.state()["health"] == "ok"

    def fires(self, alert):
        return self.stack.query(f'ALERTS{{alertname="{alert}", alertstate="firing"}}')

    def check(self, name, alerts):
        alerts = alerts - DAY if WITH_ALERTS else set()
        world.wait("all is well before", self.is_healthy)
        world.wait("no alert is left", lambda: not any(map(self.fires, alerts)))
        self.browser.visit(self.stack.service.url, 1200)
        with self.stack.provoke(name):
            shown = re.compile(SAYS[name], re.I | re.S)
            try:
                world.wait(f"the page shows {SAYS[name]!r}", lambda: shown.search(self.text()))
            except AssertionError as error:
                self.fail(f"{error}; it shows\n{self.text()[:3000]}")
            if PICTURES:
                time.sleep(12)  # so that the charts have something to show
                self.picture(name)
            for alert in alerts:
                world.wait(f"{alert} fires", lambda alert=alert: self.fires(alert))
        world.wait("all is well again", self.is_healthy)

    def test_each_fault_is_shown_as_the_runbook_says(self):
        found = provocations()
        self.assertEqual(set(found), set(SAYS))
        for name, alerts in found.items():
            if name not in ONLY and not any(name in GROUPS.get(group, ()) for group in ONLY):
                continue
            with self.subTest(name):
                began = time.monotonic()
                self.check(name, alerts)
                print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    world.main(
        "postgres", "psql", "redis-server", "redis-cli", "prometheus", "chromium", "chromedriver"
    )
