"""tools/bench.sh with a bench, a gate and tests that are scripts: what is run, with what, in which
order, and what becomes of failures.

usage: bench_script.py ROOT
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(sys.argv.pop(1)).resolve()
CLEAN = {k: v for k, v in os.environ.items()
         if not k.startswith(("CRITERION", "CARGO", "ACCEL", "BENCH"))
         and k not in ("SAMPLE_SIZE", "RUNS", "THRESHOLD")}  # fmt: skip

# Each says what it was called with. The bench's n-th run takes the n-th of the times, in ns.
GATE = """#!/usr/bin/env bash
echo "gate $*" >>"$CALLS"
exit "${GATE_STATUS:-0}"
"""
TESTS = """#!/usr/bin/env bash
echo tests >>"$CALLS"
exit "${TESTS_STATUS:-0}"
"""
BENCH = """#!/usr/bin/env python3
import json, os, pathlib, sys
calls = pathlib.Path(os.environ["CALLS"])
n = calls.read_text().count("bench ") if calls.exists() else 0
with calls.open("a") as file:
    url = os.environ["ACCELERATOR_BENCH_REDIS_URL"]
    file.write(f"bench {url} {' '.join(sys.argv[1:])}\\n")
print("measuring")
if os.environ.get("BENCH_STATUS") and n == int(os.environ.get("FAILING_RUN", 0)):
    sys.exit(int(os.environ["BENCH_STATUS"]))
time = json.loads(os.environ["TIMES"])[n]
folder = pathlib.Path(next(a for a in sys.argv if a.startswith("--criterion-dir="))[16:])
estimate = {"confidence_interval": {"confidence_level": 0.95, "lower_bound": time - 1,
            "upper_bound": time + 1}, "point_estimate": time, "standard_error": 0.5}
names = ("mean", "median", "median_abs_dev", "slope", "std_dev")
ids = os.environ["IDS"].split()
for key in ids:
    new = folder / key / "new"
    new.mkdir(parents=True)
    (new / "estimates.json").write_text(json.dumps({name: estimate for name in names}))
    sample = {"sampling_mode": "Linear", "iters": [1.0, 2.0], "times": [time, 2 * time]}
    (new / "sample.json").write_text(json.dumps(sample))
    (new / "tukey.json").write_text("[1,2,3,4]")
    (new / "benchmark.json").write_text('{"group_id":"g"}')
of_time = {"unit": "ns", "median": time, "n": 2, "rounds": [time], "samples": [time, time]}
record = {"mean_ns": time, "median_ns": time, "metrics": {"time": of_time}}
own = {"version": 1, "run_id": os.environ["ACCEL_BENCH_RUN_ID"],
       "skipped": {"remote": "no Redis"}, "benchmarks": {key: record for key in ids}}
(folder / "accel-run-cache_path_bench.json").write_text(json.dumps(own))
"""


class ScriptTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.criterion = self.folder / "target" / "criterion"
        for name, text in {"gate": GATE, "tests": TESTS, "bench": BENCH}.items():
            path = self.folder / name
            path.write_text(text, encoding="utf-8")
            path.chmod(0o755)

    def run_script(self, *arguments, status=0, times=(100.0,) * 5, ids="g/one g/two", **variables):
        calls = self.folder / "calls"
        calls.unlink(missing_ok=True)
        settings = {
            **CLEAN, "CALLS": str(calls), "TIMES": json.dumps(times), "IDS": ids,
            "BENCH_PROGRAM": str(self.folder / "bench"), "BENCH_GATE": str(self.folder / "gate"),
            "BENCH_TESTS": str(self.folder / "tests"),
            "CARGO_TARGET_DIR": str(self.folder / "target"), **variables,
        }  # fmt: skip
        done = subprocess.run(
            [ROOT / "tools" / "bench.sh", *arguments], env=settings, capture_output=True,
            text=True, check=False, timeout=600,
        )  # fmt: skip
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        done.calls = calls.read_text(encoding="utf-8").splitlines() if calls.exists() else []
        return done

    def read(self, *path):
        return json.loads(self.criterion.joinpath(*path).read_text(encoding="utf-8"))


class Commands(ScriptTest):
    def steps(self, *arguments, **environment):
        done = self.run_script(*arguments, **environment)
        self.assertTrue(done.stdout.endswith("[bench.sh] done\n"))
        return [" ".join(call.split()[:2]) for call in done.calls]

    def test_what_each_runs(self):
        off, on = "bench none", "bench redis://127.0.0.1:6379"
        self.assertEqual(self.steps(), ["tests", off, "gate check"])
        self.assertEqual(self.steps("local"), ["tests", off, "gate check"])
        self.assertEqual(self.steps("redis"), ["tests", on, "gate check"])
        self.assertEqual(self.steps("bench-local"), [off])
        self.assertEqual(self.steps("bench-redis"), [on])
        self.assertEqual(self.steps("baseline"), ["gate export"])
        self.assertEqual(self.steps("baseline", "--run-bench"), [off, "gate export"])
        self.assertEqual(self.steps("regression"), ["gate check"])
        self.assertEqual(self.steps("redis", "--skip-tests"), [on, "gate check"])
        self.assertEqual(self.steps("--skip-tests", "local"), [off, "gate check"])

    def test_defaults(self):
        done = self.run_script()
        self.assertIn("--sample-size=60 ", done.calls[1])
        self.assertEqual(
            done.calls[2],
            f"gate check --criterion-dir {self.criterion}"
            " --baseline docs/benchmarks/cache_path_bench.json --threshold 0.15",
        )
        done = self.run_script("baseline")
        self.assertEqual(
            done.calls[0],
            f"gate export --criterion-dir {self.criterion}"
            " --output docs/benchmarks/cache_path_bench.json",
        )

    def test_options_of_both_forms_and_the_environment(self):
        wanted = ["bench redis://h:1", "--sample-size=20", "--threshold .25", "--baseline b.json"]
        variables = {"SAMPLE_SIZE": "20", "THRESHOLD": ".25", "RUNS": "2",
                     "ACCELERATOR_BENCH_REDIS_URL": "redis://h:1"}  # fmt: skip
        values = ["--sample-size", "20", "--threshold", ".25", "--runs", "2", "--redis-url",
                  "redis://h:1"]  # fmt: skip
        joined = [f"{name}={value}" for name, value in zip(values[::2], values[1::2])]
        for arguments, environment in ((values, {}), (joined, {}), ([], variables)):
            arguments = [*arguments, "redis", "--baseline", "b.json"]
            done = self.run_script(*arguments, **environment)
            self.assertEqual(len(done.calls), 4)
            for text in wanted:
                self.assertTrue(any(text in call for call in done.calls), (text, done.calls))

    def test_options_are_passed_through(self):
        where = self.folder / "elsewhere"
        done = self.run_script("baseline", "--run-bench", f"--criterion-dir={where}",
                               "--output=o.json", "--", "--quick", "hit")  # fmt: skip
        self.assertRegex(done.calls[0], r"--discard-baseline --quick hit$")
        self.assertEqual(done.calls[1], f"gate export --criterion-dir {where} --output o.json")
        self.assertTrue((where / "g/one/new/estimates.json").is_file())
        done = self.run_script("baseline", "--accept", "a new machine")
        self.assertRegex(done.calls[-1], r"--accept a new machine$")


class Wrong(ScriptTest):
    def test_arguments(self):
        for arguments, says in {
            ("--runs", "0"): "--runs takes a whole number of at least 1",
            ("--runs", "abc"): "--runs takes",
            ("--runs=-1",): "--runs takes",
            ("--runs",): "--runs needs a value",
            ("--runs=",): "--runs needs a value",
            ("--sample-size", "9"): "--sample-size takes",
            ("--sample-size", "1e3"): "--sample-size takes",
            ("--threshold", "1.1"): "--threshold takes",
            ("--threshold", "nan"): "--threshold takes",
            ("--threshold", "0x1"): "--threshold takes",
            ("--threshold", "-0.1"): "--threshold takes",
            ("--bench=../x",): "--bench takes",
            ("--bogus",): "unknown option: --bogus",
            ("-x",): "unknown option: -x",
            ("bogus",): "unknown command: bogus",
            ("local", "redis"): "one command at a time",
        }.items():
            done = self.run_script(*arguments, status=2)
            self.assertIn(f"error: {says}", done.stderr)
            self.assertEqual(done.calls, [])
        self.run_script(status=2, RUNS="0")
        self.run_script(status=2, THRESHOLD="x")

    def test_help_needs_nothing(self):
        for arguments in (["-h"], ["--help"], ["local", "-h"]):
            done = self.run_script(*arguments)
            self.assertIn("usage: tools/bench.sh", done.stdout)
            self.assertEqual(done.calls, [])

    def test_failing_tests_stop_everything(self):
        done = self.run_script(status=3, TESTS_STATUS="3")
        self.assertEqual(done.calls, ["tests"])

    def test_a_failing_bench_passes_its_status_on(self):
        done = self.run_script("local", "--runs=3", status=7, BENCH_STATUS="7", FAILING_RUN="1")
        self.assertEqual(len(done.calls), 3)
        self.assertIn("run 2 failed with status 7", done.stdout)
        self.assertNotIn("gate", " ".join(done.calls))

    def test_the_gates_status_is_the_scripts(self):
        self.run_script(status=1, GATE_STATUS="1")
        self.run_script("regression", status=3, GATE_STATUS="3")
        self.run_script("baseline", status=1, GATE_STATUS="1")


class Runs(ScriptTest):
    def test_all_runs_count(self):
        self.run_script("bench-local", "--runs", "3", times=(100.0, 104.0, 900.0))
        estimates = self.read("g/one/new/estimates.json")
        self.assertEqual(estimates["mean"]["point_estimate"], 104.0)
        self.assertEqual(estimates["median"]["confidence_interval"]["lower_bound"], 103.0)
        self.assertEqual(len(self.read("g/one/new/sample.json")["iters"]), 6)
        own = self.read("accel-run-cache_path_bench.json")
        record = own["benchmarks"]["g/two"]
        self.assertEqual((own["runs"], record["mean_ns"], record["median_ns"]), (3, 104.0, 104.0))
        self.assertEqual(record["metrics"]["time"]["rounds"], [100.0, 104.0, 900.0])
        self.assertEqual(record["metrics"]["time"]["n"], 6)
        self.assertEqual(own["skipped"], {"remote": "no Redis"})
        runs = list((self.folder / "target" / "criterion-runs").iterdir())
        self.assertEqual(sorted(path.name for path in runs[0].iterdir()), ["1", "2", "3"])
        self.assertEqual(own["run_id"], runs[0].name)

    def test_each_run_has_a_log(self):
        self.run_script("bench-local", "--runs", "2")
        self.run_script("bench-redis")
        logs = sorted(path.name for path in (self.folder / "target" / "bench-logs").iterdir())
        self.assertEqual(len(logs), 3)
        for name, (label, run) in zip(logs, (("local-only", 1), ("local-only", 2), ("redis", 1))):
            self.assertRegex(name, rf"^{label}-\d{{8}}-\d{{6}}-run{run}\.log$")
            text = (self.folder / "target" / "bench-logs" / name).read_text(encoding="utf-8")
            self.assertIn("measuring", text)

    def test_nothing_stale_is_left(self):
        self.run_script("bench-local", ids="g/one g/gone")
        self.run_script("bench-local", ids="g/one")
        self.assertTrue((self.criterion / "g/one/new/sample.json").is_file())
        self.assertFalse((self.criterion / "g/gone/new").exists())
        self.run_script("bench-local", status=5, BENCH_STATUS="5")
        self.assertFalse((self.criterion / "g/one/new").exists())
        self.assertEqual(list(self.criterion.glob("accel-run-*")), [])

    def test_runs_of_different_benches_are_not_merged(self):
        folders = []
        for n, ids in enumerate(("g/one g/two", "g/one")):
            where = self.folder / str(n)
            self.run_script("bench-local", f"--criterion-dir={where}", ids=ids)
            folders.append(where)
        done = subprocess.run(
            [ROOT / "tools" / "merge_runs.py", self.criterion, "cache_path_bench", *folders],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        self.assertEqual(done.returncode, 1)
        self.assertIn("other benches", done.stderr)

    def test_the_newest_run_must_be_of_the_bench(self):
        self.run_script("bench-local")
        other = self.criterion / "accel-run-tenant_cache_bench.json"
        other.write_text("{}", encoding="utf-8")
        os.utime(other, (2_000_000_000, 2_000_000_000))
        for command in ("regression", "baseline"):
            done = self.run_script(command, status=1)
            self.assertEqual(done.calls, [])
            self.assertIn("not one of cache_path_bench: run the bench first", done.stderr)
            self.run_script(command, "--bench", "tenant_cache_bench")

    def test_a_broken_run_is_named(self):
        where = self.folder / "run"
        self.run_script("bench-local", f"--criterion-dir={where}")
        (where / "g/one/new/sample.json").write_text("{", encoding="utf-8")
        done = subprocess.run(
            [ROOT / "tools" / "merge_runs.py", self.criterion, "cache_path_bench", where],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        self.assertEqual(done.returncode, 1)
        self.assertTrue(re.search(r"error: .*g/one/new/sample\.json: ", done.stderr))


if __name__ == "__main__":
    unittest.main(verbosity=2)
