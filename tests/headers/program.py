"""Whole programs: what users compile, link and get told when they mix things up.

- a program under the promised flags, as C11 to C23 and as C++20, linked with one .c file;
- the implementation as strict C11, or as C++, is one #error; one that is forgotten is told;
- an older C is refused by name; C++ from 14 on is not;
- it may be included before, after and between other includes, as in unity builds;
- files with other hooks or another version do not link;
- the implementation defines no symbol that does not start with accel_.
"""

import functools
import pathlib
import shutil
import sys
import tempfile

import sources
import toolchain

IMPLEMENTATION = '#define ACCEL_IMPLEMENTATION\n#include "accel.h"\n'
IMPLEMENTATION += '#include "accel_backends/fake.h"\n'
if toolchain.has_hiredis():
    IMPLEMENTATION += '#include "accel_backends/redis.h"\n'
if toolchain.has_otlp():
    IMPLEMENTATION += '#include "accel_backends/otlp.h"\n'
SMALL = '#include <accel.h>\nACCEL_DEFINE(n, int, int)\n'
SMALL += "int main(void) { n_cache c = {0}; n_cache_close(&c); return 0; }\n"
WITHOUT = IMPLEMENTATION.replace("#define ACCEL_IMPLEMENTATION\n", "")
FORMS = {
    "first_without_and_then_with": WITHOUT + SMALL + IMPLEMENTATION,
    "implemented_twice": IMPLEMENTATION + SMALL + IMPLEMENTATION,
    "implemented_first": IMPLEMENTATION + SMALL + WITHOUT,
    "one_header_after_the_other": WITHOUT + SMALL + "#define ACCEL_IMPLEMENTATION\n" + "".join(
        reversed(WITHOUT.splitlines(keepends=True))),
}
HOOKS = ["-DACCEL_MALLOC=my_malloc"]

failures = []


def expect(is_right, what, result):
    print(("ok: " if is_right else "not ok: ") + what)
    if not is_right:
        failures.append(what)
        print(result.stdout + result.stderr)


def check_program(compiler, standard, implementation):
    result = toolchain.run_user(compiler, standard, implementation)
    return result.returncode == 0, f"a user's program: {compiler} -std={standard}", result


def check_one_error(compiler):
    result = toolchain.run([compiler, "-std=c11", "-I.", "-fsyntax-only", "-x", "c", "-"],
                           IMPLEMENTATION)
    errors = [line for line in result.stderr.splitlines() if " error: " in line]
    is_right = len(errors) == 1 and "_GNU_SOURCE" in errors[0]
    return is_right, f"the implementation as strict C11 is one #error: {compiler}", result


def check_one_error_cxx(compiler):
    result = toolchain.run([compiler, "-I.", "-fsyntax-only", "-x", "c++", "-"], IMPLEMENTATION)
    errors = [line for line in result.stderr.splitlines() if " error: " in line]
    is_right = len(errors) == 1 and "belongs into a .c file" in errors[0]
    return is_right, f"the implementation as C++ is one #error: {compiler}", result


def check_older(compiler, standard):
    command = [compiler, f"-std={standard}", "-I.", "-fsyntax-only", "-x", "c", "-"]
    result = toolchain.run(command, SMALL)
    errors = [line for line in result.stderr.splitlines() if " error: " in line]
    is_right = bool(errors) and "accel needs C11 or later" in errors[0]
    return is_right, f"{standard} is refused by name: {compiler}", result


def check_older_cxx(compiler):
    flags = ["-std=c++14", "-Wundef", "-Werror", "-I.", "-fsyntax-only"]
    result = toolchain.run([compiler, *flags, "-x", "c++", "-"], SMALL)
    return result.returncode == 0, f"the headers as C++14: {compiler}", result


def check_forgotten(compiler, folder):
    """Nobody implements: the linker quotes a name that says so."""
    output = folder / f"forgotten_{compiler}.o"
    result = toolchain.compile_object(compiler, ["-std=gnu11"], SMALL, output)
    if result.returncode == 0:
        result = toolchain.run([compiler, str(output), "-o", str(output.with_suffix(""))])
    is_right = result.returncode != 0 and "define_ACCEL_IMPLEMENTATION_in_one_file" in result.stderr
    return is_right, f"a forgotten implementation is told: {compiler}", result


def check_form(compiler, form, folder):
    """A program of one translation unit, at -O0, whatever is included in which order."""
    binary = folder / f"form_{compiler}_{form}"
    command = [compiler, "-std=gnu11", "-O0", "-I.", "-x", "c", "-", "-o", str(binary), "-pthread"]
    result = toolchain.run([*command, *toolchain.libraries()], FORMS[form])
    return result.returncode == 0, f"{form.replace('_', ' ')}: {compiler}", result


def check_links(compiler, folder, implementation):
    """Alike files link, others do not and name the symbol."""
    other = folder / "other_version"
    for name in sources.LIBRARY:
        shutil.copytree(sources.ROOT / name, other / name)
    shutil.copy(sources.ROOT / "accel.h", other)
    base = other / "accel" / "base.h"
    base.write_text(base.read_text().replace("accel_build_0_", "accel_build_99_"))
    for what, flags, include, links in (
        ("the same hooks and version", [], ".", True),
        ("another allocation hook", HOOKS, ".", False),
        ("another assertion hook", ["-DACCEL_ASSERT(c)=((void)0)"], ".", False),
        ("another version", [], other, False),
    ):
        small = folder / "small.o"
        result = toolchain.compile_object(compiler, ["-std=gnu11", *flags], SMALL, small, include)
        if result.returncode == 0:
            command = [compiler, str(small), str(implementation), "-pthread"]
            command += [*toolchain.libraries(), "-o", str(folder / "small")]
            result = toolchain.run(command)
            is_right = (result.returncode == 0) == links
            is_right = is_right and (links or "accel_build_" in result.stderr)
        else:
            is_right = False
        yield is_right, f"{what}: {'links' if links else 'does not link'}", result


def check_symbols(implementation):
    result = toolchain.run(["nm", "-g", "--defined-only", str(implementation)])
    names = [line.split()[-1] for line in result.stdout.splitlines()]
    foreign = [name for name in names if not name.startswith("accel_")]
    for name in foreign:
        print(f"{name}: an extern symbol that does not start with accel_; is it static?")
    is_right = result.returncode == 0 and len(names) > 50 and not foreign
    return is_right, f"{len(names)} extern symbols start with accel_", result


def main():
    with tempfile.TemporaryDirectory() as folder_name:
        folder = pathlib.Path(folder_name)
        compilers = toolchain.c_compilers()
        implementation = folder / "implementation.o"
        result = toolchain.compile_object(
            compilers[0], ["-std=gnu11", *toolchain.STRICT_C], IMPLEMENTATION, implementation
        )
        expect(result.returncode == 0, "the implementation compiles", result)
        if result.returncode != 0:
            return
        programs = [(c, standard) for c in compilers for standard in ("c11", "c17", "c2x")]
        programs += [(c, s) for c in toolchain.cxx_compilers() for s in ("c++17", "c++20", "c++2b")]
        jobs = [functools.partial(check_program, *each, implementation) for each in programs]
        jobs += [functools.partial(check_one_error, compiler) for compiler in compilers]
        jobs += [functools.partial(check_one_error_cxx, c) for c in toolchain.cxx_compilers()]
        jobs += [functools.partial(check_older, c, s) for c in compilers for s in ("c89", "gnu89")]
        jobs += [functools.partial(check_older_cxx, c) for c in toolchain.cxx_compilers()]
        jobs += [functools.partial(check_forgotten, compiler, folder) for compiler in compilers]
        jobs += [functools.partial(check_form, compiler, form, folder)
                 for compiler in compilers for form in FORMS]
        jobs += [functools.partial(check_symbols, implementation)]
        for answer in toolchain.run_all(jobs):
            expect(*answer)
        for answer in check_links(compilers[0], folder, implementation):
            expect(*answer)


main()
sys.exit(1 if failures else 0)
