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

for test in map(pathlib.Path, sys.argv[3:]):
    wanted = {what for _, is_own, what in sources.includes(test) if is_own}
    if all(what in visible for what in wanted if what.startswith("accel")):
        print(test.stem)
