#!/usr/bin/env python3
"""Draws the pictures of the live page in docs/images: of made-up caches, well and in trouble.

usage: tools/observer_page/pictures.py

Needs Chromium with chromedriver (packages chromium, chromium-driver). The page lives through five
minutes in some seconds: its clock runs faster, and each state is a second after the one before.
"""

import base64
import math
import pathlib
import random
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "observer")]

import browser  # noqa: E402
import embed  # noqa: E402
import state_world  # noqa: E402

SECONDS, TROUBLE_S = 310, 190
FASTER = 20
FAST = f"""
const wait = setTimeout, clock = performance.now.bind(performance), start = clock();
window.setTimeout = (what, ms) => wait(what, ms / {FASTER});
performance.now = () => (clock() - start) * {FASTER};
"""
# (area, reads a second, share of L1, capacity, the median of loads)
CACHES = (
    ("users", 42000, 0.94, 100000, 1.4),
    ("products", 18500, 0.97, 50000, 3.1),
    ("search.suggest", 9300, 0.81, 20000, 12),
    ("prices", 4100, 0.88, 50000, 0.9),
    ("sessions", 2600, 0.985, 200000, 0.6),
    ("carts", 740, 0.72, 10000, 2.2),
    ("feature-flags", 310, 0.999, 100, 0.5),
    ("vendors", 24, 0.66, 1000, 4),
)


class Made:
    """A cache whose counters grow."""

    def __init__(self, area, reads, local, capacity, load_ms):
        self.numbers = random.Random(area)
        self.reads, self.local, self.load_ms = reads, local, load_ms
        self.parts = {}  # of counters, below one
        hot = [
            {"key": f"{7000 + 131 * i % 977}", "reads_per_s": reads * 0.07 / (i + 1),
             "at_least": int(reads * 0.7 / (i + 1))}
            for i in range(8)
        ]  # fmt: skip
        self.cache = state_world.cache(area, hot_keys=hot if area == "users" else [])
        self.cache["metrics"] |= {"remote_bytes_sent": 0, "remote_bytes_received": 0}
        self.cache["metrics"] |= {"invalidation_publish": 0, "invalidation_receive": 0}
        filled = int(capacity * self.numbers.uniform(0.4, 1))
        gauges = {"capacity": capacity, "entries": filled, "memory_bytes": filled * 230}
        self.cache["gauges"] |= gauges
        for setting in self.cache["config"]:
            if area == "users" and setting["name"] in ("local_ttl_ms", "hot_keys"):
                setting["value"] = {"local_ttl_ms": "5000", "hot_keys": "16"}[setting["name"]]

    def live(self, second, is_in_trouble):
        """A second passes."""
        wave = 1 + 0.2 * math.sin(second / 37 + self.load_ms) + self.numbers.gauss(0, 0.02)
        reads = max(0, self.reads * wave)
        share = self.local - (0.17 if is_in_trouble else 0.01 * math.sin(second / 20))
        local = reads * min(share, 0.999)
        remote = 0 if is_in_trouble else (reads - local) * 0.7
        loads = reads - local - remote
        failed = loads * 0.12 if is_in_trouble else 0
        grown = {
            "local_hit": local, "local_miss": reads - local, "remote_hit": remote,
            "remote_miss": 0 if is_in_trouble else loads, "load_total": loads,
            "load_success": loads - failed, "load_error": failed, "load_null": loads * 0.1,
            "remote_errors": loads if is_in_trouble else 0, "local_writes": reads - local,
            "local_evictions": (reads - local) * 0.3, "local_expirations": (reads - local) * 0.4,
            "remote_bytes_sent": loads * 190, "remote_bytes_received": remote * 190,
            "invalidation_publish": reads * 0.002,
            "invalidation_receive": 0 if is_in_trouble else reads * 0.003,
        }  # fmt: skip
        metrics = self.cache["metrics"]
        for name, step in grown.items():
            step += self.parts.get(name, 0)
            metrics[name] = metrics.get(name, 0) + int(step)
            self.parts[name] = step - int(step)
        self._time("load", loads, self.load_ms * (3 if is_in_trouble else 1) * wave)
        self._time("remote", reads - local, 0.16)
        self._time("read", reads - local, 0.5)

    def _time(self, name, count, mean_ms):
        latency = self.cache["latencies"][name]
        total = latency["count"] * latency["mean_ms"] + count * mean_ms
        fresh = state_world.latency(latency["count"] + int(count), mean_ms * 0.7)
        fresh["mean_ms"] = total / max(1, latency["count"] + count)
        self.cache["latencies"][name] = fresh

    def state(self, second, is_in_trouble):
        if not is_in_trouble:
            return self.cache
        down_s = second - TROUBLE_S
        reasons = [
            f"the channel has been down for {down_s} s",
            "L2 does not answer: reads go to the source",
            f"L2 did not confirm the last write of {3 * down_s} keys: a repair is due",
        ]
        gauges = {"channel_up": False, "degraded": True, "remote_ready": False}
        gauges["repairs"] = 3 * down_s
        return self.cache | {
            "health": "degraded", "reasons": reasons, "gauges": self.cache["gauges"] | gauges,
            "channel_changed_ms": state_world.STARTED_MS + 1000 * TROUBLE_S,
        }  # fmt: skip


def answer_of(caches, has_trouble):
    def answer(second):
        is_bad = has_trouble and second > TROUBLE_S
        for each in caches:
            each.live(second, is_bad)
        down = {"ready": 0, "connecting": 1, "down": 1}
        server = state_world.endpoint("10.20.0.7:6379", reconnects=1)
        if is_bad:
            server |= {"breaker": "open", "connections": down, "reconnects": 9}
        now_ms = state_world.STARTED_MS + 1000 * second
        error = {"time_ms": state_world.STARTED_MS + 1000 * (TROUBLE_S + 2), "area": "users",
                 "text": "get: 10.20.0.7:6379 did not answer within 50 ms"}  # fmt: skip
        return state_world.state(
            *(each.state(second, is_bad) for each in caches), redis=[server], time_ms=now_ms,
            started_ms=state_world.STARTED_MS - 260000000, labels={"dc": "fra"},
            errors=[error] if is_bad else [],
        )  # fmt: skip

    return answer


def draw(chromium, name, has_trouble, theme, target, size):
    caches = [Made(*each) for each in CACHES]
    with state_world.Service(answer_of(caches, has_trouble)) as service:
        service.page = "".join(embed.page()).encode()
        chromium.visit(service.url + target, size[0], theme, size[1])
        while service.asked < SECONDS:
            time.sleep(0.1)
        shot = chromium.command("Page.captureScreenshot", format="webp", quality=70)
    path = ROOT / "docs" / "images" / f"{name}.webp"
    path.write_bytes(base64.b64decode(shot["data"]))
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


def main():
    with browser.Browser() as chromium:
        chromium.command("Page.addScriptToEvaluateOnNewDocument", source=FAST)
        draw(chromium, "live_page_well", False, "light", "", (1200, 800))
        draw(chromium, "live_page_trouble", True, "light", "", (1200, 800))
        draw(chromium, "live_page_cache", True, "dark", "#/users", (1200, 1100))


main()
