#!/usr/bin/env python3
"""Instructions per operation of the L1 engine, counted by callgrind, which is exact.

Builds bench/instructions.c with -O2 and no -march, runs each kind of operation twice with different
counts under valgrind, and divides the difference: what happens once cancels. What the loop itself
takes is counted the same way and subtracted. The cache's seed is random, so two runs differ by a
fraction of an instruction per operation.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
KINDS = {
    "hit": "hit, default configuration",
    "hit_forever": "hit, entries without expiry",
    "hit_observed": "hit, with an observer",
    "hit_watched": "hit, hot keys watched",
    "miss": "miss",
    "miss_watched": "miss, hot keys watched",
    "load_hit": "hit of get_or_load",
    "wrapper_hit": "hit of a wrapper",
    "load": "get_or_load of an absent key, at capacity",
    "update": "set of a present key",
    "insert": "set of a new key at capacity",
    "set_and_del": "set of a new key, and its del",
}
COUNTS = (3000, 33000)


def build(compiler, folder):
    program = folder / f"instructions-{pathlib.Path(compiler).name}"
    command = [compiler, "-std=gnu11", "-O2", "-pthread", f"-I{HERE.parent}"]
    subprocess.run([*command, HERE / "instructions.c", "-o", program], check=True)
    return program


def count(program, folder, kind, operations):
    """The instructions inside instructions_measure."""
    command = [
        "valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind.out",
        "--toggle-collect=instructions_measure", "--collect-atstart=no", program, kind,
        str(operations),
    ]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    collected = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not collected or int(collected[1]) == 0:
        sys.exit(f"{kind}: nothing was counted:\n{run.stderr}")
    return int(collected[1])


def per_operation(program, folder, kind):
    few, many = (count(program, folder, kind, operations) for operations in COUNTS)
    return (many - few) / (COUNTS[1] - COUNTS[0])


def limit(text):
    kind, _, most = text.partition("=")
    if kind not in KINDS:
        raise argparse.ArgumentTypeError(f"there is no kind {kind}: {' '.join(KINDS)}")
    return kind, float(most)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cc", action="append", help="a compiler; may be repeated; gcc")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this; may be repeated")
    parser.add_argument(
        "--limit", action="append", type=limit, default=[], metavar="KIND=N",
        help="fail if an operation takes more instructions than N; may be repeated",
    )  # fmt: skip
    arguments = parser.parse_args()
    if not shutil.which("valgrind"):
        print("valgrind is not installed: nothing can be counted here")
        sys.exit(77)
    limits, is_right = dict(arguments.limit), True
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for compiler in arguments.cc or ["gcc"]:
            if not shutil.which(compiler):
                print(f"{compiler} is not installed: left out")
                continue
            program = build(compiler, folder)
            loop = per_operation(program, folder, "loop")
            for kind in arguments.kind or KINDS:
                taken = per_operation(program, folder, kind) - loop
                is_over = taken > limits.get(kind, float("inf"))
                note = f"  more than {limits[kind]:g}" if is_over else ""
                what = f"{compiler:<8} {KINDS[kind]:<30} {taken:8.1f}"
                print(f"{what} instructions{note}", flush=True)
                is_right = is_right and not is_over
    sys.exit(0 if is_right else 1)


main()
