"""Results for a page: benches of every verdict, odd names, targets, and a history with
releases. The same numbers each time."""

import json
import random

ODD = "odd/<&\"' na\u00efve \u952e </script>]]>"
LONG = "long/" + "a_name_without_an_end_" * 8
MACHINE = {"cpu": "A <quick> CPU & more", "cores": "2", "kernel": "6.1"}
BUILD = {"compiler": "gcc 12.2.0", "flags": "-O2 -DNDEBUG", "type": "release"}
COMMON = {"version": 1, "schema": 2, "machine": MACHINE, "build": BUILD}
ROUNDS = 12
SAMPLES = 120


def record(numbers, base, factor):
    rounds = [base * factor * numbers.lognormvariate(0, 0.01) for _ in range(ROUNDS)]
    samples = [base * factor * numbers.lognormvariate(0, 0.02) for _ in range(SAMPLES)]
    ordered = sorted(samples)
    median = sorted(rounds)[ROUNDS // 2]
    time = {
        "unit": "ns", "better": "lower", "mean": sum(rounds) / ROUNDS, "median": median,
        "p05": ordered[6], "p50": ordered[60], "p95": ordered[114], "n": SAMPLES,
        "rounds": rounds, "samples": samples,
    }
    allocs = {"unit": "1/op", "better": "lower", "exact": True, "value": 1}
    return {"mean_ns": time["mean"], "metrics": {"time": time, "allocs": allocs}}


def targets(target, acceptable):
    return {"targets": {"time": {"target": target, "acceptable": acceptable}}}


def write(world, count=8):
    """base.json, now.json and history.jsonl in the world's folder, `count` benches or more."""
    numbers = random.Random(5)
    cases = {
        "single_key/hit_macro": (500, 1.0),
        "single_key/miss_macro": (3000, 1.5),
        "batch/hit_macro/32": (17000, 1.15),
        "batch/miss_macro/32": (90000, 0.7),
        ODD: (700, 1.3),
        LONG: (12, 1.0),
    }
    for number in range(len(cases), count):
        cases[f"many/case_{number}"] = (100 + number, 1.0)
    base = {name: record(numbers, ns, 1.0) for name, (ns, _) in cases.items()}
    now = {name: record(numbers, ns, factor) for name, (ns, factor) in cases.items()}
    now["single_key/hit_macro"] |= targets(600, 700)
    now["batch/hit_macro/32"] |= targets(18000, 30000)
    now["single_key/miss_macro"] |= targets(1000, 2000)
    base["gone"] = record(numbers, 10, 1.0)
    now["fresh"] = record(numbers, 10, 1.0)
    world.own("base.json", base, started="2026-11-20T07:50:00Z", commit="aaaa1111", **COMMON)
    world.own("now.json", now, started="2026-11-21T07:50:00Z", commit="bbbb2222",
              skipped={"remote": "redis is not here <really>"}, **COMMON)
    lines = []
    for run in range(40):
        level = 1.0 if run < 20 else 1.2
        means = {name: {"mean_ns": ns * level * numbers.lognormvariate(0, 0.005)}
                 for name, (ns, _) in cases.items()}
        more = {"tag": f"v0.{run // 15}.0"} if run % 15 == 5 else {}
        lines.append(json.dumps(COMMON | {"commit": f"{run:08x}", "benchmarks": means} | more))
    world.write("history.jsonl", "\n".join(lines) + "\n")
    return len(cases) + 3
