"""Every file compiles by itself, without a warning.

Headers that users see: as C11 and as C++20, after globals with the names that users like. The
other headers and the .c files: as GNU C11, as the library itself is compiled.
"""

import functools

import sources
import toolchain

GLOBALS = "cache key keys count load value values hash out type size data status ctx now ops ref"
GLOBALS += " entry length text name start end first last next"
USERS_FILE = "".join(f"extern int {name};\nint {name};\n" for name in GLOBALS.split())


def compile_text(compiler, language, flags, text):
    command = [compiler, "-x", language, *flags, "-I.", "-fsyntax-only", "-"]
    return " ".join(command), toolchain.run(command, text)


def jobs():
    left_out = [] if toolchain.has_hiredis() else ["accel_backends/redis/"]
    left_out += [] if toolchain.has_otlp() else ["accel_backends/otlp/"]
    visible = set(sources.user_headers())
    for path in sources.c_files(sources.LIBRARY) + [sources.ROOT / "accel.h"]:
        include = f'#include "{sources.name(path)}"\n'
        if path in visible:
            text = USERS_FILE + include
            for compiler in toolchain.c_compilers():
                yield path, compiler, "c", ["-std=c11", *toolchain.USER_C], text
            for compiler in toolchain.cxx_compilers():
                yield path, compiler, "c++", ["-std=c++20", *toolchain.USER_CXX], text
        elif not sources.name(path).startswith(tuple(left_out)):
            flags = ["-std=gnu11", *toolchain.STRICT_C]
            for compiler in toolchain.c_compilers():
                yield path, compiler, "c", flags, include


work = list(jobs())
results = toolchain.run_all([functools.partial(compile_text, *job[1:]) for job in work])
for (file, *_), (command_line, result) in zip(work, results):
    if result.returncode != 0:
        sources.report(file, 1, f"does not compile alone: {command_line}\n{result.stderr}")
sources.finish(f"{len(work)} compilations")
