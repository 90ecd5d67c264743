"""What a bench program does with its arguments, and what it leaves behind.

usage: bench_program.py PROGRAM, which is fixed_bench
"""

import json
import math
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import unittest

PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
QUICK = ("--quick", "--warm-up-time=.01", "--measurement-time=.02", "--nresamples=200")
LOCAL = ["plain/spin_short", "plain/spin_long/5000", "memory", "odd _&_'_ é/a_b", "late", "closed"]
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("CRITERION", "CARGO", "ACCEL"))}


class BenchTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.criterion = self.folder / "target" / "criterion"

    def run_bench(self, *arguments, status=0, stdin="", **environment):
        done = subprocess.run(
            [PROGRAM, *arguments], cwd=self.folder, env={**CLEAN, **environment}, text=True,
            capture_output=True, input=stdin, check=False, timeout=1000,
        )  # fmt: skip
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def read(self, *path):
        return json.loads(self.criterion.joinpath(*path).read_text(encoding="utf-8"))


class Arguments(BenchTest):
    def refused(self, *arguments, says):
        done = self.run_bench(*arguments, status=2)
        self.assertRegex(done.stderr, says)
        self.assertEqual(done.stdout, "")
        self.assertFalse(self.criterion.exists())

    def test_help_goes_to_stdout(self):
        for arguments in (["--help"], ["-h"], ["--help", "--bogus"]):
            self.assertIn("--sample-size N", self.run_bench(*arguments).stdout)

    def test_bounds_are_criterions(self):
        for option, wrong in {
            "sample-size": ["9", "-1", "abc", "", "10x", "1e3"],
            "warm-up-time": ["0", "-1", "nan", "inf", "0x1p3", " 1", ""],
            "measurement-time": ["0", "-0.0", "nan"],
            "nresamples": ["0", "1.5"],
            "profile-time": ["0"],
            "seed": ["-1", "x"],
            "output-format": ["xml", ""],
            "save-baseline": ["", "new", "../x", "a/b", "change", "x" * 65],
            "baseline": ["", ".."],
        }.items():
            for value in wrong:
                self.refused(f"--{option}={value}", says=f"^error: invalid --{option} value: ")
                self.refused(f"--{option}", value, says=f"^error: invalid --{option} value: ")

    def test_unknown_and_incomplete_ones(self):
        self.refused("--bogus", says="unknown argument: --bogus")
        self.refused("--list=3", says="unknown argument: --list=3")
        self.refused("--sample-size", says="missing value for --sample-size")
        self.refused("a", "b", says="one FILTER at most")

    def test_a_filter_that_names_nothing_is_no_success(self):
        self.assertIn("no bench of fixed_bench", self.run_bench("nothing", status=1).stderr)
        self.assertIn("no regular expr", self.run_bench("(", status=1).stderr)
        self.run_bench("--exact", "plain", status=1)

    def test_lists(self):
        ids = self.run_bench("--list").stdout.splitlines()
        self.assertEqual(len(ids), 7)
        self.assertEqual(ids[1], "plain/spin/long/5000: benchmark")
        self.assertEqual(self.run_bench("--list", "spin").stdout.count("benchmark"), 2)
        self.assertEqual(self.run_bench("--list", "--exact", "plain/spin_short").stdout,
                         "plain/spin/short: benchmark\n")  # fmt: skip

    def test_runs_each_once(self):
        done = self.run_bench("--test")
        self.assertEqual(done.stdout.count("Success"), 6)
        self.assertIn("Testing remote/one: nobody answers", done.stdout)
        self.assertFalse(self.criterion.exists())
        self.run_bench("--test", status=1, FIXED_BENCH_FAILS="1")

    def test_refuses_builds_that_nobody_should_time(self):
        for build, says in {
            "O0": "no optimisation",
            "assert": "assertions",
            "sanitizer": "address sanitizer",
        }.items():
            done = self.run_bench(*QUICK, status=2, FIXED_BENCH_BUILD=build)
            self.assertRegex(done.stderr, f"built with {says}")
            self.assertFalse(self.criterion.exists())
            self.run_bench("--test", FIXED_BENCH_BUILD=build)

    def test_profiles(self):
        done = self.run_bench("--profile-time=.01", "memory")
        self.assertEqual(done.stdout, "Profiling memory: Success\n")


class Results(BenchTest):
    def test_criterion_tree(self):
        self.run_bench(*QUICK, "--save-baseline=mine")
        for key in LOCAL:
            for where in ("new", "mine"):
                found = sorted(path.name for path in (self.criterion / key / where).iterdir())
                wanted = ["benchmark.json", "estimates.json", "sample.json", "tukey.json"]
                self.assertEqual(found, wanted, key)
        self.assertEqual(
            self.read("plain/spin_long/5000/new/benchmark.json"),
            {
                "group_id": "plain", "function_id": "spin/long", "value_str": "5000",
                "throughput": {"Bytes": 4096}, "full_id": "plain/spin/long/5000",
                "directory_name": "plain/spin_long/5000", "title": "plain/spin/long/5000",
            },
        )  # fmt: skip
        alone = self.read("memory/new/benchmark.json")
        self.assertEqual((alone["function_id"], alone["value_str"]), (None, None))
        self.assertIsNone(alone["throughput"])
        self.assertEqual(self.read(LOCAL[3], "new/benchmark.json")["group_id"], "odd <&\"'\\ é")

    def test_estimates_are_those_of_the_samples(self):
        self.run_bench(*QUICK, "plain/spin/short", "--sample-size=12")
        sample = self.read("plain/spin_short/new/sample.json")
        estimates = self.read("plain/spin_short/new/estimates.json")
        self.assertEqual(sample["sampling_mode"], "Flat")
        self.assertEqual(len(sample["iters"]), 12)
        self.assertEqual(len(set(sample["iters"])), 1)
        self.assertIsNone(estimates["slope"])
        each = [time / count for time, count in zip(sample["times"], sample["iters"])]
        middle = statistics.median(each)
        for name, value in {
            "mean": statistics.mean(each),
            "median": middle,
            "std_dev": statistics.stdev(each),
            "median_abs_dev": 1.4826 * statistics.median(abs(n - middle) for n in each),
        }.items():
            self.assertTrue(math.isclose(estimates[name]["point_estimate"], value, rel_tol=1e-9))
            interval = estimates[name]["confidence_interval"]
            self.assertEqual(interval["confidence_level"], 0.95)
            self.assertLessEqual(interval["lower_bound"], interval["upper_bound"])
        first, _, third = statistics.quantiles(each, n=4, method="inclusive")
        steps = (first, -3), (first, -1.5), (third, 1.5), (third, 3)
        wanted = [quartile + step * (third - first) for quartile, step in steps]
        for have, want in zip(self.read("plain/spin_short/new/tukey.json"), wanted):
            self.assertTrue(math.isclose(have, want, rel_tol=1e-9, abs_tol=1e-9))

    def test_same_samples_and_seed_same_bytes(self):
        self.run_bench(*QUICK, "memory", "--save-baseline=first")
        outputs = []
        for _ in range(2):
            text = self.run_bench("memory", "--load-baseline=first", "--baseline=first").stdout
            outputs.append(text + (self.criterion / "memory/new/estimates.json").read_text())
        self.assertEqual(outputs[0], outputs[1])
        other = self.run_bench("memory", "--load-baseline=first", "--baseline=first", "--seed=7")
        self.assertNotEqual(outputs[0][: len(other.stdout)], other.stdout)

    def write_sample(self, name, times):
        path = self.criterion / "memory" / name / "sample.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        iterations = [float(i + 1) for i in range(len(times))]
        totals = [time * count for time, count in zip(times, iterations)]
        sample = {"sampling_mode": "Linear", "iters": iterations, "times": totals}
        path.write_text(json.dumps(sample), encoding="utf-8")

    def test_changes_are_told(self):
        before = [100 + i % 7 for i in range(60)]
        self.write_sample("before", before)
        for factor, says in {
            1.0: "No change in performance detected.",
            1.2: "Performance has regressed.",
            0.8: "Performance has improved.",
        }.items():
            self.write_sample("after", [time * factor for time in before])
            done = self.run_bench("memory", "--load-baseline=after", "--baseline=before")
            self.assertIn(says, done.stdout)
            percent = rf"[+-]{abs(factor - 1) * 100:.4f}%"
            self.assertRegex(done.stdout, rf"change: \[\S+% {percent} \S+%\]")
            ratio = self.read("memory/change/estimates.json")["mean"]["point_estimate"]
            self.assertAlmostEqual(ratio, factor - 1)
        self.write_sample("before", [100 + i % 7 / 10 for i in range(60)])
        self.write_sample("after", [100.4 + i % 7 / 10 for i in range(60)])
        arguments = ("--load-baseline=after", "--baseline=before")
        self.assertIn("within noise", self.run_bench("memory", *arguments).stdout)

    def test_baselines(self):
        done = self.run_bench(*QUICK, "memory", "--baseline=none", status=1)
        self.assertIn("the baseline asked for is not there", done.stderr)
        self.run_bench(*QUICK, "memory", "--discard-baseline")
        self.assertEqual([path.name for path in (self.criterion / "memory").iterdir()], ["new"])
        self.run_bench(*QUICK, "memory")
        self.assertIn("change:", self.run_bench(*QUICK, "memory").stdout)
        done = self.run_bench("memory", "--load-baseline=x", status=1)
        self.assertIn("no such baseline", done.stderr)

    def test_a_broken_baseline_is_named(self):
        path = self.criterion / "memory" / "base" / "sample.json"
        path.parent.mkdir(parents=True)
        for text in ("", "{", '{"iters":[1,2],"times":[1]}', '{"iters":[0],"times":[1]}',
                     '{"iters":[1e999],"times":[1]}', '{"iters":["1"],"times":[1]}'):  # fmt: skip
            path.write_text(text, encoding="utf-8")
            done = self.run_bench(*QUICK, "memory", "--baseline=base", status=1)
            self.assertIn("memory/base/sample.json is not a sample", done.stderr)

    def test_a_mangled_baseline_never_crashes(self):
        path = self.criterion / "memory" / "given" / "sample.json"
        path.parent.mkdir(parents=True)
        sample = {"sampling_mode": "Linear", "iters": [1.0, 2.0], "times": [10.0, 21.5]}
        text = json.dumps(sample)
        chance = random.Random(42)
        for _ in range(150):
            mangled = list(text)
            for _ in range(chance.randint(1, 4)):
                at = chance.randrange(len(mangled))
                mangled[at : at + chance.randint(0, 3)] = chance.choice(
                    ["", "9" * 400, "1e999", "-1", "[", "]", ",", '"', "\0", "null", ":", "{" * 99]
                )
            path.write_text("".join(mangled), encoding="utf-8")
            done = subprocess.run(
                [PROGRAM, "memory", "--load-baseline=given", "--nresamples=10"], cwd=self.folder,
                env=CLEAN, capture_output=True, check=False, timeout=200,
            )  # fmt: skip
            self.assertIn(done.returncode, (0, 1), "".join(mangled))

    def test_failures_and_skips_are_not_silent(self):
        done = self.run_bench(*QUICK, status=1, FIXED_BENCH_FAILS="1")
        self.assertIn("error: late: it gave the wrong answer", done.stderr)
        self.assertIn("error: closed: it cannot be opened", done.stderr)
        self.assertIn("skipped: remote/one: nobody answers", done.stderr)
        self.assertFalse((self.criterion / "late" / "new").exists())
        own = self.read("accel-run-fixed_bench.json")
        self.assertEqual(own["skipped"], {"remote/one": "nobody answers"})
        self.assertEqual(own["failed"], {"late": "it gave the wrong answer",
                                         "closed": "it cannot be opened"})  # fmt: skip
        self.assertEqual(list(own["benchmarks"]), LOCAL[:4])

    def test_an_unwritable_folder_is_an_error(self):
        (self.folder / "file").write_text("")
        done = self.run_bench(*QUICK, "memory", "--criterion-dir=file", status=1)
        self.assertIn("cannot be written", done.stderr)

    def test_places(self):
        self.run_bench(*QUICK, "memory", CRITERION_HOME="here")
        self.run_bench(*QUICK, "memory", CARGO_TARGET_DIR="there")
        self.run_bench(*QUICK, "memory", "--criterion-dir", "elsewhere", CRITERION_HOME="no")
        for path in ("here", "there/criterion", "elsewhere"):
            self.assertTrue((self.folder / path / "memory/new/sample.json").is_file(), path)

    def test_own_record(self):
        self.run_bench(*QUICK, "short", ACCEL_BENCH_RUN_ID="run 7")
        own = self.read("accel-run-fixed_bench.json")
        self.assertEqual(own["run_id"], "run 7")
        record = own["benchmarks"]["plain/spin_short"]
        self.assertEqual(record["params"]["seed"], 42)
        self.assertRegex(record["bench_hash"], "^[0-9a-f]{16}$")
        self.assertEqual(record["targets"], {"time": {"target": 5.0, "acceptable": 10.0}})
        time = record["metrics"]["time"]
        self.assertLessEqual(time["lo"], time["mean"])
        self.assertLessEqual(time["mean"], time["hi"])
        self.assertLessEqual(time["p05"], time["p50"])
        self.assertLessEqual(time["p50"], time["p95"])
        self.assertEqual((time["n"], time["percentiles"]), (10, "batch"))
        rate = record["metrics"]["throughput"]["median"]
        self.assertTrue(math.isclose(rate, 1e9 / record["median_ns"], rel_tol=1e-9))

    def test_summaries_of_both_kinds(self):
        self.run_bench(*QUICK, "plain|memory")
        folder = self.folder / "target" / "benchmarks"
        keys = "memory", "plain_spin_long_5000", "plain_spin_short"
        names = [f"bench-{key}.json" for key in keys]
        self.assertEqual(sorted(path.name for path in folder.iterdir()), names)
        own = self.read("accel-run-fixed_bench.json")
        for name, key, metric, unit in (
            (names[0], "memory", "duration_ms", "ms"),
            (names[1], "plain/spin_long/5000", "throughput_mbs", "MB/s"),
        ):
            value = json.loads((folder / name).read_text(encoding="utf-8"))
            self.assertEqual([value[k] for k in ("bench_id", "metric", "unit", "n", "timestamp")],
                             [key, metric, unit, 10, own["started"]])  # fmt: skip
            self.assertTrue(0 < value["p05"] <= value["p50"] <= value["p95"])
        median = own["benchmarks"]["memory"]["median_ns"]
        value = json.loads((folder / names[0]).read_text(encoding="utf-8"))
        self.assertTrue(math.isclose(value["p50"] * 1e6, median, rel_tol=1e-9))

    def test_allocations_are_exact(self):
        self.run_bench(*QUICK, "memory|long")
        metrics = self.read("accel-run-fixed_bench.json")["benchmarks"]["memory"]["metrics"]
        self.assertEqual(metrics["allocs"]["value"], 3)
        self.assertEqual(metrics["alloc_bytes"]["value"], 120)
        self.assertEqual(metrics["peak_bytes"]["value"], 120)
        slow = self.read("accel-run-fixed_bench.json")["benchmarks"]["plain/spin_long/5000"]
        self.assertEqual(slow["metrics"]["time"]["percentiles"], "op")


class Formats(BenchTest):
    def test_text_is_criterions(self):
        text = self.run_bench(*QUICK, "plain|late", "-v").stdout
        unit = "(?:ns|µs|ms|s)"
        times = rf"\[(\d+\.\d+ {unit} ?){{3}}\]"
        self.assertRegex(text, rf"(?m)^plain/spin/short        time:   {times}$")
        self.assertRegex(text, r"(?m)^                        thrpt:  \[.*elem/s\]$")
        self.assertRegex(text, r"(?m)^                        thrpt:  \[.*iB/s\]$")
        self.assertRegex(text, r"(?m)^p50\(op\) .* p99\(op\) ")
        self.assertRegex(text, r"(?m)^p50\(batch\) ")

    def test_bencher(self):
        lines = self.run_bench(*QUICK, "plain|odd", "--output-format=bencher").stdout.splitlines()
        self.assertEqual(len(lines), 3)
        for line in lines:
            self.assertRegex(line, r"^test .+ \.\.\. bench: +[\d,.]+ ns/iter \(\+/- [\d,.]+\)$")

    def test_json(self):
        self.run_bench(*QUICK, "memory")
        text = (self.criterion / "accel-run-fixed_bench.json").read_text()
        value = json.loads(text, parse_constant=self.fail)
        self.assertEqual((value["version"], value["schema"]), (1, 2))

    def test_quiet_prints_no_more_than_times(self):
        text = self.run_bench(*QUICK, "memory", "--quiet").stdout
        self.assertEqual(len(text.splitlines()), 1)


class Serving(BenchTest):
    def ask(self, *commands, **environment):
        done = self.run_bench("--serve", stdin="".join(f"{c}\n" for c in commands), **environment)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(len(answers), 1 + len([c for c in commands if c != "quit"]))
        self.assertFalse(self.criterion.exists())
        return answers

    def test_conversation(self):
        hello, known, calibrated, run, slow, odd = self.ask(
            "list", "calibrate 10 memory", "run 100 5 memory", "run 2 3 plain/spin_long/5000",
            f"run 10 1 {LOCAL[3]}", "quit"
        )  # fmt: skip
        self.assertEqual((hello["accel_bench"], hello["executable"]), (1, "fixed_bench"))
        self.assertEqual(hello["build"]["type"], "release")
        self.assertEqual([b["id"] for b in known["benches"]], LOCAL)
        self.assertEqual(known["skipped"], [{"id": "remote/one", "reason": "nobody answers"}])
        self.assertGreater(calibrated["iters"], 100)
        self.assertGreater(calibrated["ns"], 0)
        self.assertEqual((run["iters"], len(run["times"])), (100, 5))
        self.assertEqual((run["allocs"], run["peak_bytes"], run["p95_op"]), (3, 120, None))
        self.assertGreater(slow["p95_op"], 0)
        self.assertEqual(odd["id"], LOCAL[3])

    def test_whatever_is_wrong_is_answered(self):
        commands = ["", "run", "run 1 1 nope", "run 0 1 memory", "run 1 0 memory",
                    "run 1 memory", "run -1 1 memory", "calibrate memory",
                    "calibrate 99999999 memory", "stop", "run 1 1 late", "run 1 1 closed",
                    "run 1 1 remote/one", "x" * 900]  # fmt: skip
        answers = self.ask(*commands, "run 1 1 memory", FIXED_BENCH_FAILS="1")
        for command, answer in zip(commands, answers[1:]):
            self.assertIn("error", answer, command)
        self.assertEqual(len(answers[-1]["times"]), 1)
        self.assertEqual(answers[11]["error"], "it gave the wrong answer")

    def test_a_debug_build_says_so(self):
        for build, kind in {"O0": "debug", "assert": "debug", "sanitizer": "sanitized"}.items():
            self.assertEqual(self.ask(FIXED_BENCH_BUILD=build)[0]["build"]["type"], kind)


if __name__ == "__main__":
    unittest.main(verbosity=2)
