#!/usr/bin/env python3
"""A bench that only says what it is told to: answers the commands of `accel-gate ab` at once.

$FAKE_BENCH holds JSON: "benches" is id -> {"ns": median, "noise": ratio, ...}, by side. The side is
told by the program's name: a link to this file that ends in `base` or `now`. A log of commands goes
to $FAKE_BENCH_LOG. "from" of a bench holds what changes from the n-th process of a side on (the
first one is only asked what there is); "seconds" is what each answer takes.
"""

import json
import math
import os
import random
import sys
import time

side = "base" if sys.argv[0].endswith("base") else "now"
plan = json.loads(os.environ["FAKE_BENCH"])
benches = {name: plan["benches"][name].get(side) for name in plan["benches"]}
benches = {name: bench for name, bench in benches.items() if bench is not None}
if "FAKE_BENCH_LOG" in os.environ:
    with open(os.environ["FAKE_BENCH_LOG"], "a+", encoding="utf-8") as file:
        file.write(f"{side} start\n")
        file.seek(0)
        number = file.read().count(f"{side} start\n")
    for bench in benches.values():
        for first, changed in sorted(bench.pop("from", {}).items(), key=lambda each: int(each[0])):
            bench.update(changed if number >= int(first) else {})
chance = random.Random(f"{os.getpid()} {time.time_ns()}")
# A process is lucky or not as a whole; its samples differ little.
luck = {
    name: math.exp(chance.gauss(0, bench.get("noise", 0.002))) for name, bench in benches.items()
}


def answer(**what):
    print(json.dumps(what), flush=True)


def log(line):
    if "FAKE_BENCH_LOG" in os.environ:
        with open(os.environ["FAKE_BENCH_LOG"], "a", encoding="utf-8") as file:
            file.write(f"{side} {line}\n")


def run(name, iterations, samples):
    bench = benches[name]
    if "error" in bench:
        answer(error=bench["error"])
        return
    if "hang" in bench:
        time.sleep(1000)
    time.sleep(bench.get("seconds", 0))
    if "end" in bench:
        sys.exit(1)
    typical = bench["ns"] * luck[name] * iterations
    times = [typical * (1 + 0.001 * i / samples) for i in range(samples)]
    answer(
        id=name, iters=iterations, times=times, allocs=bench.get("allocs", 0),
        peak_bytes=bench.get("peak_bytes", 1000), p95_op=bench.get("p95_op"),
    )  # fmt: skip


answer(accel_bench=1, executable="fake", seed=42, build=plan.get("build", {"type": "release"}))
for line in sys.stdin:
    log(line.strip())
    words = line.split()
    if words[0] == "quit":
        break
    if words[0] == "list":
        shown = [
            {"id": name, "full_id": name, "bench_hash": bench.get("hash", "1")}
            for name, bench in benches.items()
        ]
        answer(benches=shown, skipped=plan.get("skipped", []))
    elif words[0] == "calibrate":
        log(f"processors {sorted(os.sched_getaffinity(0))}")
        answer(id=words[2], iters=1000, ns=1000 * benches[words[2]].get("ns", 1))
    elif words[0] in ("run", "turn"):
        run(words[3], int(words[1]), int(words[2]))
