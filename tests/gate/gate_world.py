"""What the tests of accel-gate share: a folder for each test, files of every form in it, and a way
to run the tool. A test module ends with `gate_world.main()`; its argument is the tool's path."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
STAMP = "2026-11-21T07:50:00Z"


class Result:
    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    def __repr__(self):
        return f"exit {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


class World(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="accel-gate-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    # ---- files ----

    def path(self, name):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name, content):
        if not isinstance(content, str):
            content = json.dumps(content)
        self.path(name).write_text(content, encoding="utf-8")
        return name

    def read(self, name):
        return (self.folder / name).read_text(encoding="utf-8")

    def entry(self, bench, mean, median=None, root="target/criterion", **more):
        """One entry of criterion's folder."""
        content = {
            "mean": {"point_estimate": mean},
            "median": {"point_estimate": mean if median is None else median},
        }
        self.write(f"{root}/{bench}/new/estimates.json", content | more)

    def baseline(self, means, name="docs/benchmarks/cache_path_bench.json", **more):
        benches = {bench: {"mean_ns": mean, "median_ns": mean} for bench, mean in means.items()}
        return self.write(name, {"version": 1, "benchmarks": benches} | more)

    def own(self, name, benches, **more):
        """A file of our own form; `benches` is id -> record."""
        return self.write(name, {"version": 1, "schema": 2, "benchmarks": benches} | more)

    def record(self, name, value, metric="duration_ms", **changes):
        content = {
            "bench_id": "encode_batch",
            "metric": metric,
            "unit": "ms" if metric == "duration_ms" else "MB/s",
            "p50": value * 0.9,
            "p95": value,
            "n": 30,
            "timestamp": STAMP,
        }
        content |= changes
        content = {key: value for key, value in content.items() if value is not None}
        return self.write(name, content)

    def what_is_read(self, name):
        """The benches of a file, as the gate reads them: --init writes all that it knows."""
        (self.folder / "read.json").unlink(missing_ok=True)
        self.check(0, "--init", "read.json", name)
        return json.loads(self.read("read.json"))["benchmarks"]

    # ---- running ----

    def gate(self, *arguments, timeout=60, **environment):
        clean = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR") if key in os.environ}
        done = subprocess.run(
            [TOOL, *map(str, arguments)],
            cwd=self.folder,
            env=clean | {"LC_ALL": "C.UTF-8"} | environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Result(done)

    def check(self, code, *arguments, **environment):
        """Runs `check` and compares its exit code."""
        result = self.gate("check", *arguments, **environment)
        self.assertEqual(result.code, code, result)
        return result


def time_metric(rounds, **more):
    """A metric `time` with these rounds."""
    ordered = sorted(rounds)
    median = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    mean = sum(rounds) / len(rounds)
    found = {"unit": "ns", "better": "lower", "mean": mean, "median": median, "rounds": rounds}
    return found | more


def main():
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
