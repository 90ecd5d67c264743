"""check with its own rules: limits, presence, identity, statistics, and every hole of the first
checker, each closed."""

import json
import resource

import gate_world

CRITERION = ["--criterion-dir", "target/criterion"]


class Holes(gate_world.World):
    """What the first checkers let pass."""

    def test_means_of_zero_and_below(self):
        self.entry("a", 5)
        for mean in (0, -5):
            self.baseline({"a": mean})
            result = self.check(3)
            self.assertIn("mean_ns is", result.err)
        self.baseline({"a": 5})
        for mean in (0, -3):
            self.entry("a", mean)
            self.assertIn("point_estimate is", self.check(3).err)
            self.assertIn("point_estimate is", self.check(1, "--compat=seed").err)

    def test_missing_bench_fails(self):
        self.entry("a", 5)
        self.entry("single_key/hit_makro", 5)
        self.baseline({"a": 5, "single_key/hit_macro": 5})
        result = self.check(1, "--profile=default")
        self.assertIn("MISSING", result.out)
        self.assertRegex(result.out, "NEW +single_key/hit_makro")
        self.check(0, "--profile=default", "--missing=warn")
        self.check(1, "--profile=default", "--missing=warn", "--warn-is-error")
        self.check(0, "--profile=seed000")

    def test_new_bench_is_mentioned(self):
        self.entry("a", 5)
        self.entry("b", 5)
        self.baseline({"a": 5})
        self.assertRegex(self.check(0).out, r"NEW +b\b")

    def test_duplicate_ids(self):
        self.entry("a", 5)
        self.write("b.json", '{"version":1,"benchmarks":{"a":{"mean_ns":5},"a":{"mean_ns":6}}}')
        for more in ([], ["--compat=seed"]):
            result = self.check(1 if more else 3, "--baseline=b.json", *more)
            self.assertIn("duplicate", result.err)

    def test_unknown_version(self):
        self.entry("a", 5)
        self.baseline({"a": 5}, version=99)
        self.assertIn("version 99", self.check(3).err)

    def test_stale_entries_are_not_current(self):
        self.entry("a", 5)
        self.entry("deleted", 5)
        self.own(
            "target/criterion/accel-run-old.json",
            {"deleted": {"mean_ns": 5}},
            run_id="1",
            started="2026-11-20T00:00:00Z",
        )
        self.own(
            "target/criterion/accel-run-new.json",
            {"a": {"mean_ns": 5}},
            run_id="2",
            started=gate_world.STAMP,
        )
        self.baseline({"a": 5, "deleted": 5})
        self.assertIn("its results are old", self.check(1, "--missing=fail").out)
        self.assertIn(
            "[WARN] benchmark missing in current run: deleted", self.check(0, "--compat=seed").out
        )

    def test_nothing_compared_is_never_a_pass(self):
        self.entry("a", 5)
        self.baseline({"b": 5})
        self.assertIn("nothing was compared", self.check(3, "--missing=pass").out)
        self.baseline({"a": 5})
        self.check(3, "--only", "nothing*")
        self.check(3, "--threshold=mean=-:-")

    def test_one_spike_does_not_fail_a_median(self):
        calm = [100, 101, 99, 100, 102, 98, 100, 101]
        self.own("base.json", {"a": {"metrics": {"time": gate_world.time_metric(calm)}}})
        spiked = gate_world.time_metric(calm[:-1] + [9000])
        self.own("now.json", {"a": {"metrics": {"time": spiked}}})
        result = self.check(0, "base.json", "now.json")
        self.assertRegex(result.out, r"OK +a +median")


class Rules(gate_world.World):
    def pair(self, base, now, code, *arguments, **more):
        self.own("base.json", {"a": {"metrics": {"time": gate_world.time_metric(base)}}}, **more)
        self.own("now.json", {"a": {"metrics": {"time": gate_world.time_metric(now)}}}, **more)
        return self.check(code, "base.json", "now.json", *arguments)

    def scaled(self, factor, noise=0.01):
        return [100 * factor * (1 + noise * ((i * 7) % 5 - 2)) for i in range(10)]

    def test_verdicts_of_rounds(self):
        same = self.scaled(1)
        for factor, verdict, code in (
            (1, "OK", 0), (1.05, "OK", 0), (1.15, "WARN", 0), (1.3, "FAIL", 1),
            (0.8, "IMPROVED", 0),
        ):  # fmt: skip
            result = self.pair(same, self.scaled(factor), code)
            self.assertRegex(result.out, rf"{verdict} +a +median")

    def test_noise_is_no_regression(self):
        wild = [100, 180, 60, 150, 90, 100, 210, 70]
        wilder = [120, 60, 240, 100, 180, 70, 200, 130]
        result = self.pair(wild, wilder, 0)
        self.assertIn("INCONCLUSIVE", result.out)
        self.pair(wild, wilder, 4, "--inconclusive=fail")

    def test_single_runs_prove_nothing_by_default(self):
        self.own("base.json", {"a": {"mean_ns": 100}})
        self.own("now.json", {"a": {"mean_ns": 160}})
        self.assertIn("single run", self.check(4, "base.json", "now.json").out)
        self.check(1, "base.json", "now.json", "--threshold=0.15")
        self.check(1, "base.json", "now.json", "--profile=seed000")

    def test_limits(self):
        self.pair(self.scaled(1), self.scaled(1.3), 0, "--threshold=mean=0.4:0.5",
                  "--threshold", "median=0.4:0.5")  # fmt: skip
        self.pair(self.scaled(1), self.scaled(1.05), 1, "--threshold=median=0.01:0.03")
        for wrong in ("median=x", "median=0.3:0.1", "=1", "median=1:2:3", "median=-1"):
            self.assertEqual(self.check(2, "x", "y", f"--threshold={wrong}").out, "")

    def test_one_ratio_judges_all_times(self):
        """--threshold R is about means: their other faces have no limit besides."""

        def bench(ns):
            time = {"unit": "ns", "better": "lower", "mean": ns, "median": ns, "p95": 9 * ns}
            rate = {"unit": "elem/s", "better": "higher", "value": 1e9 / ns}
            return {"a": {"mean_ns": ns, "metrics": {"time": time, "throughput": rate}}}

        self.own("base.json", bench(100))
        for now, threshold, code in ((140, 0.5, 0), (160, 0.5, 1), (110, 0.05, 1), (200, 1, 0)):
            self.own("now.json", bench(now))
            self.check(code, "base.json", "now.json", f"--threshold={threshold}")

    def test_exit_codes(self):
        """The table: 0 ok or warned, 1 worse, 2 usage, 3 input, 4 unclear where that counts."""
        here = {"machine": {"cpu": "one"}}
        self.own("base.json", {"a": {"mean_ns": 100}}, **here)
        self.own("same.json", {"a": {"mean_ns": 100}}, **here)
        self.own("worse.json", {"a": {"mean_ns": 160}}, **here)
        self.own("away.json", {"b": {"mean_ns": 100}}, **here)
        self.own("there.json", {"a": {"mean_ns": 200}}, machine={"cpu": "two"})
        self.write("bad.json", "{")
        for code, seed_code, *arguments in (
            (0, 0, "same.json"), (4, None, "worse.json"), (1, 1, "worse.json", "--threshold=0.15"),
            (2, 2, "same.json", "--bogus"),
            (2, 2, "same.json", "--threshold=x"), (3, None, "away.json", "--missing=warn"),
            (3, 3, "none.json"), (3, None, "bad.json"), (0, None, "there.json"),
            (4, None, "there.json", "--require-same-machine"),
        ):  # fmt: skip
            self.check(code, "base.json", *arguments)
            if seed_code is not None:
                self.check(seed_code, "--compat=seed", "base.json", *arguments)

    def test_exact_counts(self):
        def bench(allocs):
            return {"a": {"mean_ns": 5, "metrics": {"allocs": {
                "unit": "1/op", "better": "lower", "exact": True, "value": allocs}}}}  # fmt: skip

        for base, now, code in ((0, 0, 0), (0, 1, 1), (2, 2, 0), (2, 3, 1), (100, 114, 0)):
            self.own("base.json", bench(base))
            self.own("now.json", bench(now))
            self.check(code, "base.json", "now.json")

    def test_config_file(self):
        self.write(
            "gate.json",
            {
                "profile": "default",
                "thresholds": {"median": {"warn": 0.01, "fail": 0.02}},
                "benches": [{"match": "a*", "thresholds": {"median": {"fail": 0.9}}}],
            },
        )
        self.pair(self.scaled(1), self.scaled(1.15), 0, "--config=gate.json")
        self.write("gate.json", {"thresholds": {"median": {"warn": 0.01, "fail": 0.02}}})
        self.pair(self.scaled(1), self.scaled(1.15), 1, "--config=gate.json")
        for wrong in ({"treshold": {}}, {"missing": "perhaps"}, {"ignore": [{"match": "a"}]}):
            self.write("gate.json", wrong)
            result = self.pair(self.scaled(1), self.scaled(1), 2, "--config=gate.json")
            self.assertIn("gate.json", result.err)

    def test_waivers_die(self):
        arguments = (self.scaled(1), self.scaled(1.3))
        result = self.pair(*arguments, 3, "--ignore", "a=known@2999-01-01")
        self.assertIn("known (until 2999-01-01)", result.out)
        self.pair(*arguments, 1, "--ignore", "a=known@2020-01-01")
        self.pair(*arguments, 2, "--ignore", "a=known")

    def test_machines_differ(self):
        self.own("base.json", {"a": {"mean_ns": 100}}, machine={"cpu": "one", "mhz": "1"})
        self.own("now.json", {"a": {"mean_ns": 900}}, machine={"cpu": "two", "mhz": "2"})
        result = self.check(0, "base.json", "now.json")
        self.assertIn("NOT-COMPARABLE", result.out)
        self.assertIn("cpu: one, now two", result.out)
        self.assertIn("\nNOT JUDGED: 1 of 1 figure not comparable: ", result.out)
        self.check(4, "base.json", "now.json", "--require-same-machine")
        self.own("base.json", {"a": {"mean_ns": 100}}, machine={"cpu": "two", "mhz": "1"})
        self.check(1, "base.json", "now.json", "--require-same-machine", "--threshold=0.15")

    def test_definition_changed(self):
        self.own("base.json", {"a": {"mean_ns": 1, "bench_hash": "1"}, "b": {"mean_ns": 1}})
        self.own("now.json", {"a": {"mean_ns": 9, "bench_hash": "2"}, "b": {"mean_ns": 1}})
        self.assertIn("the bench itself changed", self.check(0, "base.json", "now.json").out)

    def test_skipped_is_not_missing(self):
        self.own("base.json", {"a": {"mean_ns": 1}, "remote/a": {"mean_ns": 1}})
        self.own("now.json", {"a": {"mean_ns": 1}}, skipped={"remote": "redis unreachable"})
        self.assertIn("redis unreachable", self.check(0, "base.json", "now.json").out)

    def test_units_and_directions_must_fit(self):
        def bench(unit, better):
            return {"a": {"metrics": {"x": {"unit": unit, "better": better, "value": 5}}}}

        self.own("base.json", bench("ms", "lower"))
        self.own("now.json", bench("MB/s", "higher"))
        self.assertIn("unit mismatch", self.check(3, "base.json", "now.json").err)
        self.own("now.json", bench("s", "higher"))
        self.assertIn("direction mismatch", self.check(3, "base.json", "now.json").err)

    def test_no_baseline_yet(self):
        self.entry("a", 1)
        self.assertIn("baseline file not found", self.check(3).err)

    def test_the_first_baseline(self):
        path = "docs/benchmarks/cache_path_bench.json"
        self.entry("a", 1)
        self.assertIn("wrote the first", self.check(0, "--init").out)
        self.assertEqual(json.loads(self.read(path))["benchmarks"]["a"]["mean_ns"], 1)
        self.entry("a", 3)
        self.check(1, "--init")  # from then on it is compared with
        self.own("now.json", {"a": {"mean_ns": 5}})
        self.check(0, "--init", "new/base.json", "now.json")
        self.check(0, "new/base.json", "now.json")
        self.own("bad.json", {"a": {"mean_ns": 5}}, failed={"b": "boom"})
        self.assertIn("boom", self.check(1, "--init", "none.json", "bad.json").err)
        self.assertFalse((self.folder / "none.json").exists())
        self.check(3, "--init", "none.json", "nowhere.json")

    def test_exactly_at_the_limit(self):
        """Plain arithmetic calls 20 % a regression in four of ten such pairs."""
        failed = []
        for cents in range(1, 3000, 13):
            base, now = cents / 100, cents * 12 / 1000
            self.record("base.json", base, p50=base)
            self.record("now.json", now, p50=now)
            if self.gate("check", "base.json", "now.json").code != 0:
                failed.append((base, now))
        self.assertEqual(failed, [])


class Outputs(gate_world.World):
    ID = "h\u00e9/<&\">'"

    def finished(self):
        self.own("base.json", {self.ID: {"mean_ns": 100}, "gone": {"mean_ns": 1}})
        self.own("now.json", {self.ID: {"mean_ns": 200}})

    def test_files(self):
        self.finished()
        self.check(1, "base.json", "now.json", "--threshold=0.15", "--md", "m.md",
                   "--json=r.json")  # fmt: skip
        head = "| Benchmark | Metric | Baseline | Current | Change | Status |"
        self.assertIn(head, self.read("m.md"))
        self.assertIn("Regression", self.read("m.md"))
        self.assertNotIn("<&", self.read("m.md"))
        rows = json.loads(self.read("r.json"))["rows"]
        self.assertEqual({row["verdict"] for row in rows}, {"FAIL", "MISSING"})

    def test_same_input_same_bytes(self):
        self.finished()
        first, second = [self.gate("check", "base.json", "now.json", "--json=-.json") for _ in "ab"]
        self.assertEqual(first.out, second.out)

    def test_table(self):
        self.finished()
        self.assertIn(self.ID, self.check(1, "base.json", "now.json", "--threshold=0.15").out)

    def test_report_that_cannot_be_written(self):
        self.finished()
        self.path("folder/x")
        result = self.check(3, "base.json", "now.json", "--md=folder")
        self.assertIn("failed to write folder", result.err)


class Speed(gate_world.World):
    """Within a second and 64 MiB. Other programs may take the processor meanwhile, so that what
    counts is the time that the tool had of it."""

    def timed(self, *arguments):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.check(0, *arguments)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"1000 benches: {seconds:.2f} s, {after.ru_maxrss / 1024:.0f} MiB")
        self.assertLess(after.ru_maxrss, 64 * 1024)
        self.assertLess(seconds, 1)

    def test_a_thousand_benches(self):
        rounds = gate_world.time_metric([100.0 + i for i in range(10)], samples=[1.5] * 100)
        benches = {f"group/bench_{i}": {"metrics": {"time": rounds}} for i in range(1000)}
        self.own("base.json", benches)
        self.own("now.json", benches)
        self.timed("base.json", "now.json")

    def test_a_thousand_folders(self):
        for i in range(1000):
            self.entry(f"group/bench_{i}/x", 5)
            samples = {"sampling_mode": "Flat", "iters": [9.0] * 100, "times": [45.0] * 100}
            self.write(f"target/criterion/group/bench_{i}/x/new/sample.json", samples)
        self.baseline({f"group/bench_{i}/x": 5 for i in range(1000)})
        self.timed()


if __name__ == "__main__":
    gate_world.main()
