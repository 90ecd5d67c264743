"""Results in the forms of other tools; history; the commands."""

import json
import re

import gate_world


class Read(gate_world.World):
    def test_hyperfine_and_units(self):
        self.write("h.json", {"results": [{"command": "sleep 1", "mean": 1.5, "times": [1, 2]}]})
        self.assertEqual(self.what_is_read("h.json")["sleep 1"]["mean_ns"], 1.5e9)

    def test_criterion_sample(self):
        """Times per iteration, percentiles and throughput come from criterion's own files."""
        self.entry("a/b", 10)
        sample = {"sampling_mode": "Linear", "iters": [1, 2, 4], "times": [10, 22, 48]}
        self.write("target/criterion/a/b/new/sample.json", sample)
        self.write("target/criterion/a/b/new/benchmark.json",
                   {"full_id": "a/b c", "throughput": {"Elements": 32}})  # fmt: skip
        bench = self.what_is_read("target/criterion")["a/b"]
        self.assertEqual(bench["full_id"], "a/b c")
        self.assertEqual(bench["metrics"]["time"]["samples"], [10, 11, 12])
        self.assertAlmostEqual(bench["metrics"]["time"]["p95"], 11.9)
        self.assertEqual(bench["metrics"]["throughput"]["median"], 3.2e9)


class History(gate_world.World):
    def add(self, ns, *arguments):
        self.own("in.json", {"a": {"mean_ns": ns, "median_ns": ns}})
        result = self.gate("history", "add", "--history=h/x.jsonl", "--from=in.json", *arguments)
        self.assertEqual(result.code, 0, result)

    def trend(self):
        """How many runs the page of a report draws."""
        result = self.gate("report", "in.json", "in.json", "--html=p.html", "--history=h/x.jsonl")
        return result, self.read("p.html").partition('class="chart trend"')[2].count("<circle")

    def test_add(self):
        self.add(100, "--commit=abc", "--tag=v1.0")
        self.add(150, "--commit", "def")
        lines = self.read("h/x.jsonl").splitlines()
        self.assertEqual([json.loads(line)["commit"] for line in lines], ["abc", "def"])
        self.assertEqual(json.loads(lines[0])["tag"], "v1.0")
        self.assertEqual(self.trend()[1], 2)

    def test_other_machines_are_left_out(self):
        self.add(100)
        line = {"schema": 2, "benchmarks": {"a": {"mean_ns": 1}}}
        lines = [line | {"machine": {"cpu": cpu}} for cpu in ("x", "y", "y")]
        self.write("h/x.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        self.assertEqual(self.trend()[1], 2)

    def test_broken_lines_are_named(self):
        self.add(100)
        self.add(100)
        with open(self.path("h/x.jsonl"), "a", encoding="utf-8") as file:
            file.write("{\n")
        result, count = self.trend()
        self.assertEqual((result.code, count), (3, 2))
        self.assertIn("h/x.jsonl:3: ", result.err)

    def test_usage(self):
        for arguments in ([], ["more"], ["prune", "add"], ["prune", "--keep=x"]):
            self.assertEqual(self.gate("history", *arguments).code, 2)


class Others(gate_world.World):
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
            "export check ab report history validate".split(),
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
