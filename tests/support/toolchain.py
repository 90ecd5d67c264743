"""The compilers that a check asks, and running many of them at once."""

import concurrent.futures
import os
import shutil
import subprocess
import sys

import sources

# What a user may compile with, and what the library itself is compiled with.
USER_C = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wstrict-prototypes"]
USER_C += ["-Werror"]
USER_CXX = ["-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Wshadow", "-Werror"]
STRICT_C = USER_C + ["-Wmissing-prototypes", "-Wundef", "-Wcast-qual", "-Wwrite-strings", "-Wvla"]


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
