"""Tests do not depend on the machine's speed, as far as their text tells.

- A span of time has no upper bound below ten seconds, unless how late the machine is counts too
  (tests/support/lateness.h): what an idle machine does in a moment a busy one does in a while.
- What must happen is waited for, with a limit of ten seconds at least, which costs nothing where it
  happens at once. Limits that are names are not looked into.

A line that has to break this says why in a comment with the word "clock".
"""

import re

import sources

LEAST_MS = 10000
# What the tests call the time that something took.
NAMES = "took|waited|worst|slowest|longest|latest|back|return|live|down|serving|stale|overrun"
SPAN = rf"[\w.>-]*(?:(?:{NAMES}|elapsed|mean)_[mun]s|ms_since\(\w+\)|\w+_[mn]s\(\) - \w+)"
BOUND = re.compile(rf"assert_true\(.*?({SPAN}) <=? ([\d.+* ]+)\)")
RANGE = re.compile(rf"assert_in_range\(({SPAN}|ping_ms\(\w+\)), [^,]+, ([\d.+* ]+)\)")
WAIT = re.compile(r"uint64_t (?:until|deadline)_ms = accel_clock_deadline\((\d{3,})\)")
SHORT = re.compile(r"wait < (\d+) [^;]*;[^;]*\) (?:usleep|sleep_ms)\((\d+)\)")


def in_ms(span, number):
    unit = re.findall(r"[mun]s(?=_since|\(|$)", span)
    return number / {"n": 1e6, "u": 1e3, "m": 1}[unit[0][0] if unit else "m"]


def value(text):
    """What a constant of numbers, + and * comes to; None: it is something else."""
    if not re.fullmatch(r"\d+(?:\.\d+)?(?: [+*] \d+(?:\.\d+)?)*", text):
        return None
    products = (part.split(" * ") for part in text.split(" + "))
    total = 0.0
    for factors in products:
        product = 1.0
        for factor in factors:
            product *= float(factor)
        total += product
    return total


def check(path, number, line):
    for match in (*BOUND.finditer(line), *RANGE.finditer(line)):
        bound = value(match[2].strip())
        if bound is not None and in_ms(match[1], bound) < LEAST_MS:
            what = f"{match[1]} < {match[2]}: count work, or allow for lateness"
            sources.report(path, number, what)
    for match in WAIT.finditer(line):
        if int(match[1]) < LEAST_MS:
            sources.report(path, number, f"waits for {match[1]} ms only")
    for match in SHORT.finditer(line):
        if int(match[1]) * int(match[2]) / 1000 < LEAST_MS:
            sources.report(path, number, "waits for too short a time")


tests = sources.files(("tests",), ".c") + sources.files(("tests",), ".h")
for file in tests:
    for line_number, text in sources.lines(file):
        if "clock" not in text.partition("/*")[2]:
            check(file, line_number, text)
sources.finish(f"{len(tests)} files")
