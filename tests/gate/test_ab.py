"""ab: its rule on scripted benches, and the worktree that goes on every way out."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

import gate_world

FAKE = pathlib.Path(__file__).with_name("fake_bench.py").resolve()


class Scripted(gate_world.World):
    def setUp(self):
        super().setUp()
        for name in ("accel.h", "older/accel.h", "bench/harness/main.c"):
            self.write(name, "")
        self.write("cc", f'while [ "$1" != -o ]; do shift; done; ln -s {FAKE} "$2"\n')

    OLDER = ("--base-dir=older", "--cc=sh cc")  # which makes a bench that is scripted

    def ab(self, benches, *arguments, base=OLDER, **plan):
        return self.gate(
            "ab", *base, "--slice=2ms", "--warm-up=1ms", *arguments,
            FAKE_BENCH=json.dumps({"benches": benches} | plan),
            FAKE_BENCH_LOG=str(self.folder / "log"), TMPDIR=str(self.folder),
        )  # fmt: skip

    def sides(self, base, now, **more):
        return {"base": {"ns": base} | more, "now": {"ns": now} | more}

    def test_verdicts(self):
        benches = {
            "same": self.sides(100, 100),
            "a_little": self.sides(100, 105),
            "warned": self.sides(100, 115),
            "failed": self.sides(100, 125),
            "better": self.sides(100, 80),
            "allocating": {"base": {"ns": 5}, "now": {"ns": 5, "allocs": 1}},
            "new": {"now": {"ns": 5}},
        }
        result = self.ab(benches, "--html=page.html")
        self.assertEqual(result.code, 1, result)
        page = self.read("page.html")
        # What only one side has is not run.
        self.assertEqual(page.count('class="chart rounds"'), len(benches) - 1)
        for name, key, verdict in (
            ("same", "median", "OK"), ("a_little", "median", "OK"), ("warned", "median", "WARN"),
            ("failed", "median", "FAIL"), ("better", "median", "IMPROVED"),
            ("allocating", "allocs", "FAIL"), ("new", "", "NEW"),
        ):  # fmt: skip
            self.assertRegex(result.out, rf"(?m)^{verdict} +{name}\b *{key}")
        self.assertIn("run again: worse by", result.out)

    def test_noise_is_seen(self):
        result = self.ab({"wild": self.sides(100, 130, noise=0.9)}, "--rounds-max=10")
        self.assertRegex(result.out, r"(NOISY|INCONCLUSIVE) +wild +median")
        self.assertEqual(result.code, 0)
        strict = self.ab(
            {"wild": self.sides(100, 130, noise=0.9)}, "--rounds-max=10", "--inconclusive=fail"
        )
        self.assertEqual(strict.code, 4)

    def test_what_noise_cannot_hide_fails(self):
        result = self.ab({"wild": self.sides(100, 1000, noise=0.3)}, "--rounds-max=10")
        self.assertEqual(result.code, 1, result)
        self.assertRegex(result.out, r"FAIL +wild +median")

    def test_what_slows_both_sides_alike_is_no_noise(self):
        """A machine that has a speed of its own in every round."""
        levels = (100, 130, 90, 160, 110, 150, 105, 140, 120, 170)
        sides = self.sides(100, 100)
        for values in sides.values():
            values["from"] = {str(2 + i): {"ns": level} for i, level in enumerate(levels)}
        result = self.ab({"a": sides})
        self.assertRegex(result.out, r"(?m)^OK +a +median")
        self.assertNotIn("more rounds", result.out)

    def test_both_sides_of_a_round_are_on_one_processor(self):
        self.ab({"a": self.sides(100, 100)}, "--rounds=6")
        log = self.read("log").splitlines()
        places = [line.partition("processors ")[2] for line in log if "processors" in line]
        self.assertEqual(places[0::2], places[1::2])
        self.assertEqual(places[0::4], places[2::4])  # in either order, before the next
        wanted = sorted(os.sched_getaffinity(0))[:6]
        self.assertEqual(sorted(set(places)), sorted(f"[{each}]" for each in wanted))

    def test_unclear_benches_get_more_rounds(self):
        result = self.ab({"wild": self.sides(100, 100, noise=0.9), "calm": self.sides(5, 5)})
        self.assertIn("10 more rounds", result.out)
        log = self.read("log").splitlines()
        self.assertEqual(log.count("base calibrate 1 calm"), 10)
        self.assertGreaterEqual(log.count("base calibrate 1 wild"), 20)

    def rounds(self):
        """How many of the now side a run has made."""
        return self.read("log").splitlines().count("now calibrate 1 a")

    def again(self, first, *arguments, **later):
        """A now side that fails in its first ten rounds, which processes 2 to 11 make."""
        sides = self.sides(100, first)
        for side, values in sides.items():
            values["from"] = {number: changed[side] for number, changed in later.items()}
        return self.ab({"a": sides}, *arguments)

    def test_failures_are_run_again(self):
        calm = {"base": {"ns": 100}, "now": {"ns": 100}}
        result = self.again(150, **{"12": calm})
        self.assertEqual(result.code, 0, result)
        self.assertRegex(result.out, r"WARN +a +median")
        self.assertIn("not reproduced: run again, it was OK", result.out)
        self.assertEqual(self.rounds(), 20)

    WILD = {"base": {"noise": 0.9}, "now": {"noise": 0.9}}
    WILD_AND_EVEN = {"base": {"noise": 0.9}, "now": {"noise": 0.9, "ns": 100}}
    CALM = {"base": {"noise": 0.002}, "now": {"noise": 0.002}}

    def test_a_re_run_that_noise_hides_goes_on(self):
        result = self.again(150, **{"12": self.WILD, "22": self.CALM})
        self.assertEqual(result.code, 1, result)
        self.assertRegex(result.out, r"FAIL +a +median")
        self.assertIn("a median: run again: worse by", result.out)
        self.assertIn(self.rounds(), (30, 50))

    def test_a_re_run_that_noise_hides_for_ever_ends(self):
        for most in ("--rounds-max=6", "--rounds-max=20"):
            result = self.again(150, most, **{"12": self.WILD_AND_EVEN})
            self.assertEqual(result.code, 0, result)
            self.assertRegex(result.out, r"not reproduced: run again, it was (NOISY|INCONCLUSIVE)")
            self.assertEqual(self.rounds(), 20 if most.endswith("=6") else 30)
            os.remove(self.path("log"))

    def test_more_rounds_end_with_the_budget(self):
        """Noise for ever, on a machine that is slow: 1000 rounds would take many minutes."""
        wild = self.sides(100, 100, noise=0.9, seconds=0.05)
        result = self.ab({"a": wild}, "--time-budget=5s", "--rounds-max=1000")
        self.assertIn("5 s at most", result.out)
        self.assertGreaterEqual(self.rounds(), 6)
        self.assertLess(self.rounds(), 200)  # of 0.05 s each at least

    def test_six_rounds_are_made_whatever_the_budget_is(self):
        result = self.ab({"a": self.sides(100, 150)}, "--time-budget=1ms")
        self.assertEqual(result.code, 1, result)
        self.assertRegex(result.out, r"FAIL +a +median")
        self.assertIn("a median: run again: worse by", result.out)
        self.assertEqual(self.rounds(), 12)

    def test_the_budget_grows_with_the_benches(self):
        for count, seconds in ((1, 60), (8, 160), (40, 600)):
            benches = {f"b{i}": self.sides(5, 5) for i in range(count)}
            self.assertIn(f"{seconds} s at most", self.ab(benches, "--rounds=6").out)

    def test_tails_of_some_rounds_are_no_figure(self):
        always = self.sides(2000, 2000, p95_op=3000)
        result = self.ab({"a": always}, "--rounds=6")
        self.assertRegex(result.out, r"OK +a +p95")
        os.remove(self.path("log"))
        for first, shown in (("4", 0), ("2", 1)):
            sides = self.sides(2000, 2000)
            sides["now"]["p95_op"] = 3000
            sides["base"]["from"] = {first: {"p95_op": 3000}}
            result = self.ab({"a": sides}, "--rounds=6")
            os.remove(self.path("log"))
            self.assertEqual(len(re.findall(r"\n[A-Z]+ +a +p95", result.out)), shown, result)

    def test_presets(self):
        for name, rounds, slice_ms, seconds in (("quick", 6, 166, 60), ("default", 10, 500, 60),
                                                ("comprehensive", 20, 500, 120)):  # fmt: skip
            result = self.gate("ab", "--preset", name, "--self", "--cc=sh cc", "--only=none",
                               FAKE_BENCH=json.dumps({"benches": {}}))  # fmt: skip
            self.assertIn(f"{rounds} rounds a side, slices of {slice_ms} ms", result.out)
        result = self.ab({f"b{i}": {"now": {"ns": 5}} for i in range(9)}, "--preset=comprehensive")
        self.assertIn("540 s at most", result.out)
        self.assertEqual(self.gate("ab", "--self", "--preset=x").code, 2)

    def test_what_broke_is_reported(self):
        result = self.ab({"a": self.sides(5, 5, end=1)}, "--json=r.json", "--html=r.html")
        self.assertEqual(result.code, 3, result)
        self.assertEqual(json.loads(self.read("r.json"))["word"], "ERROR")
        self.assertRegex(result.out, r"(?m)^ERROR: ")
        self.assertIn("</html>", self.read("r.html"))

    def test_paired_ratios_are_explained(self):
        result = self.ab({"a": self.sides(100, 100)}, "--html=r.html")
        self.assertIn("the median of the ratios of rounds", result.out)
        self.assertIn("the median of the ratios of rounds", self.read("r.html").replace("\n", " "))

    def test_turns(self):
        self.ab({"a": self.sides(5, 5)}, "--rounds=6")
        log = self.read("log").splitlines()
        runs = [line[0] for line in log if " run " in line or " turn " in line]
        self.assertEqual("".join(runs), ("bnnb" * 2 + "nbbn" * 2) * 3)

    def test_self(self):
        result = self.ab({"a": self.sides(5, 900)}, base=("--self", "--cc=sh cc"))
        self.assertEqual(result.code, 0, result)
        self.assertRegex(result.out, r"OK +a +median")

    def test_benches_that_break(self):
        for fault, text in (({"error": "no memory"}, "a: no memory"),):
            result = self.ab({"a": self.sides(5, 5, **fault), "b": self.sides(5, 5)})
            self.assertEqual(result.code, 1)
            self.assertIn(text, result.out)
            self.assertRegex(result.out, r"OK +b +median")
        result = self.ab({"a": self.sides(5, 5, end=1)})
        self.assertEqual(result.code, 3)
        self.assertIn("ended without an answer", result.err)

    def test_debug_builds_are_refused(self):
        result = self.ab({"a": self.sides(5, 5)}, build={"type": "debug"})
        self.assertEqual(result.code, 3)
        self.assertIn("debug build", result.err)

    def test_nothing_to_compare(self):
        self.assertEqual(self.ab({"a": self.sides(5, 5)}, "--only=b").code, 3)
        self.assertEqual(self.ab({}, skipped=[{"id": "a", "reason": "x"}]).code, 3)

    def test_usage(self):
        for arguments in (
            [], ["--self", "--base=x"], ["--self", "--rounds=5"],
            ["--self", "--slice=5"], ["--self", "--slice=0ms"], ["--self", "--rounds=x"],
            ["--bogus"], ["--base"], ["--self", "x"], ["--self", "--profile=none"],
        ):  # fmt: skip
            self.assertEqual(self.gate("ab", *arguments).code, 2, arguments)

    def test_interrupted(self):
        hanging = {"a": self.sides(5, 5, hang=1)}
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process = subprocess.Popen(
                [gate_world.TOOL, "ab", *self.OLDER],
                cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env=os.environ | {"FAKE_BENCH": json.dumps({"benches": hanging}),
                                  "FAKE_BENCH_LOG": str(self.folder / "log"),
                                  "TMPDIR": str(self.folder)},
            )  # fmt: skip
            while not (self.folder / "log").exists() or " run " not in self.read("log"):
                time.sleep(0.01)
            process.send_signal(number)
            self.assertEqual(process.wait(timeout=20), -number)
            self.assertEqual(list(self.folder.glob("accel-gate-*")), [])
            os.remove(self.folder / "log")


HARNESS = r"""
#include <stdio.h>
#include <string.h>
int accel_speed(void);
int main(void)
{
  char line[256];
  puts("{\"accel_bench\":1,\"build\":{\"type\":\"release\"}}");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    if (strncmp(line, "list", 4) == 0)
      puts("{\"benches\":[{\"id\":\"a\",\"full_id\":\"a\"}],\"skipped\":[]}");
    else if (strncmp(line, "calibrate", 9) == 0)
      printf("{\"iters\":1,\"ns\":%d}\n", accel_speed());
    else
      printf("{\"times\":[%d,%d],\"allocs\":0}\n", accel_speed() * 1000, accel_speed() * 1000);
    fflush(stdout);
  }
  return 0;
}
"""


class Trees(gate_world.World):
    """A repository whose accel.h says how fast it is, and a bench that believes it."""

    def git(self, *arguments):
        subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@x", *arguments],
            cwd=self.path("repo/x").parent, check=True, capture_output=True,
        )  # fmt: skip

    def speed(self, ns):
        self.write("repo/accel.h", f"#define SPEED {ns}\n")

    def setUp(self):
        super().setUp()
        self.write("repo/bench/harness/main.c", HARNESS)
        self.write(
            "repo/bench/cache_path_bench.c",
            '#include "accel.h"\nint accel_speed(void);\nint accel_speed(void) { return SPEED; }\n',
        )
        self.speed(100)
        self.git("init", "-q")
        self.git("add", ".")
        self.git("commit", "-qm", "one")
        self.path("tmp/x")

    def ab(self, code, *arguments):
        result = self.gate(
            "ab", "--tree=repo", "--rounds=6", "--slice=1ms", "--warm-up=1ms", *arguments,
            TMPDIR=str(self.folder / "tmp"),
        )  # fmt: skip
        self.assertEqual(result.code, code, result)
        self.assertEqual(os.listdir(self.folder / "tmp"), [])
        self.assertEqual(os.listdir(self.folder / "repo/.git/worktrees")
                         if (self.folder / "repo/.git/worktrees").exists() else [], [])  # fmt: skip
        return result

    def test_base_of_git(self):
        self.assertRegex(self.ab(0, "--base=HEAD").out, r"OK +a +median")
        self.speed(130)
        self.assertRegex(self.ab(1, "--base=HEAD").out, r"FAIL +a +median")
        self.git("commit", "-qam", "two")
        self.ab(1, "--base", "HEAD~1")
        self.ab(0, "--base", "HEAD")

    def test_now_is_told(self):
        """Its commit, and whether it holds more than that."""
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=self.folder / "repo", text=True,
                              capture_output=True, check=True).stdout.strip()  # fmt: skip
        result = self.ab(0, "--base=HEAD")
        self.assertIn(f"now repo ({head[:12]})", result.out)
        self.write("repo/accel.h", "#define SPEED 100 /* as before */\n")
        result = self.ab(0, "--base=HEAD", "--json=r.json")
        self.assertIn("with changes not committed", result.out)
        self.assertIn("with changes not committed", json.loads(self.read("r.json"))["now"])

    def test_bisect(self):
        """git bisect run: worse is bad, and what cannot be judged is skipped."""
        self.ab(0, "--base=HEAD", "--bisect")
        self.speed(200)
        self.ab(1, "--base=HEAD", "--bisect")
        self.write("repo/accel.h", "#error broken\n")
        self.ab(125, "--base=HEAD", "--bisect")
        self.ab(125, "--base=nowhere", "--bisect")

    def test_base_of_a_folder(self):
        self.write("old/accel.h", "#define SPEED 50\n")
        self.ab(1, "--base-dir=old")
        self.ab(2, "--base-dir=none")

    def test_a_base_that_cannot_be_resolved(self):
        result = self.ab(2, "--base=nowhere")
        self.assertIn("git fetch origin nowhere", result.err)
        self.git("commit", "-q", "--allow-empty", "-m", "two")
        subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{self.folder}/repo", "shallow"],
                       cwd=self.folder, check=True)  # fmt: skip
        result = self.gate("ab", "--tree=shallow", "--base=HEAD~1")
        self.assertEqual(result.code, 2)
        self.assertIn("git fetch --unshallow", result.err)
        self.assertEqual(self.gate("ab", "--tree=tmp", "--base=HEAD").code, 2)
        self.ab(2, "--base=--help")

    def test_a_base_that_does_not_compile(self):
        self.write("old/accel.h", "#error too old\n")
        result = self.ab(3, "--base-dir=old")
        self.assertIn("the base cannot compile it", result.out)

    def test_a_current_tree_that_does_not_compile(self):
        self.write("repo/accel.h", "#error broken\n")
        self.assertIn("broken", self.ab(3, "--base=HEAD").err)


if __name__ == "__main__":
    gate_world.main()
