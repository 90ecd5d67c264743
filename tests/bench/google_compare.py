"""compare.py of Google Benchmark reads what accel-gate convert --to google writes.

usage: google_compare.py FIXED_BENCH ACCEL_GATE

It comes with Debian's libbenchmark-tools, which does not bring the packages that it imports. Three
functions stand in for them: a geometric mean, a list, and a test that needs repetitions.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

PROGRAM, GATE = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:3])
TOOL = pathlib.Path("/usr/share/benchmark/compare.py")
QUICK = ("--quick", "--warm-up-time=.01", "--measurement-time=.02", "--nresamples=100")
STAND_INS = {
    "numpy/__init__.py": "class array(list):\n    def any(self): return any(self)\n",
    "scipy/__init__.py": "",
    "scipy/stats.py": """
from numpy import array
from statistics import geometric_mean
mannwhitneyu = None
def gmean(rows): return array(geometric_mean(column) for column in zip(*rows))
""",
}
NAMES = ("plain/spin/short", "plain/spin/long/5000", "memory")

if not TOOL.is_file():
    print("compare.py (libbenchmark-tools) is not installed")
    sys.exit(77)

with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    for path, text in STAND_INS.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    for path in ("base.json", "now.json"):
        measure = [PROGRAM, *QUICK, "--criterion-dir=results", "plain|memory"]
        convert = [GATE, "convert", "--to=google", f"--output={path}", "results"]
        for command in (measure, convert):
            subprocess.run(command, cwd=folder, capture_output=True, check=True)
    done = subprocess.run(
        [sys.executable, TOOL, "--no-color", "benchmarks", "base.json", "now.json"],
        cwd=folder, env={"PYTHONPATH": name, "PATH": "/usr/bin"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip

print(done.stdout, done.stderr)
missing = [each for each in NAMES if not re.search(rf"(?m)^{each} .*\d$", done.stdout)]
if done.returncode != 0 or missing:
    print("compare.py did not compare:", missing)
    sys.exit(1)
