"""Prometheus' own checker accepts the metrics: promtool check metrics."""

import pathlib
import subprocess
import sys
import tempfile

import toolchain

toolchain.installed("promtool")
with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.argv[2], "40", folder], check=True)
    page = (pathlib.Path(folder) / "metrics.txt").read_bytes()
run = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
print(run.stdout.decode(), run.stderr.decode())
sys.exit(run.returncode)
