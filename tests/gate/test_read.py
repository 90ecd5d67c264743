"""Forms that C and C++ people have: read, or refused by their name. What is written is read back
bit for bit."""

import json
import os
import subprocess
import threading

import gate_world


def aggregate(kind, ns, **more):
    return {"name": f"BM_x_{kind}", "run_name": "BM_x", "run_type": "aggregate", "repetitions": 9,
            "aggregate_name": kind, "real_time": ns, "cpu_time": ns, "time_unit": "us"} | more


class Forms(gate_world.World):
    def bench(self, content, name, form=None):
        """The metrics of the bench of this name in a file."""
        if content is not None:
            self.write("in", content)
        if form:
            self.assertIn(f"({form}, ", self.gate("validate", "in").out)
        return self.what_is_read("in")[name]["metrics"]

    def test_google_aggregates_only(self):
        rows = [aggregate("mean", 3), aggregate("median", 2, items_per_second=5e5),
                aggregate("stddev", 0.5), aggregate("cv", 0.1, time_unit="us"),
                {"name": "BM_x_BigO", "run_name": "BM_x", "run_type": "aggregate",
                 "aggregate_name": "BigO", "cpu_coefficient": 1, "big_o": "N"}]  # fmt: skip
        metrics = self.bench({"context": {}, "benchmarks": rows}, "BM_x", "Google Benchmark")
        self.assertEqual(metrics["time"]["mean"], 3000)
        self.assertEqual(metrics["time"]["median"], 2000)
        self.assertEqual(metrics["time"]["deviation"], 500)
        self.assertEqual(metrics["throughput"]["median"], 5e5)
        rows.insert(0, {"name": "BM_x", "run_type": "iteration", "real_time": 7})
        metrics = self.bench({"context": {}, "benchmarks": rows}, "BM_x")
        self.assertEqual(metrics["time"]["rounds"], [7])

    def test_google_counters(self):
        row = {"name": "BM_x", "run_type": "iteration", "real_time": 7, "max_bytes_used": 512,
               "allocs_per_iter": 2, "hits": 3.5, "drift": -2, "threads": 4, "label": "x"}
        metrics = self.bench({"context": {}, "benchmarks": [row]}, "BM_x")
        self.assertEqual(metrics["peak_bytes"]["median"], 512)
        self.assertEqual(metrics["allocs"]["median"], 2)
        self.assertEqual(metrics["hits"]["median"], 3.5)
        self.assertEqual(metrics["drift"]["median"], -2)
        self.assertEqual(set(metrics), {"time", "peak_bytes", "allocs", "hits", "drift"})
        row |= {"hits": 7, "max_bytes_used": 900}
        self.write("more", {"context": {}, "benchmarks": [row]})
        self.check(1, "in", "more", "--threshold=hits=0.5")
        self.check(1, "in", "more")

    def test_libtest(self):
        text = ("running 3 tests\ntest a::b ... bench:   1,234.56 ns/iter (+/- 12.5)\n"
                "test slow ... bench:   2 ms/iter (+/- 1)\ntest d ... ignored\ntest e ... ok\n")
        metrics = self.bench(text, "a::b", "libtest text")
        self.assertEqual(metrics["time"]["median"], 1234.56)
        self.assertEqual(metrics["time"]["deviation"], 12.5)
        self.assertEqual(self.bench(None, "slow")["time"]["median"], 2e6)
        self.write("in", text + "test c ... FAILED\n")
        result = self.check(1, "in", "in")
        self.assertRegex(result.out, "FAILED +c")
        self.assertRegex(result.out, "SKIPPED +d")
        for bad in ("test a ... bench: 0 ns/iter (+/- 0)\n", "test a ... bench: x ns/iter\n"):
            self.write("bad", bad)
            self.assertIn("line 1", self.gate("validate", "bad").err)

    def test_marks_of_byte_order(self):
        text = "\ufeffBenchmarkA-8 1 5 ns/op\nBenchmarkB-8 1 5 ns/op\n"
        self.assertIn("time", self.bench(text, "BenchmarkA-8"))

    def test_pipes(self):
        self.own("base.json", {"a": {"mean_ns": 5}})
        command = [gate_world.TOOL, "check", "base.json", "-"]
        with open(self.folder / "base.json", "rb") as file:
            for given in ({"stdin": file}, {"input": self.read("base.json").encode()}):
                done = subprocess.run(command, cwd=self.folder, capture_output=True, check=False,
                                      **given)  # fmt: skip
                self.assertEqual(done.returncode, 0, done)
        os.mkfifo(self.path("pipe"))
        late = threading.Timer(0.2, lambda: self.path("pipe").write_text(self.read("base.json")))
        late.start()
        self.check(0, "base.json", "pipe")
        late.join()
        script = f"{gate_world.TOOL} check <(cat base.json) <(sleep 0.1; cat base.json)"
        done = subprocess.run(["bash", "-c", script], cwd=self.folder, capture_output=True,
                              check=False)  # fmt: skip
        self.assertEqual(done.returncode, 0, done)

    def test_refused_by_name(self):
        for content, word in (
            ({"machine_info": {}, "benchmarks": [{"name": "a"}]}, "pytest-benchmark"),
            ([{"benchmark": "a", "primaryMetric": {}}], "JMH"),
            ("a/b                     time:   [1.0 ns 2.0 ns 3.0 ns]\n", "criterion's console"),
            ("Benchmarking a/b\nBenchmark a\n  time:   [1 ns 2 ns 3 ns]\n", "criterion's console"),
            ('{"reason":"benchmark-complete","id":"a"}', "cargo-criterion"),
            ("benchmark name   samples   iterations  est\nresamples", "Catch2's console"),
            ("Benchmark             Time             CPU   Iterations\nBM_x 5 ns 5 ns 9\n",
             "Google Benchmark's console"),
            ("name,iterations,real_time,cpu_time\n", "CSV"), ("command,mean,stddev\n", "hyperfine"),
            ("<html></html>", "XML or HTML"),
            ("<?xml version='1.0'?>\n<Catch2TestRun><TestCase/></Catch2TestRun>", "Catch2's XML"),
            ({"results": [{"name": "a", "median(elapsed)": 1e-9}]}, "nanobench's JSON"),
            ("", "empty"), (" \n", "empty"),
            ("| ns/op | op/s |\n", "nanobench"), ({"accel_gate": 1, "rows": []}, "report"),
            ({"mean": {"point_estimate": 5}}, "criterion"),
            ({"a": {"latency": {"value": 5}}}, "Bencher's metric format"),
            ([{"name": "a", "unit": "ms", "value": 2}], "github-action-benchmark"),
        ):  # fmt: skip
            self.write("in", content)
            result = self.gate("validate", "in")
            self.assertEqual(result.code, 3, content)
            self.assertIn(word, result.err)
        self.path("in").write_bytes("BenchmarkA 1 5 ns/op".encode("utf-16"))
        self.assertIn("UTF-16", self.gate("validate", "in").err)
        self.path("in").write_bytes(b"\x1f\x8b\x08\x00" + b"\xff" * 30)
        self.assertIn("gzip; unpack it", self.gate("validate", "in").err)
        self.write("target/criterion/a/new/estimates.json", {"Mean": {"point_estimate": 5}})
        self.assertIn("criterion 0.2", self.gate("validate", "target/criterion").err)


class BackAndForth(gate_world.World):
    def test_bit_for_bit(self):
        """A baseline that is read and written again says the same to the last bit."""
        third = 100 / 3
        rounds = [third * (1 + i / 7) for i in range(6)]
        time = {"unit": "ns", "better": "lower"}
        times = {
            "rounds": time | {"mean": third, "median": third / 7, "p05": 0.1, "p50": third,
                              "p95": third * 2, "p99": 1e300, "n": 6, "rounds": rounds},
            "figures": time | {"mean": 0.37, "median": 0.1 / 3, "lo": 1.1 / 3, "hi": 1e9 / 7,
                               "n": 9, "percentiles": "op", "samples": rounds},
        }  # fmt: skip
        rate = {"unit": "B/s", "better": "higher", "median": 1e9 / 7, "p50": 1e9 / 7}
        allocs = {"unit": "1/op", "better": "lower", "exact": True, "value": 0}
        benches = {
            name: {"mean_ns": each["mean"], "median_ns": each["median"], "full_id": f"{name} x",
                   "bench_hash": "1", "targets": {"time": {"target": 0.1, "acceptable": 0.7}},
                   "metrics": {"time": each, "throughput": rate, "allocs": allocs}}
            for name, each in times.items()
        }  # fmt: skip
        self.own("own.json", benches)
        self.assertEqual(self.what_is_read("own.json"), benches)
        first = self.read("read.json")
        self.what_is_read("own.json")
        self.assertEqual(self.read("read.json").partition("benchmarks")[2],
                         first.partition("benchmarks")[2])  # fmt: skip

    def test_records_of_several_benches(self):
        """One behind the other, as cat makes of the files that benches leave."""
        names = [self.record(f"{i}.json", 10 + i, bench_id=f"b{i}") for i in range(3)]
        self.write("all", "\n".join(self.read(name) for name in names) + "\n")
        self.assertEqual(sorted(self.what_is_read("all")), ["b0", "b1", "b2"])
        self.check(0, "all", "all")


class Numbers(gate_world.World):
    """As people read them."""

    def row(self, base, now, unit, better="lower", name="x", *arguments):
        for path, value in (("base.json", base), ("now.json", now)):
            self.own(path, {"a": {"metrics": {name: {"unit": unit, "better": better,
                                                     "value": value}}}})  # fmt: skip
        limit = f"--threshold={name}=0.2"
        return self.gate("check", "base.json", "now.json", limit, *arguments).out

    def test_zeros_and_signs(self):
        self.assertNotIn("-0.0", self.row(1e6, 1e6 - 1, "B"))
        out = self.row(0, 0, "1/op")
        self.assertRegex(out, " 0/op +0/op +0.0 %")
        gain = self.row(100, 125, "elem/s", "higher")
        self.assertRegex(gain, r"IMPROVED .* \+25.0 %")
        self.assertRegex(self.row(100, 50, "elem/s", "higher"), r"FAIL .* -50.0 %")

    def test_records(self):
        for name, value in (("base.json", 100), ("now.json", 125)):
            self.record(name, value, "throughput_mbs")
        self.assertIn("change 25.00%", self.check(0, "base.json", "now.json").out)


if __name__ == "__main__":
    gate_world.main()
