"""Mistakes that a compiler must refuse, with a text that helps.

Each *.c beside this file compiles as it is. With -DMISTAKE=1, or the numbers its lines name, it is
refused, and the compiler's text says what the line asks for:

    /* error: REGEX */          anywhere in the text, for mistake 1
    /* error 2: REGEX */        the same for mistake 2
    /* first error: REGEX */    in the first line of the text that is an error
    /* only error 2: REGEX */   in the one line of the text that is an error

`/* in: C, C++ */` says in which languages; C if the line is missing.
"""

import collections
import functools
import pathlib
import re
import sys

import toolchain

EXPECTED = re.compile(r"/\* (only |first )?error(?: (\d+))?: (.*?) \*/")
LANGUAGES = re.compile(r"/\* in: (.*?) \*/")
ERROR = re.compile(r"^.*\berror: .*$", re.M)


def kinds(path):
    """The compilers and flags for a file."""
    match = LANGUAGES.search(path.read_text(encoding="utf-8"))
    languages = match[1].split(", ") if match else ["C"]
    if "C" in languages:
        for compiler, standard in zip(toolchain.c_compilers(), ("c11", "c2x")):
            yield compiler, ["-x", "c", f"-std={standard}", *toolchain.USER_C]
    if "C++" in languages:
        for compiler, standard in zip(toolchain.found("g++", "clang++"), ("c++20", "c++17")):
            yield compiler, ["-x", "c++", f"-std={standard}", *toolchain.USER_CXX]


def compile_case(compiler, flags, path, *more):
    return toolchain.run([compiler, *flags, *more, "-I.", "-c", str(path), "-o", "/dev/null"])


def check(compiler, flags, path):
    """What is wrong with one case, or an empty text."""
    expected = collections.defaultdict(list)
    for which, number, text in EXPECTED.findall(path.read_text(encoding="utf-8")):
        expected[number or "1"].append((which, text))
    if not expected:
        return "does not say what error it expects"
    right = compile_case(compiler, flags, path)
    if right.returncode != 0:
        return f"fails without the mistake:\n{right.stderr}"
    for number, texts in expected.items():
        wrong = compile_case(compiler, flags, path, f"-DMISTAKE={number}")
        if wrong.returncode == 0:
            return f"mistake {number} compiles"
        errors = ERROR.findall(wrong.stderr)
        message = " ".join(wrong.stderr.split())
        for which, text in texts:
            is_said = re.search(text, errors[0] if which else message)
            if not is_said or (which == "only " and len(errors) > 1):
                return f"the compiler does not say {text!r} of mistake {number}:\n{wrong.stderr}"
    return ""


cases = sorted(pathlib.Path(__file__).resolve().parent.glob("*.c"))
work = [(*kind, path) for path in cases for kind in kinds(path)]
answers = toolchain.run_all([functools.partial(check, *each) for each in work])
for (used, how, case), answer in zip(work, answers):
    print(f"{'not ok' if answer else 'ok'}: {case.stem} with {used} {how[2]} {answer}")
sys.exit(1 if any(answers) else 0)
