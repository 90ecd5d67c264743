#!/usr/bin/env python3
"""Makes accel/observer_page.c of the files of this folder: the live page as constants.

usage: tools/observer_page/embed.py [--check]

The page is page.html with page.css and the scripts in it, without comments and needless white
space, and with a policy that admits exactly this style and this script, by their hashes. It is cut
where the table for readers without JavaScript goes. --check writes nothing, and fails if the file
differs.
"""

import base64
import collections
import hashlib
import pathlib
import re
import string
import sys

HERE = pathlib.Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "accel" / "observer_page.c"
SCRIPTS = ("data.js", "draw.js", "page.js")
BYTES_MAX = 40 * 1024
POLICY = (
    "default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'"
)
PIECE_BYTES = 4000  # compilers must accept strings of 4095
LINE_COLUMNS = 100

OPENING = """\
/* observer_page.c: the live page as text (layer 2), in front of the table for readers without
 * JavaScript and behind it. Made by tools/observer_page/embed.py from the files beside that: change
 * those. */
#include "observer_page.h"

#include <stddef.h>

/* clang-format off */
"""

# What JavaScript is made of, as far as white space and names are concerned.
TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)
    |(?P<space>\s+)
    |(?P<text>'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")
    |(?P<word>[A-Za-z_$][\w$]*)
    |(?P<number>\d[\w.]*)
    |(?P<sign>\.\.\.|.)""",
    re.X | re.S,
)
REGEX = re.compile(r"/(?:\\.|\[[^\]]*\]|[^/\\])+/\w*")
BEFORE_REGEX = set("(,=:[!&|?{};\n")
# Words that are the language's or the browser's.
FOREIGN = set(
    """AbortSignal Array Boolean Date Float64Array IntersectionObserver JSON Map Math NaN Number
    Object RangeError Set String SyntaxError addEventListener async await break case catch
    class const constructor continue decodeURIComponent delete do document else
    encodeURIComponent extends false fetch finally for function if in instanceof isFinite
    isNaN let location navigator new null of performance return scrollTo setTimeout static
    super switch this throw true try typeof undefined while""".split()
)


def template_tokens(text, start):
    """The tokens of a template literal, and the index behind it."""
    found, at, piece = [], start + 1, start
    while text[at] != "`":
        if text.startswith("${", at):
            found.append(("text", text[piece : at + 2]))
            inner, at = script_tokens(text, at + 2, "}")
            found += inner
            piece = at
        at += 2 if text[at] == "\\" else 1
    return found + [("text", text[piece : at + 1])], at + 1


def script_tokens(text, at=0, closing=None):
    """[(kind, text)] up to the end, or to a bracket that was not opened; and the index there."""
    found, before, depth = [], "\n", 0
    while at < len(text):
        if text[at] == "`":
            inner, at = template_tokens(text, at)
            found += inner
            before = "`"
            continue
        if text[at] == "/" and text[at + 1] not in "/*" and before in BEFORE_REGEX:
            kind, end = "text", REGEX.match(text, at).end()
        else:
            match = TOKEN.match(text, at)
            kind, end = match.lastgroup, match.end()
        depth += {"{": 1, "}": -1}.get(text[at:end], 0)
        if depth < 0 and closing:
            break
        if kind not in ("space", "comment"):
            before = text[end - 1]
        found.append((kind, text[at:end]))
        at = end
    return found, at


def uses(code):
    """How each token of code is used: "name" of a variable, "key" of an object, "both" where one
    word is both, None if it is no word of ours."""
    found, brackets = [], ["{"]
    for i, (kind, word) in enumerate(code):
        last, following = code[i - 1][1], code[i + 1][1] if i + 1 < len(code) else ""
        use = None
        if kind == "sign" and word in "([{":
            brackets.append("class" if code[i - 2][1] == "class" else word)
        elif kind == "sign" and word in ")]}":
            brackets.pop()
        elif kind == "word" and word not in FOREIGN:
            is_first = brackets[-1] == "{" and last in ("{", ",")
            is_key = last == "." or (is_first and following == ":")
            is_key = is_key or (brackets[-1] == "class" and following == "(")
            is_both = is_first and following in (",", "}")
            use = "key" if is_key else "both" if is_both else "name"
        found.append(use)
    return found


def with_short_names(code):
    """The same tokens, with short names of variables."""
    used = uses(code)
    counts = collections.Counter(
        word for (_, word), use in zip(code, used) if use in ("name", "both")
    )
    taken = FOREIGN | {word for kind, word in code if kind == "word"}
    letters = string.ascii_letters
    fresh = (a + b for a in ("", *letters) for b in letters if a + b not in taken)
    names = dict(zip((word for word, _ in counts.most_common()), fresh))
    for (kind, word), use in zip(code, used):
        if use == "name":
            word = names[word]
        elif use == "both":
            word = f"{word}:{names[word]}"
        yield kind, word


def smaller_script(text):
    """The same program with short names of variables. Line ends stay where a statement might end;
    other white space goes."""
    found, _ = script_tokens(text)
    short = with_short_names([token for token in found if token[0] not in ("space", "comment")])
    out, gap = "", ""
    for kind, token in found:
        if kind in ("space", "comment"):
            gap = "\n" if "\n" in token or gap == "\n" else " "
            continue
        _, token = next(short)
        last = out[-1:]
        are_words = re.match(r"[\w$]", last or " ") and re.match(r"[\w$]", token)
        if gap == "\n" and last not in ";,{(:?&|=[" and token[0] not in ")]}.,:?&|=":
            out += "" if last == "}" and token in ("else", "catch") else "\n"
        elif gap and (are_words or last + token[0] in ("++", "--")):
            out += " "
        out += token
        gap = ""
    return re.sub(r";}", "}", out)


def smaller_style(text):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r" ?([{};,]) ?", r"\1", text)
    return re.sub(r"([\w-]): ", r"\1:", text).replace(";}", "}")


def source(text):
    digest = hashlib.sha256(text.encode()).digest()
    return "'sha256-" + base64.b64encode(digest).decode() + "'"


def page():
    """The page, in front of the table and behind it."""
    read = lambda name: (HERE / name).read_text(encoding="utf-8")  # noqa: E731
    style = smaller_style(read("page.css"))
    script = smaller_script("(() => {\n'use strict';\n" + "".join(map(read, SCRIPTS)) + "})();\n")
    text = re.sub(r">\n\s*<", "><", read("page.html"))
    policy = POLICY.format(script=source(script), style=source(style))
    for name, value in (("POLICY", policy), ("STYLE", style), ("SCRIPT", script)):
        text = text.replace(f"@{name}@", value)
    size = len(text.encode())
    if size > BYTES_MAX:
        sys.exit(f"the page has {size} bytes; {BYTES_MAX} at most")
    return text.split("@TABLE@")


def escaped(character):
    if character in '"\\':
        return "\\" + character
    if character == "\n":
        return "\\n"
    if " " <= character <= "~":
        return character
    # Octal, because a hexadecimal escape would go on over digits that follow.
    return "".join(f"\\{byte:03o}" for byte in character.encode())


def constant(name, text):
    """The C text of an array of strings that ends with NULL."""
    lines, line, piece = [], "", 0
    for character in text:
        more, size = escaped(character), len(character.encode())
        is_full = piece + size > PIECE_BYTES
        if is_full or len(line) + len(more) > LINE_COLUMNS - 5:
            lines.append(f'  "{line}"' + ("," if is_full else ""))
            line, piece = "", 0 if is_full else piece
        line, piece = line + more, piece + size
    lines.append(f'  "{line}",')
    return f"const char *const {name}[] = {{\n" + "\n".join(lines) + "\n  NULL,\n};\n"


def main():
    before, behind = page()
    names = ("accel_observer_page_before", "accel_observer_page_behind")
    text = OPENING + "\n".join(map(constant, names, (before, behind)))
    if sys.argv[1:] == ["--check"]:
        if not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != text:
            sys.exit(f"{TARGET.name} is out of date; run tools/observer_page/embed.py")
        return
    if sys.argv[1:]:
        sys.exit(__doc__)
    TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
