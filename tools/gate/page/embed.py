"""Makes a C array of a file: embed.py OUTPUT FILE; page.css becomes page_css."""

import pathlib
import sys

output, name = map(pathlib.Path, sys.argv[1:])
numbers = ", ".join(map(str, name.read_bytes() + b"\0"))
symbol = name.name.replace(".", "_")
output.write_text(f"static const char {symbol}[] = {{{numbers}}};\n", encoding="ascii")
