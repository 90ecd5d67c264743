"""Mistakes that a compiler must refuse, with a text that helps.

Each *.c beside this file compiles as it is, and with -DMISTAKE is refused with a text that each
of its lines `/* error: REGEX */` is found in.
"""

import functools
import pathlib
import re
import sys

import toolchain

EXPECTED = re.compile(r"/\* error: (.*?) \*/")


def compile_case(compiler, path, *flags):
    command = [compiler, "-std=c11", *toolchain.USER_C, *flags, "-I.", "-fsyntax-only", str(path)]
    return toolchain.run(command)


def check(compiler, path):
    """What is wrong with one case, or an empty text."""
    expected = EXPECTED.findall(path.read_text(encoding="utf-8"))
    if not expected:
        return "does not say what error it expects"
    right = compile_case(compiler, path)
    if right.returncode != 0:
        return f"fails without the mistake:\n{right.stderr}"
    wrong = compile_case(compiler, path, "-DMISTAKE")
    if wrong.returncode == 0:
        return "the mistake compiles"
    message = " ".join(wrong.stderr.split())
    missing = [text for text in expected if not re.search(text, message)]
    return f"the compiler does not say {missing}:\n{wrong.stderr}" if missing else ""


cases = sorted(pathlib.Path(__file__).resolve().parent.glob("*.c"))
work = [(compiler, path) for path in cases for compiler in toolchain.c_compilers()]
answers = toolchain.run_all([functools.partial(check, *each) for each in work])
for (used, case), answer in zip(work, answers):
    print(f"{'not ok' if answer else 'ok'}: {case.stem} with {used} {answer}")
sys.exit(1 if any(answers) else 0)
