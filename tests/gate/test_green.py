"""A bad result never ends green: each test is a way in which one did."""

import json
import os

import gate_world


def google(**rows):
    """Google Benchmark's JSON; a row is a time, or what else it says."""
    benches = []
    for name, row in rows.items():
        more = row if isinstance(row, dict) else {"real_time": row}
        benches.append({"name": name, "run_type": "iteration", "time_unit": "ns"} | more)
    return {"context": {"date": gate_world.STAMP}, "benchmarks": benches}


class Words(gate_world.World):
    """The word at the end is never better than the figures."""

    def single(self, now, code, word, *arguments):
        self.write("base.json", google(a=100))
        self.write("now.json", google(a=now))
        result = self.check(code, "base.json", "now.json", *arguments)
        self.assertRegex(result.out.splitlines()[-1], f"^{word}: ")
        return result

    def test_too_few_rounds(self):
        self.single(104, 0, "PASS")
        self.single(115, 0, "WARN")
        self.assertIn("NOT-PROVEN", self.single(160, 4, "NOT PROVEN").out)
        self.single(200, 1, "FAIL")
        self.single(10000, 1, "FAIL")
        self.single(160, 1, "FAIL", "--threshold=0.15")
        self.single(160, 4, "NOT PROVEN", "--inconclusive=pass")
        self.single(160, 0, "PASS", "--threshold=median=0.9:0.9", "--threshold=mean=0.9:0.9")

    def test_a_failure_comes_before_what_is_unclear(self):
        self.write("base.json", google(a=100, b=100))
        self.write("now.json", google(a=160, b=115))
        self.assertRegex(self.check(4, "base.json", "now.json").out, "(?m)^NOT PROVEN: ")
        result = self.check(1, "base.json", "now.json", "--warn-is-error")
        self.assertRegex(result.out, "(?m)^FAIL: ")

    def test_a_failed_bench_comes_before_a_slower_one(self):
        self.write("base.json", google(a=100, b=100))
        self.write("now.json", google(a=300, b={"error_occurred": True, "error_message": "boom"}))
        result = self.check(1, "base.json", "now.json")
        self.assertLess(result.out.index("FAILED"), result.out.index("FAIL  "), result.out)
        self.assertRegex(result.out, "(?m)^FAIL: 1 bench that failed, [0-9]+ regression")

    def test_many_samples_are_one_run(self):
        for factor, code in ((1.6, 4), (3, 1)):
            for root, ns in (("a", 10), ("b", 10 * factor)):
                self.entry("x/y", ns, root=root)
                sample = {"sampling_mode": "Flat", "iters": [1] * 100, "times": [ns] * 100}
                self.write(f"{root}/x/y/new/sample.json", sample)
            self.check(code, "a", "b")

    def test_noise_is_no_pass(self):
        wild, wilder = [100, 180, 60, 150, 90, 100, 210, 70], [120, 60, 240, 100, 180, 70, 200, 130]
        for name, rounds in (("base.json", wild), ("now.json", wilder)):
            self.own(name, {"a": {"metrics": {"time": gate_world.time_metric(rounds)}}})
        self.assertRegex(self.check(0, "base.json", "now.json").out, r"\nUNSURE: .*noise")

    def test_twice_the_work_whatever_the_rounds(self):
        for rounds in (2, 3, 5, 6, 9):
            texts = [f"BenchmarkA-8 1 {ns} ns/op\n" * rounds for ns in (100, 200)]
            self.write("base.txt", texts[0])
            self.write("now.txt", texts[1])
            self.check(1, "base.txt", "now.txt", "--profile=default")

    def test_one_bad_round_of_few_decides_nothing(self):
        self.write("base.txt", "BenchmarkA-8 1 100 ns/op\n" * 5)
        self.write("now.txt", "BenchmarkA-8 1 101 ns/op\n" * 4 + "BenchmarkA-8 1 900 ns/op\n")
        self.check(0, "base.txt", "now.txt", "--profile=default")

    def test_every_metric_is_judged_by_its_rounds(self):
        def bench(scale):
            rounds = [scale * value for value in (100, 101, 99, 100, 102, 98, 100, 101)]
            metric = gate_world.time_metric(rounds)
            return {"a": {"metrics": {
                "throughput": metric | {"unit": "elem/s", "better": "higher"},
                "time": gate_world.time_metric([100] * 8, p95=scale * 150, p95_rounds=[
                    scale * 150 + i for i in range(8)])}}}  # fmt: skip

        self.own("base.json", bench(1))
        self.own("now.json", bench(0.4))
        result = self.check(1, "base.json", "now.json")
        self.assertRegex(result.out, r"FAIL +a +throughput")
        self.assertRegex(result.out, r"IMPROVED +a +p95")
        self.assertNotIn("single run", result.out)
        self.own("now.json", bench(1.6))
        self.assertRegex(self.check(1, "base.json", "now.json").out, r"FAIL +a +p95")

    def test_tails_of_repeated_lines(self):
        steady = [100 + i % 3 for i in range(20)]
        tailed = [100 + i % 3 for i in range(14)] + [300 + i for i in range(6)]
        for name, values in (("base.txt", steady), ("now.txt", tailed)):
            self.write(name, "".join(f"BenchmarkA-8 1 {value} ns/op\n" for value in values))
        result = self.check(1, "base.txt", "now.txt", "--profile=default")
        self.assertRegex(result.out, r"FAIL +BenchmarkA-8 +p95")


class Failures(gate_world.World):
    """What failed is shown, with or without a baseline, and the rest is judged."""

    def failed(self, base, now, name, *words):
        self.write("base", base)
        self.write("now", now)
        result = self.check(1, "base", "now")
        self.assertRegex(result.out, rf"FAILED +{name}")
        self.assertRegex(result.out, r"\nFAIL: ")
        for word in words:
            self.assertIn(word, result.out)
        return result

    def test_google(self):
        bad = {"error_occurred": True, "error_message": "no socket", "real_time": 0}
        for base in (google(a=5), google(a=5, b=bad), google(a=5, b=5)):
            result = self.failed(base, google(a=5, b=bad), "b", "no socket")
            self.assertRegex(result.out, r"OK +a")
        self.failed(google(b=5), google(b=bad), "b")
        self.failed(google(a=5), google(a=5, b=bad | {"skipped": False}), "b")

    def test_google_skipped_is_not_missing(self):
        self.write("base", google(a=5, b=5))
        skipped = {"skipped": True, "skip_message": "no such device", "real_time": 0}
        self.write("now", google(a=5, b=skipped))
        result = self.check(0, "base", "now")
        self.assertRegex(result.out, r"SKIPPED +b")
        self.assertIn("no such device", result.out)

    def test_hyperfine(self):
        def run(command, *codes):
            return {"command": command, "mean": 1, "times": [1] * len(codes), "exit_codes": codes}

        base = {"results": [run("x", 0, 0), run("y", 0)]}
        for codes in ((127, 127), (0, 1), (None, 0)):
            now = {"results": [run("x", *codes), run("y", 0)]}
            self.failed(base, now, "x", "run")
        self.failed({"results": [run("y", 0)]}, {"results": [run("x", 127), run("y", 0)]}, "x",
                    "1 of 1 run ended by exit code 127")  # fmt: skip

    def test_go(self):
        good = "pkg: x\nBenchmarkA-8 1 5 ns/op\nBenchmarkC-8 1 5 ns/op\n"
        now = ("pkg: x\nBenchmarkA-8 1 5 ns/op\nBenchmarkB-8 \t--- FAIL: BenchmarkB-8\n"
               "    x_test.go:5: boom\nBenchmarkC-8 1 5 ns/op\nFAIL\nFAIL\tx\t0.1s\n")
        result = self.failed(good, now, "BenchmarkB-8")
        self.assertRegex(result.out, r"OK +BenchmarkC-8")
        self.assertEqual(result.out.count("FAILED"), 1)
        self.failed(good, good + "FAIL\ty [build failed]\n", "y", "[build failed]")
        self.failed(good, good + "--- FAIL: BenchmarkZ\nFAIL\n", "BenchmarkZ")
        self.failed(good, good + "FAIL\n", "this program")
        self.failed(now.replace("BenchmarkA", "noise").replace("BenchmarkC", "noise"), now,
                    "BenchmarkB-8")  # fmt: skip
        self.write("base", good)
        self.write("now", good + "--- SKIP: BenchmarkZ\n")
        self.assertRegex(self.check(0, "base", "now").out, "SKIPPED +BenchmarkZ")

    def test_without_a_baseline(self):
        self.entry("a", 5)
        self.own("target/criterion/accel-run-x.json", {"a": {"mean_ns": 5}},
                 failed={"b": "boom"}, run_id="1", started=gate_world.STAMP)  # fmt: skip
        result = self.check(3)
        self.assertRegex(result.out, "FAILED +b")
        self.assertIn("baseline file not found", result.err)

    def test_own(self):
        self.own("base", {"a": {"mean_ns": 5}})
        for base_too in ({}, {"failed": {"b": "x"}}):
            self.own("base", {"a": {"mean_ns": 5}}, **base_too)
            self.own("now", {"a": {"mean_ns": 5}}, failed={"b": "it leaked"})
            self.assertRegex(self.check(1, "base", "now").out, "FAILED +b")
        self.check(0, "base", "now", "--ignore=b=known@2999-01-01")

    def test_reports_show_it(self):
        self.own("base", {"a": {"mean_ns": 5}})
        self.own("now", {"a": {"mean_ns": 5}}, failed={"b": "it leaked"})
        self.check(1, "base", "now", "--md=m", "--json=r", "--html=h")
        for name in "mrh":
            self.assertIn("it leaked", self.read(name))


class Unmatched(gate_world.World):
    """Limits, waivers and keys that match nothing are told."""

    def pair(self, code, *arguments):
        allocs = {"metrics": {"alloc_bytes": {"unit": "B/op", "exact": True, "value": 5}}}
        for name in ("base.json", "now.json"):
            self.own(name, {"a": {"mean_ns": 5} | allocs, "size=1kB": {"mean_ns": 5}})
        return self.check(code, "base.json", "now.json", *arguments)

    def test_told(self):
        for option in ("--threshold=medain=0.1:0.2", "--threshold=B/op=0.1",
                       "--ignore=x=y@2999-01-01", "--only=nothing*"):  # fmt: skip
            result = self.pair(0, option, "--only=*")
            self.assertIn(option.partition("=")[2].partition("=")[0].strip("*"), result.out)
            self.assertRegex(result.out, r"(?m)^WARN: ", option)
            self.pair(1, option, "--only=*", "--warn-is-error")
        self.assertRegex(self.pair(0, "--threshold=alloc_bytes=0.1").out, "(?m)^PASS: ")

    def test_config(self):
        self.write("c.json", {"thresholds": {"meen": {"fail": 0.1}}})
        self.assertIn("meen", self.pair(0, "--config=c.json").out)
        self.write("c.json", {"benches": [{"match": "zzz", "thresholds": {"mean": {"fail": 1}}}]})
        self.assertIn("zzz", self.pair(0, "--config=c.json").out)

    def test_unknown_keys_are_usage(self):
        for wrong in (
            {"thresholds": {"median": {"fial": 0.1, "warn": 0.1}}}, {"treshold": {}},
            {"benches": [{"match": "a", "thresholds": {}, "unless": 1}]},
            {"ignore": [{"match": "a", "reason": "b", "until": "2999-01-01", "metric": "x"}]},
            {"ignore": [{"match": "a", "reason": "b", "until": "2999-13-01"}]},
            {"warn_is_error": "yes"}, {"missing": "perhaps"}, {"noise": 0}, [],
        ):  # fmt: skip
            self.write("c.json", wrong)
            self.assertIn("c.json", self.pair(2, "--config=c.json").err)
        self.pair(2, "--config=none.json")

    def test_ids_with_an_equals_sign(self):
        result = self.pair(0, "--ignore=size=1kB=slow=er @2999-01-01")
        self.assertRegex(result.out, r"IGNORED +size=1kB")
        self.assertRegex(result.out, r"OK +a")
        self.assertIn("slow=er", result.out)


class Machines(gate_world.World):
    def bench(self, allocs, **more):
        metrics = {"allocs": {"unit": "1/op", "exact": True, "value": allocs}}
        return {"a": {"mean_ns": 5, "metrics": metrics}}

    def test_counts_are_the_same_anywhere(self):
        for key, value, code in (("machine", {"cpu": "two"}, 1), ("machine", {"cores": "9"}, 1),
                                 ("build", {"compiler": "gcc 9"}, 0)):  # fmt: skip
            self.own("base.json", self.bench(0), machine={"cpu": "one", "cores": "2"},
                     build={"compiler": "gcc 12"})  # fmt: skip
            self.own("now.json", self.bench(35), **{key: value})
            result = self.check(code, "base.json", "now.json")
            self.assertRegex(result.out, r"NOT-COMPARABLE +a +(mean|median)")
            self.assertRegex(result.out, rf"{'FAIL' if code else 'NOT-COMPARABLE'} +a +allocs")
            if not code:
                self.assertRegex(result.out, "(?m)^NOT JUDGED: ")


class Baselines(gate_world.World):
    PATH = "docs/benchmarks/cache_path_bench.json"

    def refused(self, word):
        before = self.read(self.PATH)
        result = self.gate("export")
        self.assertEqual(result.code, 1, result)
        self.assertIn("--accept REASON", result.err)
        self.assertIn(word, result.err)
        self.assertEqual(self.read(self.PATH), before)
        self.assertEqual(self.gate("export", "--accept=known").code, 0)

    def test_of_another_machine(self):
        self.entry("a", 100)
        self.own(self.PATH, {"a": {"mean_ns": 5}}, machine={"cpu": "another"})
        self.refused("another machine")

    def test_that_lost_a_bench_or_cannot_be_read(self):
        self.entry("a", 100)
        self.own(self.PATH, {"a": {"mean_ns": 100}, "b": {"mean_ns": 5}})
        self.refused("gone")
        self.own(self.PATH, {"b": {"mean_ns": 5}})
        self.refused("gone")
        self.write(self.PATH, "{")
        self.refused("cannot be read")

    def test_of_a_run_that_failed(self):
        self.entry("a", 100)
        self.own("target/criterion/accel-run-x.json", {"a": {"mean_ns": 100}},
                 failed={"b": "boom"}, run_id="1", started=gate_world.STAMP)  # fmt: skip
        result = self.gate("export")
        self.assertEqual(result.code, 1, result)
        self.assertIn("boom", result.err)
        self.assertFalse(os.path.exists(self.folder / self.PATH))


class History(gate_world.World):
    def add(self, code=0):
        self.own("in.json", {"a": {"mean_ns": 5}})
        result = self.gate("history", "add", "--history=h.jsonl", "--from=in.json")
        self.assertEqual(result.code, code, result)
        return result

    def test_a_newline_that_was_lost(self):
        self.add()
        self.write("h.jsonl", self.read("h.jsonl").rstrip("\n"))
        self.add()
        lines = self.read("h.jsonl").splitlines()
        self.assertEqual([json.loads(line)["schema"] for line in lines], [2, 2])

    def test_never_more_than_can_be_read(self):
        line = json.dumps({"schema": 2, "benchmarks": {"a": {"mean_ns": 5}}})
        with open(self.path("h.jsonl"), "w", encoding="utf-8") as file:
            filler = line[:-1] + ', "x": "' + "y" * 1024 * 1024 + '"}\n'
            for _ in range(64):
                file.write(filler)
        self.assertIn("history prune", self.add(3).err)
        result = self.gate("history", "prune", "--history=h.jsonl", "--keep=3")
        self.assertEqual((result.code, result.out), (0, "dropped 61 lines of h.jsonl\n"), result)
        self.add()
        self.assertEqual(len(self.read("h.jsonl").splitlines()), 4)
        self.assertEqual(self.gate("history", "prune", "--history=none").code, 3)

    def test_a_fresh_clone_has_none(self):
        for name in ("base.json", "now.json"):
            self.own(name, {"a": {"mean_ns": 5}})
        result = self.check(0, "base.json", "now.json", "--html=p.html", "--history=none.jsonl")
        self.assertIn("no history yet: none.jsonl", result.out)
        self.assertIn("</html>", self.read("p.html"))


if __name__ == "__main__":
    gate_world.main()
