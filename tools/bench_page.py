#!/usr/bin/env python3
"""Makes the page of the committed baselines, docs/benchmarks/README.md.

usage: tools/bench_page.py [--check] [FOLDER]

The page is made from the *.json in FOLDER (docs/benchmarks) and nothing else, so the same baselines
make the same page. --check only tells whether the page is up to date; status 1 if it is not.
"""

import json
import pathlib
import sys

INTRODUCTION = """\
# Baselines

Made by `tools/bench_page.py` from the files beside it; do not edit it by hand. The figures are
those of one machine at one time. They say what is in proportion to what; on another machine they
decide nothing, and there `accel-gate ab` compares two builds. How they are made, accepted and
renewed is in the [playbook](../performance-engineering-playbook.md).
"""


def scaled(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}" if ns < 1000 * size else f"{ns / size:.0f} {unit}"
    return f"{ns:.3g} ns"


def count(value):
    return "" if value is None else f"{value:.10g}"


def interval(time):
    if "lo" not in time or "hi" not in time:
        return ""
    return f"{scaled(time['lo'])} to {scaled(time['hi'])}"


def percentile(time):
    if "p95" not in time:
        return ""
    kind = time.get("percentiles", "batch")
    return f"{scaled(time['p95'])} ({kind})"


def row(key, bench):
    metrics = bench.get("metrics", {})
    time = metrics.get("time", {})
    cells = [
        f"`{bench.get('full_id', key)}`",
        scaled(bench["median_ns"]),
        scaled(bench["mean_ns"]),
        interval(time),
        percentile(time),
        count(metrics.get("allocs", {}).get("value")),
        count(metrics.get("peak_bytes", {}).get("value")),
    ]
    return f"| {' | '.join(cells)} |"


def bounds(bench):
    """What is aimed at and what is accepted, in either of the two ways to write it down."""
    target = bench.get("targets", {}).get("time", {})
    return target.get("target"), target.get("acceptable")


def verdict(median, target, acceptable):
    if median <= target:
        return "on target"
    return "acceptable" if median <= acceptable else "missed"


def targets(benches):
    lines = []
    for key, bench in sorted(benches.items()):
        target, acceptable = bounds(bench)
        if not target:
            continue
        median = bench["median_ns"]
        cells = [f"`{bench.get('full_id', key)}`", scaled(target), scaled(acceptable),
                 scaled(median), verdict(median, target, acceptable)]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    if not lines:
        return []
    head = ["", "| bench | target | acceptable | median | |", "| --- | --- | --- | --- | --- |"]
    return [*head, *lines]


def origin(value):
    machine, build = value.get("machine", {}), value.get("build", {})
    words = [machine.get("cpu"), f"{machine['cores']} cores" if "cores" in machine else None,
             machine.get("kernel"), build.get("compiler"), build.get("flags"),
             f"accel {build['accel']}" if build.get("accel") else None]  # fmt: skip
    lines = [f"Measured {value['started']}" if value.get("started") else "Measured",
             ", ".join(word for word in words if word)]  # fmt: skip
    if value.get("reason"):
        lines.append(f"Accepted because: {value['reason']}")
    return "; ".join(line for line in lines if line) + "."


def section(path):
    value = json.loads(path.read_text(encoding="utf-8"))
    if "rates" in value:
        return []  # answers under overload, which docs/overload.md draws
    benches = value["benchmarks"]
    lines = [
        "", f"## {path.stem}", "", origin(value), "",
        "| bench | median | mean | 95 % of the mean | p95 | allocations | peak bytes |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(row(key, bench) for key, bench in sorted(benches.items())),
        *targets(benches),
    ]  # fmt: skip
    skipped = value.get("skipped", {})
    if skipped:
        reasons = sorted(set(skipped.values()))
        lines += ["", f"Not measured: {len(skipped)} benches ({'; '.join(reasons)})."]
    return lines


def main(arguments):
    is_check = "--check" in arguments
    operands = [each for each in arguments if each != "--check"]
    if len(operands) > 1 or any(each.startswith("-") for each in operands):
        print(__doc__.strip(), file=sys.stderr)
        sys.exit(2)
    root = pathlib.Path(__file__).resolve().parent.parent
    folder = pathlib.Path(operands[0]) if operands else root / "docs" / "benchmarks"
    lines = [line for path in sorted(folder.glob("*.json")) for line in section(path)]
    page = INTRODUCTION + "\n".join(lines) + "\n"
    to = folder / "README.md"
    if not is_check:
        to.write_text(page, encoding="utf-8")
    elif not to.is_file() or to.read_text(encoding="utf-8") != page:
        print(f"{to} is not what its baselines make; run tools/bench_page.py")
        sys.exit(1)


main(sys.argv[1:])
