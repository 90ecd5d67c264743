#!/usr/bin/env python3
"""Adds up test logs of meson: a line per suite, what failed, what was skipped and why.

usage: tools/summary.py [TITLE=]LOG.json... [TITLE=skipped: REASON...]

Counts test cases where a program tells them apart (cmocka's output), else programs. The last line
is `N passed, N failed, N skipped`. A log that is missing or empty counts as one failure.
"""

import collections
import json
import pathlib
import re
import sys

CASE = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] (\S+?)(?::.*)?$", re.M)
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
RESULTS = {"OK": PASSED, "EXPECTEDFAIL": PASSED, "SKIP": SKIPPED}
KINDS = {"OK": PASSED, "FAILED": FAILED, "SKIPPED": SKIPPED}


def cases(test):
    """Yields (case or None, result) of one test program."""
    output = test.get("stdout", "") + "\n" + test.get("stderr", "")
    result = RESULTS.get(test["result"], FAILED)
    found = {}
    for kind, case in CASE.findall(output):
        if found.get(case) != FAILED:
            found[case] = KINDS[kind]
    if result == SKIPPED or not found:
        return [(None, result)]
    if result == FAILED and FAILED not in found.values():
        found[f"({test['result'].lower()})"] = FAILED
    return list(found.items())


def reason(test):
    """The last line that a skipped program printed."""
    text = (test.get("stdout", "") + test.get("stderr", "")).strip()
    return text.splitlines()[-1] if text else ""


def main():
    total = collections.Counter()
    remarks = []
    for argument in sys.argv[1:]:
        title, _, log = argument.partition("=") if "=" in argument else ("", "", argument)
        if log.startswith("skipped: "):
            total[SKIPPED] += 1
            remarks.append(f"skipped: {title}: {log.removeprefix('skipped: ')}")
            continue
        path = pathlib.Path(log)
        if not path.is_file() or path.stat().st_size == 0:
            total[FAILED] += 1
            remarks.append(f"failed: {title or log}: did not run")
            continue
        suites = collections.defaultdict(collections.Counter)
        seconds = collections.Counter()
        for line in path.read_text(encoding="utf-8").splitlines():
            test = json.loads(line)
            suite, _, name = test["name"].partition(" / ")  # accel:unit / unit_test_ttl
            suite = suite.rpartition(":")[2]
            seconds[suite] += test["duration"]
            for case, result in cases(test):
                suites[suite][result] += 1
                if result != PASSED:
                    what = " ".join(filter(None, (result + ":", title, name, case)))
                    why = reason(test) if case is None and result == SKIPPED else ""
                    remarks.append(f"{what}: {why}" if why else what)
        for suite, counts in sorted(suites.items()):
            total += counts
            numbers = "".join(f"{counts[kind]:5} {kind}" for kind in (PASSED, FAILED, SKIPPED))
            print(f"{title:12} {suite:14}{numbers}{seconds[suite]:8.1f} s")
    for remark in remarks:
        print(remark)
    print(", ".join(f"{total[kind]} {kind}" for kind in (PASSED, FAILED, SKIPPED)))
    sys.exit(1 if total[FAILED] else 0)


main()
