"""Results in the forms of other tools; history; the fingerprint."""

import importlib.util
import json
import pathlib
import re

import gate_world


class Convert(gate_world.World):
    def setUp(self):
        super().setUp()
        rounds = [100.5, 101, 99, 100, 102.25, 98]
        self.own(
            "in.json",
            {
                "single/hit": {
                    "full_id": "single/hit",
                    "metrics": {
                        "time": gate_world.time_metric(
                            rounds, p95=102, p50=100, n=6, lo=98, hi=102
                        ),
                        "allocs": {"unit": "1/op", "better": "lower", "value": 2, "exact": True},
                        "throughput": {"unit": "B/s", "better": "higher", "median": 5e8},
                    },
                }
            },
            started=gate_world.STAMP,
            machine={"cpu": "Some", "cores": "2"},
        )

    def convert(self, form):
        result = self.gate("convert", "--to", form, "in.json")
        self.assertEqual((result.code, result.err), (0, ""), result)
        return result.out

    def test_google(self):
        content = json.loads(self.convert("google"))
        self.assertEqual(content["context"]["caches"], [])
        self.assertEqual(content["context"]["num_cpus"], 2)
        rows = content["benchmarks"]
        self.assertEqual([row["real_time"] for row in rows], [100.5, 101, 99, 100, 102.25, 98])
        self.assertEqual({row["run_type"] for row in rows}, {"iteration"})
        self.assertEqual(rows[0]["bytes_per_second"], 5e8)
        self.write("google.json", content)
        back = self.gate("convert", "--to=own", "google.json")
        time = json.loads(back.out)["benchmarks"]["single/hit"]["metrics"]["time"]
        self.assertEqual(time["median"], 100.25)

    def test_google_by_its_own_tool(self):
        tool = pathlib.Path("/usr/share/benchmark/gbench")
        if not tool.exists():
            self.skipTest("libbenchmark-tools is not installed")
        spec = importlib.util.spec_from_file_location("gbench_util", tool / "util.py")
        util = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(util)
        self.write("google.json", self.convert("google"))
        loaded = util.load_benchmark_results(str(self.path("google.json")))
        self.assertEqual(len(loaded["benchmarks"]), 6)

    def test_github_action_benchmark(self):
        smaller = json.loads(self.convert("gab-smaller"))
        self.assertEqual(
            [(row["name"], row["unit"], row["value"]) for row in smaller],
            [("single/hit", "ns", 100.25), ("single/hit allocs", "1/op", 2.0)],
        )
        bigger = json.loads(self.convert("gab-bigger"))
        self.assertEqual([row["name"] for row in bigger], ["single/hit throughput"])

    def test_bencher_metric_format(self):
        found = json.loads(self.convert("bmf"))["single/hit"]
        self.assertEqual(found["latency"], {"value": 100.25, "lower_value": 98, "upper_value": 102})
        self.assertEqual(found["throughput"], {"value": 5e8})

    def test_go(self):
        lines = self.convert("go").splitlines()
        results = [line for line in lines if line.startswith("Benchmark")]
        self.assertEqual(len(results), 6)
        self.assertRegex(
            results[0], r"^BenchmarkSingle/hit\t1(\t[0-9.]+ \S+)+$"
        )
        self.assertIn("100.5 ns/op", results[0])
        self.assertIn("500000000 B/s", results[0])
        self.assertIn("2 allocs/op", results[0])
        self.write("out.txt", "\n".join(lines) + "\n")
        self.assertEqual(self.gate("validate", "out.txt").code, 0)

    def test_bencher(self):
        self.assertEqual(
            self.convert("bencher"),
            "test single/hit ... bench:      100.25 ns/iter (+/- 1.4979152178945243)\n",
        )
        self.own("in.json", {"a": {"mean_ns": 1234567.4}})
        self.assertIn("1,234,567.4 ns/iter", self.convert("bencher"))

    def test_record(self):
        record = json.loads(self.convert("004"))
        self.assertEqual((record["metric"], record["unit"]), ("duration_ms", "ms"))
        self.assertAlmostEqual(record["p95"], 102e-6)
        self.write("r.json", record)
        self.assertEqual(self.gate("validate", "r.json").code, 0)

    def test_hyperfine_and_units(self):
        self.write("h.json", {"results": [{"command": "sleep 1", "mean": 1.5, "times": [1, 2]}]})
        content = json.loads(self.gate("convert", "--to=own", "h.json").out)
        self.assertEqual(content["benchmarks"]["sleep 1"]["mean_ns"], 1.5e9)

    def test_usage(self):
        for arguments in ([], ["--to=google"], ["--to=x", "in.json"], ["--to=go", "a", "b"]):
            self.assertEqual(self.gate("convert", *arguments).code, 2)
        self.assertEqual(self.gate("convert", "--to=go", "none.json").code, 3)

    def test_criterion_sample(self):
        """Times per iteration, percentiles and throughput come from criterion's own files."""
        self.entry("a/b", 10)
        sample = {"sampling_mode": "Linear", "iters": [1, 2, 4], "times": [10, 22, 48]}
        self.write("target/criterion/a/b/new/sample.json", sample)
        self.write("target/criterion/a/b/new/benchmark.json",
                   {"full_id": "a/b c", "throughput": {"Elements": 32}})  # fmt: skip
        found = json.loads(self.gate("convert", "--to=own", "target/criterion").out)
        bench = found["benchmarks"]["a/b"]
        self.assertEqual(bench["full_id"], "a/b c")
        self.assertEqual(bench["metrics"]["time"]["samples"], [10, 11, 12])
        self.assertAlmostEqual(bench["metrics"]["time"]["p95"], 11.9)
        self.assertEqual(bench["metrics"]["throughput"]["median"], 3.2e9)


class History(gate_world.World):
    def add(self, ns, *arguments):
        self.own("in.json", {"a": {"mean_ns": ns, "median_ns": ns}})
        result = self.gate("history", "add", "--history=h/x.jsonl", "--from=in.json", *arguments)
        self.assertEqual(result.code, 0, result)

    def test_add_and_show(self):
        self.add(100, "--commit=abc", "--tag=v1.0")
        self.add(150, "--commit", "def")
        lines = self.read("h/x.jsonl").splitlines()
        self.assertEqual([json.loads(line)["commit"] for line in lines], ["abc", "def"])
        self.assertEqual(json.loads(lines[0])["tag"], "v1.0")
        result = self.gate("history", "show", "--history=h/x.jsonl")
        self.assertEqual(result.out, "a: 2 runs, first 100 ns, last 150 ns (+50.0 %)\n")

    def test_other_machines_are_left_out(self):
        line = {"schema": 2, "benchmarks": {"a": {"mean_ns": 1}}}
        lines = [line | {"machine": {"cpu": cpu}} for cpu in ("x", "y", "y")]
        self.write("h.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        self.assertIn("a: 2 runs", self.gate("history", "show", "--history=h.jsonl").out)

    def test_broken_lines_are_named(self):
        self.add(100)
        with open(self.path("h/x.jsonl"), "a", encoding="utf-8") as file:
            file.write("{\n")
        result = self.gate("history", "show", "--history=h/x.jsonl")
        self.assertEqual(result.code, 3)
        self.assertIn("h/x.jsonl:2: ", result.err)
        self.assertIn("a: 1 run,", result.out)

    def test_usage(self):
        for arguments in ([], ["more"], ["show", "add"], ["prune", "--keep=x"]):
            self.assertEqual(self.gate("history", *arguments).code, 2)


class Others(gate_world.World):
    def test_fingerprint(self):
        result = self.gate("fingerprint", "--json")
        machine = json.loads(result.out)
        self.assertIn("cores", machine)
        self.assertEqual(machine, json.loads(self.gate("fingerprint", "--json").out))

    def test_report_never_fails_for_a_regression(self):
        self.entry("a", 200)
        self.baseline({"a": 100})
        self.check(1)
        result = self.gate("report", "--md=r.md")
        self.assertEqual(result.code, 0, result)
        self.assertIn("Regression", self.read("r.md"))
        self.entry("b", -1)
        self.assertEqual(self.gate("report").code, 3)

    def test_help_and_commands(self):
        result = self.gate("--help")
        self.assertEqual(result.code, 0)
        names = re.findall(r"(?m)^  (\w+) ", result.out)
        self.assertEqual(
            names,
            "export check ab report convert history validate fingerprint".split(),
        )
        for name in names:
            self.assertEqual(self.gate(name, "--help").code, 0)
            self.assertEqual(self.gate(name, "-h").code, 0)
            self.assertIn(name, self.gate(name, "--help").out.partition("OPTIONS")[0])
            self.assertEqual(self.gate(name, "--bogus").code, 2)
        self.assertEqual(self.gate().code, 2)
        self.assertEqual(self.gate("bogus").code, 2)


if __name__ == "__main__":
    gate_world.main()
