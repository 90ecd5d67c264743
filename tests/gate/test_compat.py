"""The first tools' texts, defaults and exit codes, byte for byte."""

import gate_world


class Export(gate_world.World):
    def test_text_of_a_baseline(self):
        self.entry("single_key/hit_macro", 504.25, 18)
        self.entry("batch/hit_macro/32", 1e300, 0.1)
        result = self.gate("export", "--compat=seed")
        self.assertEqual(result.code, 0, result)
        self.assertEqual(
            result.out, "wrote baseline: docs/benchmarks/cache_path_bench.json (2 benchmarks)\n"
        )
        self.assertEqual(
            self.read("docs/benchmarks/cache_path_bench.json"),
            """{
  "version": 1,
  "benchmarks": {
    "batch/hit_macro/32": {
      "mean_ns": 1e300,
      "median_ns": 0.1
    },
    "single_key/hit_macro": {
      "mean_ns": 504.25,
      "median_ns": 18.0
    }
  }
}
""",
        )

    def test_faults(self):
        tree = "target/criterion"
        for content, text in (
            (None, f"criterion dir not found: {tree}"),
            ({}, f"missing mean.point_estimate in {tree}/a/b/new/estimates.json"),
            (
                {"mean": {"point_estimate": None}},
                f"missing mean.point_estimate in {tree}/a/b/new/estimates.json",
            ),
            (
                {"mean": {"point_estimate": 1}},
                f"missing median.point_estimate in {tree}/a/b/new/estimates.json",
            ),
        ):
            if content is not None:
                self.write(f"{tree}/a/b/new/estimates.json", content)
            result = self.gate("export", "--compat=seed")
            self.assertEqual((result.code, result.out), (1, ""), result)
            self.assertEqual(result.err, f"error: {text}\n")

    def test_no_estimates(self):
        self.path("target/criterion/a/b/base/estimates.json")
        result = self.gate("export", "--compat=seed")
        self.assertEqual(result.err, "error: no benchmark estimates found under target/criterion\n")
        self.assertEqual(result.code, 1)

    def test_corrupt_estimates(self):
        self.write("target/criterion/a/new/estimates.json", '{"mean":\n NaN}')
        result = self.gate("export", "--compat=seed")
        self.assertEqual(result.code, 1)
        self.assertIn("error: failed to parse target/criterion/a/new/estimates.json: ", result.err)
        self.assertIn("at line 2", result.err)

    def test_usage(self):
        for command in ("export", "check"):
            result = self.gate(command, "--compat=seed", "--bogus", "-h")
            self.assertEqual(result.code, 2)
            self.assertEqual(result.err, "error: unknown argument: --bogus\n")
            self.assertIn("USAGE:", result.out)
            result = self.gate(command, "--compat=seed", "--criterion-dir")
            self.assertEqual(result.code, 2)
            self.assertEqual(result.err, "error: missing value for --criterion-dir\n")
            result = self.gate(command, "-h", "--bogus")
            self.assertEqual(result.code, 0)
            self.assertIn("USAGE:", result.out)

    def test_last_repeat_wins(self):
        self.entry("a/b", 1, root="here")
        result = self.gate(
            "export", "--compat=seed", "--criterion-dir", "nowhere", "--criterion-dir=here",
            "--output", "x.json", "--output=y.json",
        )  # fmt: skip
        self.assertEqual(result.out, "wrote baseline: y.json (1 benchmarks)\n", result)


class Check(gate_world.World):
    def seed(self, code, *arguments):
        return self.check(code, "--compat=seed", *arguments)

    def test_pass(self):
        self.entry("single_key/hit_macro", 110)
        self.entry("single_key/miss_macro", 2900.5)
        self.entry("unmentioned", 1)
        self.baseline({"single_key/hit_macro": 100, "single_key/miss_macro": 3000, "gone": 5})
        result = self.seed(0)
        self.assertEqual(
            result.out,
            """[WARN] benchmark missing in current run: gone
[CHECK] single_key/hit_macro           base=    100.00ns now=    110.00ns delta=  10.00%
[CHECK] single_key/miss_macro          base=   3000.00ns now=   2900.50ns delta=  -3.32%

[PASS] no regression over threshold 15.00%
""",
        )
        self.assertEqual(result.err, "")

    def test_fail(self):
        self.entry("a", 116)
        self.entry("b", 100)
        self.entry("z", 300)
        self.baseline({"a": 100, "b": 100, "z": 100})
        result = self.seed(1)
        self.assertEqual(
            result.out.splitlines()[4:],
            [
                "[FAIL] performance regression exceeded threshold:",
                "  - a: baseline=100.00ns current=116.00ns delta=16.00%",
                "  - z: baseline=100.00ns current=300.00ns delta=200.00%",
            ],
        )
        self.assertEqual(result.err, "error: regression detected\n")

    def test_equal_to_the_threshold_passes(self):
        for cents in range(100, 1300, 7):
            base, now = cents / 10, cents * 12 / 100
            self.entry("a", now)
            self.baseline({"a": base})
            self.seed(0, "--threshold", "0.2")

    def test_names_are_padded_by_letters(self):
        self.entry("h\u00e9", 1)
        self.baseline({"h\u00e9": 1})
        self.assertIn("[CHECK] h\u00e9" + " " * 29 + "base=", self.seed(0).out)

    def test_means_that_are_none(self):
        self.entry("a", 5)
        self.entry("b", 5)
        self.entry("c", 5)
        self.baseline({"a": 0, "b": -5.5, "c": 5})
        result = self.seed(0)
        self.assertIn("[WARN] invalid baseline mean for a: 0\n", result.out)
        self.assertIn("[WARN] invalid baseline mean for b: -5.5\n", result.out)

    def test_only_means_that_are_none(self):
        """The first checker said PASS; comparing nothing is never a pass."""
        self.entry("a", 5)
        self.baseline({"a": 0})
        result = self.seed(1)
        self.assertEqual(
            result.err, "error: no overlapping benchmarks between baseline and current run\n"
        )

    def test_faults(self):
        self.assertEqual(
            self.seed(1, "--baseline", "none.json").err,
            "error: baseline file not found: none.json\n",
        )
        self.baseline({})
        self.assertEqual(self.seed(1).err, "error: baseline benchmarks are empty\n")
        self.baseline({"a": 1})
        self.assertEqual(self.seed(1).err, "error: criterion dir not found: target/criterion\n")
        self.entry("b", 1)
        self.assertEqual(
            self.seed(1).err,
            "error: no overlapping benchmarks between baseline and current run\n",
        )

    def test_baselines_that_do_not_parse(self):
        for text in (
            '{"benchmarks":{"a":{"mean_ns":NaN}}}',
            '{"benchmarks":{"a":{"mean_ns":null}}}',
            '{"benchmarks":{"a":{"mean_ns":"100"}}}',
            '{"benchmarks":{"a":{"mean_ns":1e999}}}',
            '{"benchmarks":{"a":{"mean_ns":1}}} x',
            '{"benchmarks":{"a":{"mean_ns":1,"mean_ns":2}}}',
            "{}",
            "",
        ):
            self.write("b.json", text)
            self.entry("a", 1)
            result = self.seed(1, "--baseline=b.json")
            self.assertTrue(result.err.startswith("error: failed to parse b.json: "), result)

    def test_any_version_and_more_fields(self):
        self.entry("a", 1)
        self.write("b.json", {"version": 99, "x": 1, "benchmarks": {"a": {"mean_ns": 1, "y": 2}}})
        self.seed(0, "--baseline=b.json")

    def test_files_of_runs_decide_nothing_but_what_is_stale(self):
        self.entry("a", 100)
        self.baseline({"a": 100})
        counts = {"a": {"metrics": {"allocs": {"unit": "1/op", "value": 1}}}}
        for benches in (counts, {"a": {"mean_ns": 900}}):
            self.own("target/criterion/accel-run-x.json", benches, run_id="1",
                     started=gate_world.STAMP)  # fmt: skip
            self.assertIn("now=    100.00ns", self.seed(0).out)

    def test_threshold(self):
        self.entry("a", 1)
        self.baseline({"a": 1})
        for value in (".5", "0.5", "1", "0", "1e-1", "-0.0", "+.5"):
            self.seed(0, "--threshold", value)
        for value in ("0x1p-1", " 0.1", "", "0,1", "abc", "1e", "."):
            result = self.seed(2, f"--threshold={value}")
            self.assertEqual(result.err, f"error: invalid --threshold value: {value}\n")
        for value, shown in (("nan", "NaN"), ("inf", "inf"), ("5.", "5"), ("-0.1", "-0.1")):
            result = self.seed(2, f"--threshold={value}")
            self.assertEqual(
                result.err, f"error: threshold out of range: {shown} (expected 0.0..=1.0)\n"
            )

    def test_both_spellings_of_an_id(self):
        self.entry("single_key/hit_manual", 100)
        self.baseline({"single_key/hit/manual": 100})
        self.seed(0)

    def test_comma_as_decimal_point(self):
        self.entry("a", 1.5)
        self.baseline({"a": 1.5})
        result = self.gate("check", "--compat=seed", LC_ALL="de_DE.UTF-8", LC_NUMERIC="de_DE")
        self.assertIn("base=      1.50ns", result.out)


if __name__ == "__main__":
    gate_world.main()
