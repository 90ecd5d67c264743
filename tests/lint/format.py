"""Every C file is as clang-format 14 writes it."""

import shutil
import subprocess
import sys

import sources

tool = shutil.which("clang-format-14")
if tool is None:
    print("clang-format-14 is not installed")
    sys.exit(77)
result = subprocess.run([tool, "--dry-run", "-Werror", *map(str, sources.c_files())], check=False)
if result.returncode != 0:
    print("run: git ls-files '*.c' '*.h' | xargs clang-format-14 -i")
sys.exit(result.returncode)
