"""Lets tests that include the library as copied files meet the one-file header instead.

usage: forward.py ROOT FOLDER TEST.c...

Writes, for each header that users see, one of the same name that includes accel_one.h, into FOLDER.
Prints those of the tests that include no other file of the library.
"""

import pathlib
import sys

import sources

folder = pathlib.Path(sys.argv[2])
visible = {sources.name(path) for path in sources.user_headers()}
for name in visible:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('#include "accel_one.h"\n', encoding="utf-8")

SUPPORT = pathlib.Path(__file__).resolve().parents[1] / "support"


def wanted(path, seen):
    """What the file includes of the library, by itself or by other headers of tests."""
    found = set()
    for _, is_own, what in sources.includes(path):
        if is_own and what.startswith("accel"):
            found.add(what)
        for header in (path.parent / what, SUPPORT / what) if is_own else ():
            if header.is_file() and header not in seen:
                seen.add(header)
                found |= wanted(header, seen)
    return found


for test in map(pathlib.Path, sys.argv[3:]):
    if wanted(test, set()) <= visible:
        print(test.stem)
