"""Documents say what is: code blocks equal their files, links lead somewhere, versions agree.

A code block is bound to a file, whole or to what stands between two lines of it, by a comment
right before it:

    <!-- file: examples/01_quickstart.c -->
    <!-- file: examples/01_quickstart.c from: int main to: ^} -->

`from` is found in the first line, `to` (a regular expression) in the last.

The heading that a link names exists, and what stands in backticks as `path/of/a.file` or
`function()`.
"""

import itertools
import re

import sources

BOUND = re.compile(r"<!-- file: (\S+?)(?: from: (.+?) to: (.+?))? -->\s*$")
PATH = re.compile(r"`((?:accel|accel_backends|bench|docs|examples|tests|tools)/[\w./-]+)`")
FUNCTION = re.compile(r"`([a-z]\w+)\(\)`")
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")


def excerpt(text, first, last):
    """The lines of `text` from one that holds `first` to one that matches `last`."""
    all_lines = text.splitlines()
    if first is None:
        return all_lines
    start = next((i for i, line in enumerate(all_lines) if first in line), None)
    if start is None:
        return None
    end = next((i for i in range(start, len(all_lines)) if re.search(last, all_lines[i])), None)
    return None if end is None else all_lines[start : end + 1]


def check_block(path, number, following, match):
    source = sources.ROOT / match[1]
    if not source.is_file():
        sources.report(path, number, f"{match[1]} does not exist")
        return
    wanted = excerpt(source.read_text(encoding="utf-8"), match[2], match[3])
    if wanted is None:
        sources.report(path, number, f"{match[1]} has no such lines")
        return
    if not following or not following[0].startswith("```") or "```" not in following[1:]:
        sources.report(path, number, "no code block follows this comment")
        return
    block = following[1 : following.index("```", 1)]
    for offset, (have, want) in enumerate(itertools.zip_longest(block, wanted)):
        if have != want:
            text = f"{have!r} should be {want!r}; copy the lines of {match[1]}"
            sources.report(path, number + offset + 2, text)
            return


def check_names(path, number, line, code):
    for name in PATH.findall(line):
        if not (sources.ROOT / name).exists():
            sources.report(path, number, f"{name} does not exist")
    for name in FUNCTION.findall(line):
        core = name.replace("user_cache_", "accel_cache_")  # generated from the core's
        if not re.search(rf"\b{core}\(", code):
            sources.report(path, number, f"{name}() is nowhere in the sources")


def anchors(path):
    """The headings of a document, as links name them."""
    found, is_code = set(), False
    for _, line in sources.lines(path):
        is_code ^= line.startswith("```")
        if is_code or not line.startswith("#"):
            continue
        words = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower())
        found.add(words.replace(" ", "-"))
    return found


def check_link(path, number, target, anchor):
    leads_to = path.parent / target if target else path
    if not leads_to.exists():
        sources.report(path, number, f"{target} does not exist")
    elif anchor and leads_to.suffix == ".md" and anchor not in anchors(leads_to):
        sources.report(path, number, f"{leads_to.name} has no heading #{anchor}")


def check_versions():
    """ACCEL_VERSION is the one that others repeat."""
    base = sources.ROOT / "accel" / "base.h"
    version = re.search(r'#define ACCEL_VERSION "(\S+)"', base.read_text(encoding="utf-8"))[1]
    major, minor, patch = version.split(".")
    for where, text in (
        ("accel/base.h", f"ACCEL_VERSION_MAJOR {major}"),
        ("accel/base.h", f"ACCEL_VERSION_MINOR {minor}"),
        ("accel/base.h", f"ACCEL_VERSION_PATCH {patch}"),
        ("accel/base.h", f"accel_build_{major}_{minor}_{patch}_"),
        ("meson.build", f"version: '{version}',"),
        ("CHANGELOG.md", f"[{version}]"),
    ):
        path = sources.ROOT / where
        if not any(text in line for _, line in sources.lines(path)):
            sources.report(path, 1, f'does not say "{text}", as ACCEL_VERSION does')


documents = sources.files(("docs",), ".md")
explained = sources.LIBRARY + ("tools/gate",)
code_text = "".join(path.read_text(encoding="utf-8") for path in sources.c_files(explained))
blocks = 0
for file in documents:
    text_lines = [line for _, line in sources.lines(file)]
    for line_number, line in enumerate(text_lines, 1):
        bound = BOUND.match(line)
        if bound:
            blocks += 1
            check_block(file, line_number, text_lines[line_number:], bound)
        check_names(file, line_number, line, code_text)
        for target, anchor in LINK.findall(line):
            check_link(file, line_number, target, anchor)
check_versions()
sources.finish(f"{len(documents)} documents, {blocks} code blocks that are files")
