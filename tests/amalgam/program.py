"""A user's program with the one-file header and no other file of the library.

usage: program.py ROOT ONE_FILE_HEADER
"""

import functools
import pathlib
import shutil
import sys
import tempfile

import toolchain

with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    shutil.copy(sys.argv[2], folder / "accel.h")
    compilers = toolchain.c_compilers()
    implementation = folder / "implementation.o"
    text = '#define ACCEL_IMPLEMENTATION\n#include "accel.h"\n'
    flags = ["-std=gnu11", *toolchain.STRICT_C]
    built = toolchain.compile_object(compilers[0], flags, text, implementation, folder)
    jobs = [(c, "c11") for c in compilers] + [(c, "c++20") for c in toolchain.cxx_compilers()]
    results = [built] + toolchain.run_all(
        [functools.partial(toolchain.run_user, *job, implementation, folder) for job in jobs]
    )
for job, result in zip(["the implementation", *map(" ".join, jobs)], results):
    print(f"{'not ok' if result.returncode else 'ok'}: {job}")
    print(result.stdout + result.stderr if result.returncode else "", end="")
sys.exit(1 if any(result.returncode for result in results) else 0)
