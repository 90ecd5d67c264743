"""What the harness writes is what accel-gate reads: the same passes, half as slow again fails.

usage: bench_gate.py FIXED_BENCH ACCEL_GATE
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

BENCH, GATE = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:3])
del sys.argv[1:3]
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("CRITERION", "CARGO", "ACCEL"))}
IDS = ("plain/spin_short", "memory")


class Together(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_tool(self, *command, status=0):
        done = subprocess.run(command, cwd=self.folder, env=CLEAN, capture_output=True, text=True,
                              check=False, timeout=600)  # fmt: skip
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def results(self, name, factor, *arguments):
        """Results of given times in the folder `name`."""
        for key in IDS:
            path = self.folder / name / key / "given" / "sample.json"
            path.parent.mkdir(parents=True)
            iterations = [float(i + 1) for i in range(60)]
            times = [n * factor * (1000 + i % 9) for i, n in enumerate(iterations)]
            sample = {"sampling_mode": "Linear", "iters": iterations, "times": times}
            path.write_text(json.dumps(sample), encoding="utf-8")
        given = (f"--criterion-dir={name}", f"--summary-dir={name}-sla", "--load-baseline=given")
        quick = ("--discard-baseline", "--nresamples=200")
        return self.run_tool(BENCH, *given, *quick, *arguments, "short|memory").stdout

    def test_trees(self):
        self.results("before", 1.0)
        self.run_tool(GATE, "export", "--criterion-dir", "before", "--output", "baseline.json")
        baseline = json.loads((self.folder / "baseline.json").read_text(encoding="utf-8"))
        self.assertEqual(sorted(baseline["benchmarks"]), sorted(IDS))
        for name, factor, status in (("same", 1.0, 0), ("slower", 1.5, 1), ("faster", 0.6, 0)):
            self.results(name, factor)
            done = self.run_tool(GATE, "check", "--criterion-dir", name, "--baseline",
                                 "baseline.json", "--threshold", "0.15", status=status)  # fmt: skip
            for key in IDS:
                self.assertIn(key.partition("/")[0], done.stdout)

    def test_text(self):
        """What --output-format=bencher prints."""
        for name, factor in (("a", 1.0), ("b", 1.5)):
            text = self.results(name, factor, "--output-format=bencher")
            (self.folder / f"{name}.txt").write_text(text, encoding="utf-8")
        self.run_tool(GATE, "check", "--threshold=0.2", "a.txt", "a.txt")
        self.run_tool(GATE, "check", "--threshold=0.2", "a.txt", "b.txt", status=1)

    def test_summaries(self):
        for name, factor in (("a", 1.0), ("b", 1.1), ("c", 1.5)):
            self.results(name, factor)
        pairs = [f"{name}-sla/bench-memory.json" for name in "abac"]
        self.run_tool(GATE, "check", "--profile", "seed004", *pairs[:2])
        done = self.run_tool(GATE, "check", "--profile", "seed004", *pairs, status=1)
        self.assertIn("memory", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
