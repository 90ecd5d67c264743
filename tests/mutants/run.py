"""Mutants: patches that break a promise, each of which must turn a named test red.

usage: run.py ROOT [PATCH NAME...]

A patch opens with two lines that patch(1) skips: why it is wrong, and which test must notice,

    Breaks: a fill takes place although its gate has moved
    Caught by: contract_local_flat fill_after_set_is_refused

the meson test, and where it is given the case of it that must be among the failing ones. Each is
applied, built and taken back in one of a few copies of the project, where only the library and the
one test are built. A mutant that does not apply, does not build or stays green fails, and so does a
test that is red without it.
"""

import concurrent.futures
import contextlib
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(sys.argv[1]).resolve()
HERE = pathlib.Path(__file__).resolve().parent
COPIED = ("accel", "accel_backends", "bench", "tests", "tools")
CASE_SECONDS = 60
ATTEMPTS = 10  # some are noticed by what happens at the same time, which a busy machine may prevent
COPIES = 2 * (os.cpu_count() or 1)  # as much is waited as is computed
# What a mutant keeps from happening is not waited for as long as a busy machine may take.
HURRIED = {**os.environ, "ACCEL_TEST_PATIENCE_MS": "5000"}
HEAD = re.compile(r"\ABreaks: (.+)\nCaught by: (\S+)(?: (\S+))?\n")


def run(command, folder, **options):
    return subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace", check=False, **options,
    )  # fmt: skip


def end(process):
    """Ends a test and what it has forked: a child that lives on holds the pipe of the output."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def run_test(folder, test, case=None, seconds=CASE_SECONDS, environment=None):
    """Returns (exit status or None for one that hangs, output); ends it once the case is red."""
    process = subprocess.Popen(
        [f"build/tests/{test}"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", env=environment, start_new_session=True,
    )  # fmt: skip
    watchdog = threading.Timer(seconds, end, [process])
    watchdog.start()
    lines = []
    for line in process.stdout:
        lines.append(line)
        if case and has_failed(line, case):
            end(process)
    hung = watchdog.finished.is_set()
    watchdog.cancel()
    return None if hung else process.wait(), "".join(lines)


def has_failed(output, case):
    return re.search(rf"\[  FAILED  \] {re.escape(case)}\b", output) is not None


def is_red(status, output, case):
    """Whether a run failed, and in the case asked for."""
    if status in (0, 77):
        return False
    if case is None or has_failed(output, case):
        return True
    started = re.findall(r"\[ RUN      \] (\S+)", output)
    return bool(started) and started[-1] == case  # it hung, or took the program down


def build(folder, tests):
    return run(["ninja", "-C", "build", *(f"tests/{test}" for test in sorted(tests))], folder)


def prepare(folder, tests):
    """Copies the project and builds the tests; returns what went wrong, if anything."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name)
    for name in ("accel.h", "meson.build", "meson_options.txt"):
        shutil.copy(ROOT / name, folder)
    options = ["-Dexamples=false", "-Dbuildtype=plain", "-Dc_args=-O0 -w"]
    for result in (run(["meson", "setup", "build", *options], folder), build(folder, tests)):
        if result.returncode != 0:
            return result.stdout
    with concurrent.futures.ThreadPoolExecutor(COPIES) as pool:
        answers = pool.map(lambda test: run_test(folder, test, seconds=600), sorted(tests))
    for test, (status, output) in zip(sorted(tests), answers):
        if status != 0:
            return f"{test} is red (exit status {status}) without a mutant:\n{output}"
    return ""


def try_mutant(folder, path, test, case):
    """Returns why the mutant was not caught, or an empty text."""
    patch = ["patch", "-p1", "--no-backup-if-mismatch", "-i", str(path)]
    applied = run([*patch, "--dry-run"], folder)
    if applied.returncode != 0:
        return f"does not apply, bring it up to date:\n{applied.stdout}"
    run(patch, folder)
    built = build(folder, [test])
    status, output = 0, ""
    for _ in range(ATTEMPTS if built.returncode == 0 else 0):
        status, output = run_test(folder, test, case, environment=HURRIED)
        if is_red(status, output, case):
            break
    restore(folder, path)
    if built.returncode != 0:
        return f"does not build:\n{built.stdout}"
    if is_red(status, output, case):
        return ""
    return f"is not noticed (exit status {status})\n{output}"


def restore(folder, path):
    """Brings back what a patch changed. Newer than what was built of it, so that it is built."""
    for name in re.findall(r"^--- a/(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE):
        shutil.copyfile(ROOT / name, folder / name)


def main():
    chosen = sys.argv[2:]
    mutants = []
    for path in sorted(HERE.glob("*.patch")):
        head = HEAD.match(path.read_text(encoding="utf-8"))
        if not head:
            sys.exit(f"{path.name}: does not open with the lines Breaks: and Caught by:")
        if not chosen or path.stem in chosen:
            mutants.append((path, *head.groups()))
    with tempfile.TemporaryDirectory() as name:
        free, first = queue.Queue(), pathlib.Path(name) / "0"
        trouble = prepare(first, {test for _, _, test, _ in mutants})
        if trouble:
            sys.exit(trouble)
        for number in range(1, min(COPIES, len(mutants))):
            free.put(shutil.copytree(first, pathlib.Path(name) / str(number)))
        free.put(first)

        def work(path, breaks, test, case):
            folder, start = free.get(), time.monotonic()
            trouble = try_mutant(folder, path, test, case)
            free.put(folder)
            verdict = trouble or f"caught by {test} {case or ''}".strip()
            seconds = time.monotonic() - start
            print(f"{seconds:5.1f} s  {path.stem} ({breaks}): {verdict}", flush=True)
            return trouble == ""

        with concurrent.futures.ThreadPoolExecutor(COPIES) as pool:
            failed = list(pool.map(work, *zip(*mutants))).count(False)
    print(f"{len(mutants)} mutants, {failed} not caught")
    sys.exit(1 if failed else 0)


main()
