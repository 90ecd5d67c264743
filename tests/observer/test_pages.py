"""What an observer shows: the structure of the metrics, and that all outputs say the same.

Runs the program `pages` with no, one, 40 and 1000 caches. support/exposition.py looks for what
promtool does not see; whether it does is tried first, with pages that are wrong in one way each.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

import exposition
import sources

GOOD = """\
# HELP hits_total Hits.
# TYPE hits_total counter
hits_total{area="a\\"b\\\\c\\nd"} 1
hits_total{area="e"} 2
# HELP took_seconds Times.
# TYPE took_seconds histogram
took_seconds_bucket{area="a",le="0.5"} 1
took_seconds_bucket{area="a",le="1"} 1
took_seconds_bucket{area="a",le="+Inf"} 2
took_seconds_sum{area="a"} 1.75
took_seconds_count{area="a"} 2
"""
# (what is replaced, by what, what must be found)
WRONG = [
    ('"e"} 2', '"e"} 2\n# HELP hits_total Hits.', "two HELP lines"),
    ("# HELP took", "# TYPE hits_total counter\n# HELP took", "two TYPE lines"),
    ("# HELP hits_total Hits.\n", "", "no HELP"),
    ("# TYPE hits_total counter\n", "", "no TYPE"),
    ('"e"} 2', '"e"} 2\nhits_total{area="e"} 3', "there twice"),
    ('"a"} 2\n', '"a"} 2\nhits_total{area="f"} 3\n', "not in one group"),
    ('le="0.5"} 1', 'le="0.5"} 3', "counts fall"),
    ('le="1"} 1', 'le="0.25"} 1', "out of order"),
    ('took_seconds_bucket{area="a",le="+Inf"} 2\n', "", "no +Inf"),
    ('count{area="a"} 2', 'count{area="a"} 3', "_count is not"),
    ('took_seconds_sum{area="a"} 1.75\n', "", "parts are missing"),
    ('"e"} 2', '"e",area="e"} 2', "a label twice"),
    ('"e"} 2', '"e",} 2', "malformed"),
    ('"e"} 2', '"e\\x"} 2', "malformed"),
    ('"e"} 2', '"e"} two', "no number"),
    ("hits_total", "hits", "does not end in _total"),
    ('"a"} 2\n', '"a"} 2', "does not end with a line feed"),
    ('"e"} 2', '"e"} 2\n', "no line of this format"),
    ("counter", "score", "type score"),
]


def check_checker():
    assert not exposition.faults(GOOD.encode()), exposition.faults(GOOD.encode())
    for old, new, expected in WRONG:
        assert old in GOOD, old
        found = exposition.faults(GOOD.replace(old, new).encode())
        assert any(expected in fault for fault in found), (expected, found)
    assert "not UTF-8" in exposition.faults(GOOD.replace('"e"', '"\udcff"').encode(
        errors="surrogateescape"))[0]  # fmt: skip


def counters_of(groups):
    """{(area, field): value} of the metrics' counters."""
    found = {}
    for group in groups.values():
        if group.kind != "counter" or not group.name.startswith("accelerator_cache_"):
            continue
        field = group.name.removeprefix("accelerator_cache_")
        for _, pairs, value in group.samples:
            found[dict(pairs)["area"], field] = int(value)
    return found


def gauges_of(groups):
    found = {}
    for group in groups.values():
        if group.kind == "gauge":
            for _, pairs, value in group.samples:
                field = group.name.removeprefix("accelerator_cache_").removeprefix("local_")
                found[dict(pairs)["area"], field] = value
    return found


def check_snapshots(folder, groups, state):
    """The metrics, the JSON and accel_cache_metrics_snapshot say the same."""
    metrics = counters_of(groups)
    caches = {cache["area"]: cache for cache in state["caches"]}
    lines = (folder / "snapshots.txt").read_text().split("\n")[:-1]
    for line in lines:
        area, field, value = line.split()
        metric = field if field.endswith("_total") else f"{field}_total"
        assert metrics.pop((area, metric)) == int(value), line
        assert caches[area]["metrics"].pop(field) == int(value), line
    assert not metrics, metrics
    assert all(not cache["metrics"] for cache in caches.values())
    return len(lines)


def check_gauges(groups, state):
    """A gauge that is null in the JSON has no sample, and all others have the same value."""
    gauges = gauges_of(groups)
    for cache in state["caches"]:
        for name, value in cache["gauges"].items():
            shown = gauges.pop((cache["area"], name), None)
            assert shown == (None if value is None else str(int(value))), (name, value, shown)
        started = gauges.pop((cache["area"], "start_time_seconds"))
        assert round(float(started) * 1000) == cache["started_ms"]
        assert gauges.pop((cache["area"], "info")) == "1"
    assert not gauges, gauges


def check_times(groups, state):
    """The counts of the histograms are those of the JSON."""
    counts = {}
    for group in groups.values():
        if group.kind == "histogram":
            for name, pairs, value in group.samples:
                if name.endswith("_count"):
                    key = dict(pairs)
                    part = key.get("op") or key.get("for") or ""
                    short = re.search(r"cache_(\w+)_duration_seconds", group.name)[1]
                    counts[key["area"], short, part] = int(value)
    for cache in state["caches"]:
        area = cache["area"]
        for short, latency in cache["latencies"].items():
            total = sum(value for key, value in counts.items() if key[:2] == (area, short))
            assert latency["count"] == total, (area, short, latency, total)
        for part, latency in cache["remote_ops"].items():
            assert latency["count"] == counts[area, "remote", part]
        has_times = not int(area.removeprefix("area_")) % 10 == 9
        assert bool(cache["latencies"]) == has_times


def fields_of_header():
    """The fields of accel_config, as the header declares them."""
    text = (sources.ROOT / "accel" / "config.h").read_text(encoding="utf-8")
    body = re.search(r"typedef struct accel_config \{\n(.*?)^\} accel_config;", text, re.S | re.M)
    code = re.sub(r"/\*.*?\*/", "", body[1], flags=re.S)
    return [
        re.search(r"\(\*(\w+)\)|(\w+)$", declaration.strip()).group(1, 2)
        for declaration in code.split(";")[:-1]
    ]


def check_config(state):
    """Every field is shown, and what deviates are those that were set."""
    names = [first or second for first, second in fields_of_header()]
    for cache in state["caches"]:
        shown = {field["name"]: field for field in cache["config"]}
        assert list(shown) == names, set(shown) ^ set(names)
        deviating = {name for name, field in shown.items() if field["value"] != field["default"]}
        expected = {"capacity", "loader_timeout_ms"}
        if int(cache["area"].removeprefix("area_")) % 10 == 9:
            expected.add("no_histograms")
        assert deviating == expected, deviating


def check_health(folder, state):
    health = json.loads((folder / "health.json").read_text())
    for cache, told in zip(state["caches"], health["caches"], strict=True):
        assert cache["area"] == told["area"] and cache["health"] == told["health"]
        is_down = int(cache["area"].removeprefix("area_")) % 3 == 2
        assert cache["health"] == ("degraded" if is_down else "ok")
        assert bool(cache["reasons"]) == is_down
        assert cache["gauges"]["channel_up"] == (None if cache["mode"] == "local" else not is_down)
    assert health["health"] == ("degraded" if len(state["caches"]) > 2 else "ok")


def check_pages(program, count):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([program, str(count), name], check=True)
        groups, found = exposition.read((folder / "metrics.txt").read_bytes() or b"\n")
        assert count == 0 or not found, found[:10]
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        assert len(state["caches"]) == count
        assert state["labels"] == {"dc": 'f"r\\a\nä', "x": ""}
        compared = check_snapshots(folder, groups, state)
        check_gauges(groups, state)
        check_times(groups, state)
        check_config(state)
        check_health(folder, state)
        size = (folder / "metrics.txt").stat().st_size
        print(f"{count} caches: {size} bytes of metrics, {compared} counters compared")


def check_many(program, count):
    """So many that reading it all would take seconds: it is whole."""
    with tempfile.TemporaryDirectory() as name:
        subprocess.run([program, str(count), name], check=True)
        metrics = (pathlib.Path(name) / "metrics.txt").read_text(encoding="utf-8")
        state = json.loads((pathlib.Path(name) / "state.json").read_text(encoding="utf-8"))
    lines = metrics.count("\naccelerator_cache_local_hit_total{")
    assert lines == len(state["caches"]) == count, (lines, len(state["caches"]))
    assert metrics.count("# HELP ") == metrics.count("# TYPE ") < 100


def main():
    check_checker()
    for count in (0, 1, 40):
        check_pages(sys.argv[2], count)
    check_many(sys.argv[2], 1000)


main()
