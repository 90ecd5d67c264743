"""clang-tidy and cppcheck over every .c file of the library, quiet.

Each file is analysed by itself, because the analyzer looks only into functions of the file that it
is given. What a tool gets wrong is answered beside the line, with the reason.
"""

import concurrent.futures
import os
import re
import shlex
import shutil
import subprocess
import sys

import sources

COMPILER = ["-D_GNU_SOURCE", "-std=gnu11"]
# A quarter of the analyzer's own limit per function: the same findings in a third of the time.
TIDY = ["--quiet", "--warnings-as-errors=*"]
LIMIT = "-Xclang -analyzer-config -Xclang max-nodes=50000"
TIDY += [f"--extra-arg={part}" for part in LIMIT.split()]
CPPCHECK = [
    "--std=c11", "--enable=warning,performance,portability", "--inline-suppr", "--quiet",
    "--error-exitcode=1", "--template={file}:{line}: {message} [{id}]",
    "--suppress=missingIncludeSystem",
    "--suppress=varFuncNullUB",  # NULL is a pointer on every system with a libc that we run on
    "--suppress=staticStringCompare",  # how one asks which hook a program defined
    "-D__GNUC__=12", "-D__linux__", "-D__x86_64__", "-D__ORDER_LITTLE_ENDIAN__=1234",
    "-D__BYTE_ORDER__=1234",
]  # fmt: skip


def run(command):
    return subprocess.run(command, cwd=sources.ROOT, capture_output=True, text=True, check=False)


def tidy(path):
    return run(["clang-tidy", *TIDY, path, "--", *COMPILER])


def cppcheck(path):
    return run(["cppcheck", *CPPCHECK, path])


if not shutil.which("clang-tidy") or not shutil.which("cppcheck"):
    print("clang-tidy or cppcheck is not installed")
    sys.exit(77)

library = [sources.name(path) for path in sources.files(sources.LIBRARY, ".c")]
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    jobs = [pool.submit(check, path) for path in library for check in (tidy, cppcheck)]
results = [job.result() for job in jobs]
failed = [result for result in results if result.returncode != 0]
for result in failed:
    output = (result.stdout + result.stderr).replace(f"{sources.ROOT}/", "")
    findings = re.findall(r"^.*?: (?:error|warning): .*|^\S+:\d+: .*\[\w+\]$", output, re.M)
    print("\n".join(findings or [output]))
    print(f"  more: {shlex.join(result.args)}")
print(f"{len(failed)} of {len(results)} runs over {len(library)} files found something")
sys.exit(1 if failed else 0)
