"""What the checks share: the project's files, and how a finding is reported.

Every check is a program: `check.py [ROOT]`. It prints a line `file:line: what is wrong; what to
do` per finding and exits with 1 if there is one.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
if ROOT.is_file():
    ROOT = ROOT.parents[2]

LIBRARY = ("accel", "accel_backends")
PROJECT = LIBRARY + ("tests", "examples", "bench", "tools", "docs", ".ci")

_findings = 0


def files(folders, *suffixes):
    """All files with these suffixes in the folders and directly in the root, sorted."""
    # In a linked work tree, .git is a file of git's own.
    found = [path for path in ROOT.iterdir() if path.is_file() and path.name != ".git"]
    for folder in folders:
        found += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    return sorted(path for path in found if not suffixes or path.suffix in suffixes)


def c_files(folders=PROJECT):
    return files(folders, ".c", ".h")


def name(path):
    return path.relative_to(ROOT).as_posix()


def lines(path):
    """Numbered from 1."""
    if not path.is_file():
        report(path, 1, "does not exist")
        return []
    return list(enumerate(path.read_text(encoding="utf-8").splitlines(), 1))


INCLUDE = re.compile(r'\s*#\s*include\s+(["<])([^">]+)[">]')


def includes(path, with_implementation=True):
    """Yields (number, whether it is ours, what is included)."""
    conditions = []  # of the enclosing #if lines: whether ACCEL_IMPLEMENTATION is asked for
    for number, line in lines(path):
        if re.match(r"\s*#\s*if", line):
            conditions.append("ACCEL_IMPLEMENTATION" in line and "#ifndef" not in line)
        elif re.match(r"\s*#\s*endif", line):
            conditions.pop()
        match = INCLUDE.match(line)
        if match and (with_implementation or not any(conditions)):
            yield number, match[1] == '"', match[2]


def user_headers():
    """What a program can see without ACCEL_IMPLEMENTATION."""
    queue = [ROOT / "accel.h", *(ROOT / "accel_backends").glob("*.h")]
    seen = set()
    while queue:
        path = queue.pop()
        if path not in seen and path.is_file():
            seen.add(path)
            found = includes(path, with_implementation=False)
            queue += [(path.parent / what).resolve() for _, is_own, what in found if is_own]
    return sorted(seen)


def report(path, number, text):
    global _findings
    _findings += 1
    print(f"{name(path)}:{number}: {text}")


def finish(summary):
    """Ends the check."""
    print(f"{_findings} findings; {summary}")
    sys.exit(1 if _findings else 0)
