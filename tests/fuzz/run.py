"""Drives one of the targets of fuzz.c with libFuzzer, ASan and UBSan, from its corpus on.

usage: run.py ROOT build FOLDER     builds FOLDER/fuzz once for all targets
       run.py ROOT TARGET FOLDER    for 10 seconds, or ACCEL_SOAK_SECONDS

What is found is left in FOLDER, and its path printed. Without clang or its libFuzzer there is
nothing to run: exit code 77.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import sources
import toolchain

SOURCES = ["tests/fuzz/fuzz.c", "tests/fuzz/fuzz_connection.c", "tests/fuzz/fuzz_table.c"]
FLAGS = ["-std=gnu11", "-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-I."]
FLAGS += ["-fno-sanitize-recover=all", "-DACCEL_FUZZ_LIBFUZZER"]


def compiler():
    for name in ("clang-14", "clang"):
        if shutil.which(name):
            return name
    print("skipped: clang is not installed, so libFuzzer is not either")
    sys.exit(77)


def build(folder):
    folder.mkdir(parents=True, exist_ok=True)
    probe = "int LLVMFuzzerTestOneInput(const void *d, unsigned long n){(void)d;(void)n;return 0;}"
    command = [compiler(), "-fsanitize=fuzzer,address", "-x", "c", "-", "-o", "/dev/null"]
    if toolchain.run(command, probe).returncode != 0:
        print("skipped: this clang has no libFuzzer (Debian: libclang-rt-14-dev)")
        sys.exit(77)
    flags = toolchain.run(["pkg-config", "--cflags", "--libs", "hiredis"]).stdout.split()
    command = [compiler(), *FLAGS, *SOURCES, "-o", str(folder / "fuzz"), "-pthread"]
    result = toolchain.run([*command, *flags])
    print(result.stderr)
    sys.exit(result.returncode)


def fuzz(target, folder, seconds):
    binary = folder / "fuzz"
    if not binary.is_file():
        print("skipped: tests/fuzz/run.py build has built nothing")
        sys.exit(77)
    corpus = folder / f"corpus-{target}"  # what is found new stays here, out of the source
    corpus.mkdir(exist_ok=True)
    seeds = sources.ROOT / "tests" / "fuzz" / "corpus" / target
    command = [str(binary), str(corpus), str(seeds), f"-max_total_time={seconds}", "-max_len=4096"]
    command += ["-timeout=100", "-rss_limit_mb=1024", f"-artifact_prefix={folder}/{target}-"]
    environment = dict(os.environ, ACCEL_FUZZ_TARGET=target)
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = result.stderr.splitlines()
    print("\n".join(lines[-40:] if result.returncode else lines[-1:]))
    sys.exit(1 if result.returncode else 0)  # libFuzzer's own 77 would pass for a skip


def main():
    name, folder = sys.argv[2], pathlib.Path(sys.argv[3]).resolve()
    if name == "build":
        build(folder)
    fuzz(name, folder, os.environ.get("ACCEL_SOAK_SECONDS", "10"))


main()
