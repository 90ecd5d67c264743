#!/usr/bin/env python3
"""Shows that accel-gate's `ab` neither cries wolf nor sleeps, by two series of runs:

  self      the tree against itself, all local benches: nothing may differ
  injected  hits that do their work twice on 17 of 64 calls, which takes 25 % longer: must fail

usage: tools/gate_series.py [--runs N] [--minutes M] [--output FILE] [--only SERIES] [--report]

One JSON line per run goes to FILE (build/gate-series.jsonl), and what is there already counts: a
series that was broken off goes on where it was. --report runs nothing. Ends with 1 unless of 20
runs of `self` none failed, one at most warned and two at most were unclear, and of 20 of `injected`
19 failed; other numbers of runs are scaled.
"""

import argparse
import collections
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
GATE = ROOT / "build/tools/accel-gate"
SETTINGS = ["--rounds=10", "--rounds-max=20", "--slice=100ms", "--warm-up=40ms"]
SETTINGS += ["--time-budget=80s", "--no-annotations", "--color=never"]
BEFORE = '#include "cache.h"\n'
MORE_WORK = """
ACCEL_INLINE accel_status accel_cache_get_more(accel_cache *cache_, const accel_type *type_,
                                               const void *key_, void *out_)
{
  static unsigned turn_;
  const uint64_t turns_ = 0x1111111111111115u; /* 17 of 64: the loop costs too */
  if (turns_ >> (turn_++ & 63) & 1)
    bench_keep((uint64_t)accel_cache_get(cache_, type_, key_, out_));
  return accel_cache_get(cache_, type_, key_, out_);
}
#define accel_cache_get accel_cache_get_more
"""


def injected_tree(folder):
    tree = folder / "tree"
    tree.mkdir()
    shutil.copy(ROOT / "accel.h", tree)
    for name in ("accel", "accel_backends", "bench"):
        shutil.copytree(ROOT / name, tree / name)
    path = tree / "accel/define.h"
    text = path.read_text(encoding="utf-8")
    if text.count(BEFORE) != 1:
        sys.exit("accel/define.h is not what this program changes")
    path.write_text(text.replace(BEFORE, BEFORE + MORE_WORK), encoding="utf-8")
    return tree


def run(series, folder):
    report = folder / "report.json"
    command = [GATE, "ab", *SETTINGS, f"--json={report}"]
    if series == "self":
        command += ["--self", f"--tree={ROOT}"]
    else:
        command += [f"--base-dir={ROOT}", f"--tree={folder / 'tree'}"]
        command += ["--only=single_key/hit_manual"]
    start = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if not report.exists():
        sys.exit(f"accel-gate gave no report:\n{done.stdout}{done.stderr}")
    content = json.loads(report.read_text(encoding="utf-8"))
    report.unlink()
    verdicts = collections.Counter(row["verdict"] for row in content["rows"])
    medians = [row for row in content["rows"] if row["metric"] == "median"]
    return {
        "series": series,
        "exit": done.returncode,
        "seconds": round(time.monotonic() - start, 1),
        "verdicts": dict(sorted(verdicts.items())),
        "worse": {row["id"]: round(row["worse"], 4) for row in medians},
        "noise": {row["id"]: round(row["noise"], 4) for row in medians},
    }


def has(line, *verdicts):
    return any(line["verdicts"].get(verdict) for verdict in verdicts)


def summarise(lines):
    """Whether both series are what they should be."""
    kept = True
    own = [line for line in lines if line["series"] == "self"]
    injected = [line for line in lines if line["series"] == "injected"]
    if own:
        failed = sum(has(line, "FAIL") for line in own)
        warned = sum(has(line, "WARN") for line in own)
        unclear = sum(has(line, "NOISY", "INCONCLUSIVE") for line in own)
        seconds = max(line["seconds"] for line in own)
        print(f"self: {len(own)} runs, {failed} failed, {warned} warned, {unclear} unclear, "
              f"{seconds:.0f} s at most")  # fmt: skip
        kept = failed == 0 and warned * 20 <= len(own) and unclear * 10 <= len(own)
    if injected:
        caught = sum(has(line, "FAIL") for line in injected)
        print(f"injected: {len(injected)} runs, {caught} caught")
        kept = kept and caught * 20 >= 19 * len(injected)
    return kept and bool(own or injected)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=0, help="stop behind so many; 0: never")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build/gate-series.jsonl")
    parser.add_argument("--only", choices=["self", "injected"])
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    lines = []
    if options.output.exists():
        text = options.output.read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
    end = time.monotonic() + options.minutes * 60 if options.minutes else float("inf")
    with tempfile.TemporaryDirectory(prefix="accel-gate-series-") as name:
        folder = pathlib.Path(name)
        injected_tree(folder)
        while not options.report and time.monotonic() < end:
            wanted = [options.only] if options.only else ["self", "injected"]
            counts = {each: sum(line["series"] == each for line in lines) for each in wanted}
            series = min(counts, key=counts.get)
            if counts[series] >= options.runs:
                break
            lines.append(run(series, folder))
            with open(options.output, "a", encoding="utf-8") as file:
                file.write(json.dumps(lines[-1]) + "\n")
            print(json.dumps(lines[-1]), flush=True)
    sys.exit(0 if summarise(lines) else 1)


main()
