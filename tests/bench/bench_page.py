"""The page of the committed baselines is up to date, and what makes it is right.

usage: bench_page.py ROOT
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(sys.argv.pop(1)).resolve()
TOOL = ROOT / "tools" / "bench_page.py"
OLD = {"version": 1, "benchmarks": {"g/old": {"mean_ns": 504.0, "median_ns": 501.5}}}
NEW = {
    "version": 1, "schema": 2, "started": "2026-01-02T03:04:05Z", "reason": "a new <table>",
    "machine": {"cpu": "A CPU", "cores": 2}, "build": {"compiler": "gcc 12"},
    "skipped": {"g/away": "no Redis", "g/gone": "no Redis"},
    "benchmarks": {
        "g/fast_one": {
            "mean_ns": 4.2, "median_ns": 4.1, "full_id": "g/fast/one",
            "targets": {"time": {"target": 5.0, "acceptable": 10.0}},
            "metrics": {"time": {"lo": 4.0, "hi": 4.4, "p95": 1234.0, "percentiles": "op"},
                        "allocs": {"value": 0}, "peak_bytes": {"value": 152488.0}},
        },
        "g/slow": {"mean_ns": 8e6, "median_ns": 7.5e6,
                   "targets": {"time": {"target": 1e6, "acceptable": 2e6}}},
    },
}  # fmt: skip


class Page(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_tool(self, *arguments, status=0):
        done = subprocess.run([TOOL, *arguments], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout

    def test_the_committed_page_is_up_to_date(self):
        self.run_tool("--check")

    def test_tables(self):
        for name, value in {"new": NEW, "old": OLD}.items():
            (self.folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
        self.run_tool(self.folder)
        page = (self.folder / "README.md").read_text(encoding="utf-8")
        for line in (
            "| `g/fast/one` | 4.1 ns | 4.2 ns | 4 ns to 4.4 ns | 1.23 µs (op) | 0 | 152488 |",
            "| `g/slow` | 7.5 ms | 8 ms |  |  |  |  |",
            "| `g/old` | 502 ns | 504 ns |  |  |  |  |",
            "| `g/fast/one` | 5 ns | 10 ns | 4.1 ns | on target |",
            "| `g/slow` | 1 ms | 2 ms | 7.5 ms | missed |",
            "Not measured: 2 benches (no Redis).",
        ):
            self.assertIn(f"\n{line}\n", page)
        self.assertIn("A CPU, 2 cores, gcc 12; Accepted because: a new <table>.", page)
        self.assertLess(page.index("## new"), page.index("## old"))

    def test_an_old_page_is_noticed(self):
        path = self.folder / "one.json"
        path.write_text(json.dumps(OLD), encoding="utf-8")
        self.run_tool("--check", self.folder, status=1)
        self.run_tool(self.folder)
        self.run_tool("--check", self.folder)
        path.write_text(json.dumps(NEW), encoding="utf-8")
        self.assertIn("run tools/bench_page.py", self.run_tool("--check", self.folder, status=1))

    def test_wrong_arguments(self):
        self.run_tool("--bogus", status=2)
        self.run_tool("a", "b", status=2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
