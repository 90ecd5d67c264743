"""Pairs of files: the fixtures T1 to T10 of the specification, and Go texts."""

import gate_world


class Records(gate_world.World):
    def outcome(self, base, now, code, *arguments, metric="duration_ms"):
        self.record("base.json", base, metric)
        self.record("now.json", now, metric)
        return self.check(code, "base.json", "now.json", *arguments)

    def test_t1_schema(self):
        self.record("good.json", 12.5)
        self.assertEqual(
            self.gate("validate", "good.json").out, "OK good.json (record, 1 bench)\n"
        )
        faults = [
            {"bench_id": None}, {"bench_id": ""}, {"metric": "speed"}, {"unit": "s"},
            {"p50": None}, {"p95": "12"}, {"p95": -1}, {"p95": 0}, {"p50": 13}, {"n": 0},
            {"n": 1.5}, {"n": None}, {"timestamp": "yesterday"}, {"timestamp": "2026-13-01"},
            {"timestamp": None}, {"notes": 5}, {"unit": "MB/s"},
        ]  # fmt: skip
        for fault in faults:
            self.record("bad.json", 12.5, **fault)
            result = self.gate("validate", "bad.json")
            self.assertEqual(result.code, 3, fault)
            self.assertIn("bad.json", result.err)

    def test_t6_within_the_limit(self):
        for name, now in (("better", 8), ("+10", 11), ("+20", 12)):
            with self.subTest(name):
                result = self.outcome(10, now, 0)
                percent = f"{(now - 10) * 10:.2f}"
                self.assertEqual(
                    result.out,
                    f"[OK][encode_batch] p95 duration_ms change {percent}% "
                    f"(baseline=10, current={now})\n"
                    f"Overall: no regressions; worst delta {percent.lstrip('-')}%\n",
                )

    def test_t7_t8_beyond_the_limit(self):
        for more in ([], ["--compat=seed"]):
            result = self.outcome(10, 12.5, 1, *more)
            self.assertEqual(
                result.out,
                "::warning::[encode_batch] p95 duration_ms regressed by 25.00% "
                "(baseline=10 -> current=12.5)\n",
            )
            self.assertEqual(
                result.err, "Overall: 1 regression(s) detected; worst delta 25.00%\n"
            )

    def test_without_annotations(self):
        result = self.outcome(10, 12.5, 1, "--no-annotations")
        self.assertTrue(result.out.startswith("[FAIL][encode_batch]"), result)

    def test_throughput_is_better_high(self):
        for name, now, code in (("better", 130, 0), ("+25", 125, 0), ("minus10", 90, 0),
                                ("minus25", 75, 0), ("minus26", 74, 1)):  # fmt: skip
            with self.subTest(name):
                self.outcome(100, now, code, metric="throughput_mbs")

    def test_exponents_are_read(self):
        self.record("base.json", 150)
        text = self.read("base.json").replace('"p95": 150', '"p95": 1.5e2')
        self.write("base.json", text)
        self.record("now.json", 150)
        self.assertIn("change 0.00%", self.check(0, "base.json", "now.json").out)

    def test_t9_missing_files(self):
        self.record("base.json", 10)
        self.record("now.json", 30)
        result = self.check(3, "base.json", "none1", "none2", "now.json", "base.json", "now.json")
        self.assertTrue(result.err.startswith("Missing file(s): none1 none2\n"), result)
        self.assertIn("regressed by 200.00%", result.out)  # the rest is still reported
        result = self.check(3, "--compat=seed", "base.json", "none1")
        self.assertEqual(result.err, "Missing file(s): none1\n")

    def test_t10_several_pairs(self):
        files = []
        for i, now in enumerate((9, 11, 14, 10)):
            files += [self.record(f"base{i}.json", 10, bench_id=f"b{i}"),
                      self.record(f"now{i}.json", now, bench_id=f"b{i}")]  # fmt: skip
        result = self.check(1, *files)
        for i in range(4):
            self.assertIn(f"[b{i}]", result.out)
        self.assertIn("1 regression(s) detected; worst delta 40.00%", result.err)

    def test_one_corrupt_file_does_not_hide_the_others(self):
        self.record("base.json", 10)
        self.record("now.json", 14)
        self.write("corrupt.json", '{\n"bench_id": ')
        result = self.check(3, "base.json", "corrupt.json", "base.json", "now.json")
        self.assertIn("[schema] Invalid current JSON: corrupt.json", result.err)
        self.assertIn("at line 2", result.err)
        self.assertIn("regressed by 40.00%", result.out)

    def test_what_was_swapped(self):
        self.record("base.json", 10)
        self.record("other.json", 10, bench_id="other")
        self.assertIn("bench_id differs", self.check(3, "base.json", "other.json").err)
        self.record("rate.json", 10, metric="throughput_mbs")
        self.assertIn("metric differs", self.check(3, "base.json", "rate.json").err)

    def test_odd_number_of_files(self):
        self.record("base.json", 10)
        self.check(2, "base.json")

    def test_limits_may_be_moved(self):
        self.outcome(10, 12.5, 0, "--threshold=p95=0.3")
        self.outcome(10, 11, 1, "--threshold=p95=0.05")


GO = """goos: linux
pkg: example
cpu: Some
BenchmarkEncode-8   \t 1000\t {ns} ns/op\t{mb} MB/s\t 64 B/op\t{allocs} allocs/op
BenchmarkEncodeMore-8 1000 10 ns/op
noise of the program
BenchmarkSilent
PASS
"""


class GoTexts(gate_world.World):
    def outcome(self, code, ns=100, mb=50, allocs=4, *arguments):
        self.write("base.txt", GO.format(ns=100, mb=50, allocs=4))
        self.write("now.txt", GO.format(ns=ns, mb=mb, allocs=allocs))
        return self.check(code, "base.txt", "now.txt", *arguments)

    def test_limits(self):
        self.outcome(0)
        self.outcome(0, ns=120, mb=45)
        self.outcome(1, ns=121)
        self.outcome(1, mb=44.9)
        self.outcome(1, allocs=5)

    def test_markdown_table(self):
        self.outcome(1, 130, 60, 4, "--md=report.md")
        for row in (
            "| BenchmarkEncode-8 | median | 100 ns | 130 ns | +30.0 % | \U0001f534 Regression |",
            "| throughput | 50 MB/s | 60 MB/s | +20.0 % | \U0001f7e2 Improvement |",
            "| allocs | 4/op | 4/op | 0.0 % | \u2705 OK |",
        ):
            self.assertIn(row, self.read("report.md"))

    def test_nothing_is_inherited_from_the_line_before(self):
        """A script gave EncodeMore the throughput of Encode."""
        result = self.outcome(0)
        self.assertNotRegex(result.out, "EncodeMore-8 +throughput")

    def test_repeated_lines_are_rounds(self):
        self.write("base.txt", "BenchmarkA-8 1 100 ns/op\n" * 5)
        self.write("now.txt", "BenchmarkA-8 1 101 ns/op\n" * 4 + "BenchmarkA-8 1 900 ns/op\n")
        self.check(0, "base.txt", "now.txt")

    def test_broken_lines_are_told(self):
        for line in ("BenchmarkA-8 x 100 ns/op", "BenchmarkA-8 inf 100 ns/op",
                     "BenchmarkA-8 1 abc ns/op", "BenchmarkA-8 1 100",
                     "BenchmarkA-8 1 -5 ns/op", "BenchmarkA-8 1 NaN ns/op"):  # fmt: skip
            self.write("bad.txt", f"goos: linux\n{line}\nBenchmarkB 1 5 ns/op\n")
            result = self.gate("validate", "bad.txt")
            self.assertEqual(result.code, 3, result)
            self.assertIn("at line 2", result.err)

    def test_units_may_say_their_direction(self):
        text = "Unit score better=higher\nBenchmarkA 1 5 ns/op {} score\n"
        self.write("base.txt", text.format(100))
        self.write("now.txt", text.format(50))
        self.check(1, "base.txt", "now.txt", "--threshold=score=0.1:0.2")
        self.write("now.txt", text.format(500))
        self.check(0, "base.txt", "now.txt", "--threshold=score=0.1:0.2")


if __name__ == "__main__":
    gate_world.main()
