#!/usr/bin/env python3
"""Shows that accel-gate's `ab` neither cries wolf nor sleeps, by two series of runs:

  self      the tree against itself, all local benches: nothing may differ
  injected  hits that do their work twice on 20 of 64 calls, which makes them a quarter slower
            where the processor is fast, a third where it is not: must fail

usage: tools/gate_series.py [--runs N] [--minutes M] [--output FILE] [--only SERIES] [--report]
                            [--document FILE]

One JSON line per run goes to FILE (build/gate-series.jsonl), and what is there already of the same
commit and machine counts: a series that was broken off goes on where it was. --report runs nothing.
--document writes the figures into a document, between the two comments that say so. Ends with 1
unless of 20 runs of `self` none failed, one at most warned and two at most were unclear, and of 20
of `injected` 19 failed; other numbers of runs are scaled.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
GATE = ROOT / "build/tools/accel-gate"
SETTINGS = ["--rounds=10", "--rounds-max=20", "--slice=100ms", "--warm-up=40ms"]
SETTINGS += ["--time-budget=80s"]
BEFORE = '#include "cache.h"\n'
MORE_WORK = """
ACCEL_INLINE accel_status accel_cache_get_more(accel_cache *cache_, const accel_type *type_,
                                               const void *key_, void *out_)
{
  static unsigned turn_;
  const uint64_t turns_ = 0x1249124912491249u; /* 20 of 64: the loop costs too */
  if (turns_ >> (turn_++ & 63) & 1)
    bench_keep((uint64_t)accel_cache_get(cache_, type_, key_, out_));
  return accel_cache_get(cache_, type_, key_, out_);
}
#define accel_cache_get accel_cache_get_more
"""


START, END = "<!-- written by tools/gate_series.py -->", "<!-- end of what it wrote -->"


def answer_of(*command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def place():
    """Runs of another commit, of changed sources or of another machine are no part of a series."""
    sources = ["accel.h", "accel", "accel_backends", "bench", "tools/gate", "tools/gate_series.py"]
    # The last one that changed what is run: documents may be written meanwhile.
    commit = answer_of("git", "log", "-1", "--format=%h", "--abbrev=12", "--", *sources)
    if answer_of("git", "status", "--porcelain", "--", *sources):
        commit += ", changed"
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    name = re.search(r"(?m)^model name\s*: (.*)$", text)
    return {
        "commit": commit or "no commit",
        "machine": f"{name[1] if name else 'unknown'}, {os.cpu_count()} processors",
    }


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


def run(series, folder, here):
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
    return here | {
        "series": series,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "load": round(os.getloadavg()[0], 1),
        "exit": done.returncode,
        "seconds": round(time.monotonic() - start, 1),
        "verdicts": dict(sorted(verdicts.items())),
        "worse": {row["id"]: round(row["worse"], 4) for row in medians},
        "noise": {row["id"]: round(row["noise"], 4) for row in medians},
    }


def has(line, *verdicts):
    return any(line["verdicts"].get(verdict) for verdict in verdicts)


def summarise(lines, runs):
    """The figures as lines of text, and whether both series are what they should be."""
    texts, kept = [], True
    own = [line for line in lines if line["series"] == "self"]
    injected = [line for line in lines if line["series"] == "injected"]
    if own:
        failed = sum(has(line, "FAIL") for line in own)
        warned = sum(has(line, "WARN") for line in own)
        noisy = sum(has(line, "NOISY") for line in own)
        unclear = sum(has(line, "NOISY", "INCONCLUSIVE") for line in own)
        kept = failed == 0 and warned * 20 <= len(own) and unclear * 10 <= len(own)
        texts.append(f"self: {len(own)} of {runs} runs: {failed} with FAIL, {warned} with WARN, "
                     f"{noisy} with NOISY, {unclear} with NOISY or INCONCLUSIVE")  # fmt: skip
    if injected:
        caught = sum(has(line, "FAIL") for line in injected)
        kept = kept and caught * 20 >= 19 * len(injected)
        texts.append(f"injected: {len(injected)} of {runs} runs: {caught} caught")
    for name, part in (("self", own), ("injected", injected)):
        if not part:
            continue
        seconds = sorted(line["seconds"] for line in part)
        effects = [ratio for line in part for ratio in line["worse"].values()]
        texts.append(f"{name}: {seconds[len(seconds) // 2]:.0f} s in the middle, "
                     f"{seconds[-1]:.0f} s at most; load {min(line['load'] for line in part)} to "
                     f"{max(line['load'] for line in part)}; medians worse by "
                     f"{min(effects):+.1%} to {max(effects):+.1%}")  # fmt: skip
    return texts, kept and bool(own or injected)


def document(path, texts, here):
    """Replaces what stands between the comments."""
    old = path.read_text(encoding="utf-8")
    if old.count(START) != 1 or old.count(END) != 1:
        sys.exit(f"{path} has no place for the figures: {START} and {END}")
    paragraph = f"Commit {here['commit']}; {here['machine']}; `tools/soak.sh gate`:"
    block = "\n".join([START, paragraph, "", "```", *texts, "```", END])
    new = re.sub(re.escape(START) + ".*" + re.escape(END), lambda _: block, old, flags=re.S)
    path.write_text(new, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=0, help="stop behind so many; 0: never")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build/gate-series.jsonl")
    parser.add_argument("--only", choices=["self", "injected"])
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--document", type=pathlib.Path)
    options = parser.parse_args()
    here = place()
    lines = []
    if options.output.exists():
        text = options.output.read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
        count = len(lines)
        lines = [line for line in lines if line | here == line]
        if len(lines) < count:
            print(f"{count - len(lines)} runs of other commits or machines are left out")
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
            lines.append(run(series, folder, here))
            with open(options.output, "a", encoding="utf-8") as file:
                file.write(json.dumps(lines[-1]) + "\n")
            print(json.dumps(lines[-1]), flush=True)
    texts, is_kept = summarise(lines, options.runs)
    print("\n".join(texts))
    if options.document:
        document(options.document, texts, here)
    sys.exit(0 if is_kept else 1)


main()
