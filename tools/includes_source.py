"""Reads the C sources for tools/includes: what a file includes, defines and names.

It reads tokens and knows no types. That is enough for this project, whose format and lints keep the
shapes that it relies on: a function's body opens after its parameter list, no function is declared
in a body, and a name that stands after `.` or `->` is a member.
"""

import collections
import pathlib
import re

FOLDERS = ("accel", "accel_backends", "tools/gate", "bench")

LAYER = re.compile(r"\(layer (\d)")
COMMENT_OR_TEXT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)
TOKEN = re.compile(r"[A-Za-z_]\w*|->|\d[\w.]*|\S")
WORD = re.compile(r"[A-Za-z_]\w*")
KEYWORDS = set(
    "if else for while do switch case default return break continue goto sizeof static extern "
    "inline const volatile struct union enum typedef void char short int long float double signed "
    "unsigned bool register restrict __attribute__ _Alignof _Alignas _Static_assert _Generic "
    "defined static_assert alignof alignas".split()
)


class File:
    """One source file: the `functions` it defines (name -> is static) and those it `calls`."""

    def __init__(self, path):
        self.path = path
        self.layer = None
        self.includes = []
        self.functions = {}
        self.calls = set()


def blank(match):
    """Comments become nothing and literals an empty one; lines stay lines."""
    text = match[0]
    kept = "" if text.startswith("/") else text[0] * 2
    return kept + "\n" * text.count("\n")


def calls(tokens):
    """The names that are called: `name(` or `(name)(`, where no member is meant."""
    for i, token in enumerate(tokens[:-1]):
        if not WORD.match(token) or token in KEYWORDS or tokens[i - 1] in (".", "->"):
            continue
        follows = tokens[i + 1]
        if follows == ")" and tokens[i - 1] == "(" and tokens[i + 2 : i + 3] == ["("]:
            follows = "("
        if follows == "(":
            yield token


def function_of(head):
    """The function whose body follows the tokens `head`, or None. Of several words with parentheses
    behind them it is the first that is no macro of ours, which are upper case."""
    names, depth = [], 0
    for i, token in enumerate(head):
        if token == "=" and depth == 0:
            return None
        if token == "(":
            if depth == 0 and i > 0 and WORD.match(head[i - 1]) and head[i - 1] not in KEYWORDS:
                names.append(head[i - 1])
            depth += 1
        elif token == ")":
            depth -= 1
    if not names or head[-1] != ")":
        return None
    return next((name for name in names if not name.isupper()), names[-1])


class Reader:
    """Walks over the lines of one file."""

    def __init__(self, file):
        self.file = file
        self.head = []  # the tokens of the declaration so far
        self.body = []  # of the braces that are open
        self.depth = 0
        self.conditions = []  # (depth at the #if, whether it asks for the implementation)

    def directive(self, line):
        word, _, rest = line.strip()[1:].strip().partition(" ")
        if word.startswith("if"):
            implementation = "ACCEL_IMPLEMENTATION" in rest and word != "ifndef"
            self.conditions.append((self.depth, implementation))
        elif word in ("else", "elif"):
            self.depth = self.conditions[-1][0]
        elif word == "endif":
            self.conditions.pop()
        elif word == "define":
            macro = re.match(r"\w+(\([^)]*\))?", rest.strip())
            self.file.calls.update(calls(TOKEN.findall(rest.strip()[macro.end() :])))

    def is_in_implementation(self):
        return any(implementation for _, implementation in self.conditions)

    def token(self, token):
        if token == "{":
            if self.depth == 0:
                name = function_of(self.head)
                if name:
                    self.file.functions[name] = "static" in self.head
            self.depth += 1
        elif token == "}":
            self.depth = max(self.depth - 1, 0)
            if self.depth == 0:
                self.close()
        elif token == ";" and self.depth == 0:
            self.close()
        elif self.depth == 0:
            self.head.append(token)
        if self.depth > 0:
            self.body.append(token)

    def close(self):
        """The end of a declaration or of a function."""
        self.file.calls.update(calls(self.body))
        self.head, self.body = [], []


def read_file(root, path):
    file = File(path)
    text = (root / path).read_text(encoding="utf-8")
    layer = LAYER.search(text[: max(text.find("*/"), 0)])
    file.layer = int(layer[1]) if layer else None
    reader = Reader(file)
    raw_lines = text.replace("\\\n", "  ").split("\n")
    code_lines = COMMENT_OR_TEXT.sub(blank, text.replace("\\\n", "  ")).split("\n")
    for raw, line in zip(raw_lines, code_lines):
        if line.lstrip().startswith("#"):
            included = re.match(r'\s*#\s*include\s*(["<][^">]+)[">]', raw)
            if included and not reader.is_in_implementation():
                file.includes.append(included[1])
            reader.directive(line)
            continue
        for token in TOKEN.findall(line):
            reader.token(token)
    return file


class Tree:
    """All files, and where each function is defined."""

    def __init__(self, files):
        self.files = {file.path: file for file in files}
        self.defined = collections.defaultdict(list)
        for file in files:
            file.included = [self.resolve(file.path, name) for name in file.includes]
            file.included = [path for path in file.included if path is not None]
            for name, is_static in file.functions.items():
                if not is_static or file.path.endswith(".h"):
                    self.defined[name].append(file.path)
        for file in files:
            self.find_layer(file)

    def resolve(self, path, included):
        """An include beside the file, in the root, or in the one folder that has it; what stands in
        angle brackets from the root only."""
        is_quoted, included = included[0] == '"', included[1:]
        if not is_quoted:
            return included if included in self.files else None
        beside = (pathlib.PurePosixPath(path).parent / included).as_posix()
        parts = []
        for part in beside.split("/"):
            if part == ".." and parts:
                parts.pop()
            elif part != ".":
                parts.append(part)
        for candidate in ("/".join(parts), included):
            if candidate in self.files:
                return candidate
        same_end = [known for known in self.files if known.endswith("/" + included)]
        return same_end[0] if len(same_end) == 1 else None

    def find_layer(self, file):
        """A .c file without a layer of its own has that of the first header it includes."""
        if file.layer is None and file.path.endswith(".c") and file.included:
            file.layer = self.files[file.included[0]].layer

    def definition(self, file, name):
        """The file that defines what `file` calls by `name`, or None."""
        if name in file.functions or name == "main":
            return None
        found = self.defined.get(name, [])
        if len(found) > 1:  # several programs: the nearest folder
            found = sorted(found, key=lambda path: (-common_folders(path, file.path), path))
        return found[0] if found else None

    def dependencies(self, file):
        for path in file.included:
            yield path, f"includes {path}"
        for name in sorted(file.calls):
            path = self.definition(file, name)
            if path:
                yield path, f"calls {name}"


def common_folders(one, other):
    pairs = zip(one.split("/")[:-1], other.split("/")[:-1])
    count = 0
    for left, right in pairs:
        if left != right:
            break
        count += 1
    return count


def read_tree(root):
    found = [root / "accel.h"] if (root / "accel.h").is_file() else []
    for folder in FOLDERS:
        found += [path for path in (root / folder).rglob("*") if path.suffix in (".c", ".h")]
    return Tree([read_file(root, path.relative_to(root).as_posix()) for path in sorted(found)])
