"""Makes a C array of each file: embed.py OUTPUT FILE... ; page.css becomes page_css."""

import pathlib
import sys

with open(sys.argv[1], "w", encoding="ascii") as out:
    for name in sys.argv[2:]:
        data = pathlib.Path(name).read_bytes() + b"\0"
        symbol = pathlib.Path(name).name.replace(".", "_")
        numbers = ", ".join(map(str, data))
        out.write(f"static const char {symbol}[] = {{{numbers}}};\n")
