#!/usr/bin/env python3
"""Merges several runs of a bench program into one tree of results: medians over the runs.

usage: tools/merge_runs.py CRITERION_DIR NAME RUN_DIR...
       tools/merge_runs.py --forget CRITERION_DIR NAME

Every estimate is the median of the runs' estimates, so that a single bad run does not decide. The
samples are put one after the other. What the program's last run left in CRITERION_DIR and this one
has not measured is removed; --forget removes all of it. Status: 1 if a file is missing or broken.
"""

import json
import os
import pathlib
import shutil
import statistics
import sys

FILES = ("tukey.json", "sample.json", "estimates.json", "benchmark.json")
SAMPLES_KEPT = 500


def fail(text):
    print(f"error: {text}", file=sys.stderr)
    sys.exit(1)


def read(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}")
    except ValueError as error:
        fail(f"{path}: {error}")


def write(path, value, indent=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    separators = None if indent else (",", ":")
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False)
    temporary.write_text(text + ("\n" if indent else ""), encoding="utf-8")
    temporary.replace(path)


def median_of(values):
    """The median of numbers; of objects, key by key; of anything else, what all agree on."""
    first = values[0]
    if isinstance(first, dict):
        return {key: median_of([value[key] for value in values]) for key in first}
    if isinstance(first, (int, float)) and not isinstance(first, bool):
        middle = statistics.median(values)
        return int(middle) if isinstance(first, int) and middle == int(middle) else middle
    return first


def fences(numbers):
    ordered = sorted(numbers)

    def percentile(percent):
        rank = percent / 100 * (len(ordered) - 1)
        low = int(rank)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)

    first, third = percentile(25), percentile(75)
    spread = third - first
    return [first - 3 * spread, first - 1.5 * spread, third + 1.5 * spread, third + 3 * spread]


def merge_tree(to, folders):
    """The criterion files of one id."""
    estimates = [read(folder / "estimates.json") for folder in folders]
    samples = [read(folder / "sample.json") for folder in folders]
    is_flat = any(value["slope"] is None for value in estimates)
    for value in estimates:
        if is_flat:
            value["slope"] = None
    merged = {
        "sampling_mode": "Flat" if is_flat else "Linear",
        "iters": [number for sample in samples for number in sample["iters"]],
        "times": [number for sample in samples for number in sample["times"]],
    }
    each = [time / count for time, count in zip(merged["times"], merged["iters"])]
    write(to / "tukey.json", fences(each))
    write(to / "sample.json", merged)
    write(to / "estimates.json", median_of(estimates))
    write(to / "benchmark.json", read(folders[0] / "benchmark.json"))


def merge_record(records):
    """The entry of one id in the program's own file."""
    lists = {}
    for key in ("rounds", "samples"):
        lists[key] = [n for record in records for n in record["metrics"]["time"].pop(key)]
    merged = median_of(records)
    time = merged["metrics"]["time"]
    time["n"] = sum(record["metrics"]["time"]["n"] for record in records)
    time["rounds"] = lists["rounds"]
    step = -(-len(lists["samples"]) // SAMPLES_KEPT)
    time["samples"] = lists["samples"][:: max(step, 1)]
    return merged


def forget(criterion, name, kept=()):
    path = criterion / f"accel-run-{name}.json"
    if not path.is_file():
        return
    for key in read(path).get("benchmarks", {}):
        if key not in kept:
            shutil.rmtree(criterion / key / "new", ignore_errors=True)
    path.unlink()


def main(arguments):
    if len(arguments) == 3 and arguments[0] == "--forget":
        forget(pathlib.Path(arguments[1]), arguments[2])
        return
    if len(arguments) < 3 or arguments[0].startswith("-"):
        print(__doc__.strip(), file=sys.stderr)
        sys.exit(2)
    criterion, name = pathlib.Path(arguments[0]), arguments[1]
    folders = [pathlib.Path(each) for each in arguments[2:]]
    own = [read(folder / f"accel-run-{name}.json") for folder in folders]
    ids = list(own[0]["benchmarks"])
    for folder, one in zip(folders, own):
        if list(one["benchmarks"]) != ids:
            fail(f"{folder} has measured other benches than {folders[0]}")
    forget(criterion, name, kept=ids)
    for key in ids:
        merge_tree(criterion / key / "new", [folder / key / "new" for folder in folders])
    run = dict(own[0])
    run["runs"] = len(own)
    run["benchmarks"] = {key: merge_record([one["benchmarks"][key] for one in own]) for key in ids}
    write(criterion / f"accel-run-{name}.json", run, indent=2)
    print(f"merged runs: {len(own)}, benches: {len(ids)}, into {criterion}")


main(sys.argv[1:])
