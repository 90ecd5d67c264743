"""Lengths: files, functions, lines, and the budget of macro lines.

A function is what stands between a line "{" and a line "}", which the format guarantees, with the
lines of its signature.
"""

import sources

FILE_LINES = 500
FUNCTION_LINES = 60
LINE_COLUMNS = 100
MACRO_LINES = 200  # of define.h and wrap.h together


def signature_start(numbered, index):
    while index > 0:
        line = numbered[index - 1][1]
        if line == "" or line[0] in "#}" or line.endswith((";", "*/", "}")):
            break
        index -= 1
    return index


def check_functions(path, numbered):
    start = None
    for index, (number, line) in enumerate(numbered):
        if line == "{":
            start = signature_start(numbered, index)
        elif line == "}" and start is not None:
            length = index - start + 1
            if length > FUNCTION_LINES:
                what = f"a function of {length} lines; {FUNCTION_LINES} at most: name its steps"
                sources.report(path, numbered[start][0], what)
            start = None


def macro_lines(path):
    text = [line for _, line in sources.lines(path)]
    return sum(line.endswith("\\") or line.lstrip().startswith("#define") for line in text)


c_files = sources.c_files()
for file in c_files:
    content = sources.lines(file)
    if len(content) > FILE_LINES:
        sources.report(file, len(content), f"{FILE_LINES} lines at most; is it two modules?")
    check_functions(file, content)

for file in c_files + sources.files(sources.PROJECT, ".py", ".sh", ".build"):
    for line_number, text in sources.lines(file):
        if len(text) > LINE_COLUMNS:
            sources.report(file, line_number, f"{len(text)} columns; {LINE_COLUMNS} at most")

macro_files = [sources.ROOT / "accel" / each for each in ("define.h", "wrap.h")]
spent = sum(macro_lines(path) for path in macro_files)
if spent > MACRO_LINES:
    sources.report(macro_files[0], 1, f"{spent} macro lines with wrap.h; move logic into functions")
sources.finish(f"{len(c_files)} C files, {spent} of {MACRO_LINES} macro lines")
