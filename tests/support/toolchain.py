"""The compilers that a check asks, and running many of them at once."""

import concurrent.futures
import os
import shutil
import subprocess
import sys

import sources

# What a user may compile with, and what the library itself is compiled with.
USER_C = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wstrict-prototypes"]
USER_C += ["-Wsign-conversion", "-Wmissing-field-initializers", "-Wundef", "-Wcast-align"]
USER_C += ["-Wcast-qual", "-Wmissing-prototypes", "-Wwrite-strings", "-Wvla", "-Werror"]
USER_CXX = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wsign-conversion"]
USER_CXX += ["-Wmissing-field-initializers", "-Wundef", "-Wcast-align", "-Wcast-qual", "-Werror"]
STRICT_C = USER_C


def installed(*names):
    found = [name for name in names if shutil.which(name)]
    for name in set(names) - set(found):
        print(f"skipped: {name} is not installed")
    if not found:
        sys.exit(77)
    return found


def c_compilers():
    return installed("gcc", "clang")


def cxx_compilers():
    return installed("g++", "clang++")


def found(*names):
    """Those of `names` that are installed, perhaps none; what is missing is told."""
    for name in names:
        if not shutil.which(name):
            print(f"left out: {name} is not installed")
    return [name for name in names if shutil.which(name)]


def run(command, text=None):
    """Runs a command in the project's root. `text` is its input."""
    return subprocess.run(
        command, input=text, cwd=sources.ROOT, capture_output=True, text=True, check=False
    )


def run_all(jobs):
    """Calls each of `jobs` on a few threads; returns what they return, in order."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [future.result() for future in [pool.submit(job) for job in jobs]]


def has_hiredis():
    return run(["pkg-config", "--exists", "hiredis"]).returncode == 0


def has_otlp():
    """What accel_backends/otlp.h needs."""
    return run(["pkg-config", "--exists", "libcurl >= 7.80", "zlib"]).returncode == 0


def libraries():
    """What the backends that are there need of the linker."""
    needed = ["hiredis"] if has_hiredis() else []
    needed += ["libcurl", "zlib"] if has_otlp() else []
    return run(["pkg-config", "--libs", *needed]).stdout.split() if needed else []


def compile_object(compiler, flags, text, output, include="."):
    command = [compiler, *flags, "-I", str(include), "-x", "c", "-c", "-", "-o", str(output)]
    return run(command, text)


def run_user(compiler, standard, implementation, include="."):
    """Compiles tests/headers/user.c as a user would, links it with the implementation, runs it."""
    is_cxx = "++" in compiler
    binary = implementation.with_name(f"{compiler}_{standard}")
    command = [compiler, f"-std={standard}", *(USER_CXX if is_cxx else USER_C), "-I", str(include)]
    command += ["-x", "c++" if is_cxx else "c", "tests/headers/user.c", "-x", "none"]
    command += [str(implementation), "-o", str(binary), "-pthread", *libraries()]
    result = run(command)
    return run([str(binary)]) if result.returncode == 0 else result
