"""Runs the scripts of the workflows as GitHub does, in a repository of their own with pushes A, B
and C, and with a gate that says what the test wants.

usage: workflows_run.py ROOT [ACCEL_GATE]

What is not a script (actions, the installation of packages) is left out. ACCEL_GATE judges the
fixtures, and writes the history.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    import yaml
except ImportError:
    print("python3-yaml is not installed")
    sys.exit(77)

ROOT = pathlib.Path(sys.argv[1]).resolve()
GATE = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None
del sys.argv[1:]
WORKFLOWS = ROOT / ".github" / "workflows"
ZEROS = "0" * 40
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB", "GIT_", "ACCEL", "CI"))}

# Notes what it was asked for; `ab` and `check` of a tree end as the test wants, the rest is real.
STUB = """#!/usr/bin/env bash
printf '%s\\n' "$*" >>"$CALLS"
case "$1 $*" in
  ab\\ *) exit "${AB_STATUS:-0}" ;;
  check\\ *--criterion-dir*) exit "${CHECK_STATUS:-0}" ;;
  report\\ *) exit 0 ;;
  *) [ -n "$REAL_GATE" ] && exec "$REAL_GATE" "$@" ;;
esac
"""
# Stands for tools/bench.sh: leaves one result where the workflow reads it.
BENCH = """#!/usr/bin/env bash
printf 'bench.sh %s\\n' "$*" >>"$CALLS"
mkdir -p target/criterion/a/new
printf '{"mean":{"point_estimate":100},"median":{"point_estimate":100}}' \\
  >target/criterion/a/new/estimates.json
"""
SKIPPED = ("apt-get", "meson setup")  # the stub is there instead


def fill_in(text, context):
    """GitHub's expressions, as far as the workflows use them: a path, or a path or a text."""

    def value(match):
        for part in match[1].split("||"):
            part = part.strip()
            found = part[1:-1] if part.startswith("'") else context.get(part, "")
            if found:
                return found
        return ""

    return re.sub(r"\$\{\{ (.*?) \}\}", value, str(text))


class Repository(unittest.TestCase):
    """`work` is a clone, as a runner has it, of `origin`."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.origin, self.work = self.folder / "origin", self.folder / "work"
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", self.origin], check=True)
        subprocess.run(["git", "clone", "-q", self.origin, self.work], check=True,
                       capture_output=True)  # fmt: skip
        self.git("config", "user.name", "somebody")
        self.git("config", "user.email", "somebody@localhost")
        self.git("checkout", "-q", "-b", "main")
        for name in ("tools/lib.sh", "tools/bench_ci.sh"):
            self.put(name, (ROOT / name).read_text(encoding="utf-8"))
        shutil.copytree(ROOT / "tests/gate/fixtures", self.work / "tests/gate/fixtures")
        self.put("tools/bench.sh", BENCH)
        self.put(".gitignore", "/build/\n/target/\n")
        self.put("accel.h", "/* as it was */\n")
        self.put("README.md", "words\n")

    def put(self, name, text):
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def git(self, *arguments):
        return subprocess.run(["git", *arguments], cwd=self.work, check=True, env=CLEAN,
                              capture_output=True, text=True).stdout.strip()  # fmt: skip

    def commit(self, text, name="accel.h"):
        """Commits a change and pushes it; its id."""
        self.put(name, f"/* {text} */\n")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", text)
        self.git("push", "-q", "origin", "HEAD")
        return self.git("rev-parse", "HEAD")

    def run_workflow(self, name, context, **environment):
        """Runs the scripts of a workflow in a fresh clone. The steps that failed; what is asked for
        lies in self.calls, the annotations in self.output."""
        shutil.rmtree(self.work / "target", ignore_errors=True)
        self.git("worktree", "prune")
        subprocess.run(["git", "branch", "-D", "bench-history"], cwd=self.work, check=False,
                       capture_output=True)  # fmt: skip
        self.git("fetch", "-q", "origin")
        self.put("build/tools/accel-gate", STUB)
        calls = self.folder / "calls"
        calls.write_text("")
        steps = yaml.safe_load((WORKFLOWS / name).read_text(encoding="utf-8"))["jobs"]
        (job,) = steps.values()
        context, failed, self.output = dict(context), [], ""
        for step in job["steps"]:
            if "run" not in step or any(text in step["run"] for text in SKIPPED[:1]):
                continue
            if not self.wanted(step.get("if"), context, failed):
                continue
            outputs = self.folder / "outputs"
            outputs.write_text("")
            script = "\n".join(line for line in step["run"].splitlines()
                               if "meson setup" not in line and "ninja -C" not in line)  # fmt: skip
            done = subprocess.run(
                ["bash", "-e", "-o", "pipefail", "-c", script], cwd=self.work, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                env={**CLEAN, "GITHUB_OUTPUT": str(outputs), "CALLS": str(calls),
                     "GITHUB_SHA": self.git("rev-parse", "HEAD"), "REAL_GATE": str(GATE or ""),
                     **{k: fill_in(v, context) for k, v in step.get("env", {}).items()},
                     **environment},
            )  # fmt: skip
            self.output += done.stdout
            if done.returncode != 0:
                failed.append(step["name"])
            for line in outputs.read_text().splitlines():
                key, _, value = line.partition("=")
                context[f"steps.{step.get('id')}.outputs.{key}"] = value
        self.calls = calls.read_text().splitlines()
        self.outputs = context
        return failed

    def wanted(self, condition, context, failed):
        if condition is None:
            return not failed
        if condition == "always()":
            return True
        match = re.fullmatch(r"(\S+) == '(\w+)'", condition)
        self.assertIsNotNone(match, condition)
        return not failed and context.get(match[1], "") == match[2]

    def base_of_ab(self):
        """What `ab` compared with; None: it did not."""
        found = [re.search(r"^ab --base (\S+)", call) for call in self.calls]
        return next((match[1] for match in found if match), None)


@unittest.skipUnless(GATE, "accel-gate is not built")
class Main(Repository):
    def push(self, before, **environment):
        context = {"github.event.before": before, "github.event.repository.default_branch": "main"}
        return self.run_workflow("bench-main.yml", context, **environment)

    def history(self):
        text = self.git("show", "origin/bench-history:history.jsonl")
        return [json.loads(line)["commit"] for line in text.splitlines()]

    def test_a_dropped_push_is_judged_by_the_next(self):
        first = self.commit("A")
        self.assertEqual(self.push(ZEROS), [], self.output)
        self.git("fetch", "-q", "origin")
        self.assertEqual(self.history(), [first])
        middle = self.commit("B")  # whose run GitHub drops
        last = self.commit("C")
        self.assertEqual(self.push(middle), [], self.output)
        self.assertEqual(self.base_of_ab(), first)
        self.git("fetch", "-q", "origin")
        self.assertEqual(self.history(), [first, last])

    def test_a_first_push_has_nothing_or_its_parent(self):
        self.commit("A")
        self.assertEqual(self.push(ZEROS), [], self.output)
        self.assertIsNone(self.base_of_ab())
        self.assertIn("no earlier commit to compare with", self.output)

    def test_before_is_used_without_a_history(self):
        first = self.commit("A")
        self.commit("B")
        self.push(first)
        self.assertEqual(self.base_of_ab(), first)
        self.git("push", "-q", "origin", ":bench-history")
        self.git("update-ref", "-d", "refs/remotes/origin/bench-history")
        self.push("1234567890" * 4)  # what a forced push left behind
        self.assertEqual(self.base_of_ab(), first)

    def test_lines_of_commits_that_are_gone_are_passed_over(self):
        first = self.commit("A")
        self.push(ZEROS)
        gone = self.commit("B")
        self.push(first)
        self.git("reset", "-q", "--hard", first)
        self.put("accel.h", "/* instead */\n")
        self.git("commit", "-q", "-a", "-m", "instead")
        self.git("push", "-q", "--force", "origin", "HEAD")
        self.assertEqual(self.push(gone), [], self.output)
        self.assertEqual(self.base_of_ab(), first)

    def test_what_the_gate_says_decides(self):
        first = self.commit("A")
        self.commit("B")
        compare = "Compare with what was measured before"
        for status, red, says in ((0, [], ""), (1, [compare], ""), (2, [compare], "nothing was"),
                                  (3, [compare], "nothing was"), (4, [], "not proven"),
                                  (127, [compare], "nothing was")):  # fmt: skip
            self.assertEqual(self.push(first, AB_STATUS=str(status)), red, self.output)
            self.assertIn(says, self.output)
            self.assertNotIn("::notice" if red else "::error", self.output)
            self.git("push", "-q", "origin", ":bench-history")

    def test_the_table_is_on_the_page_of_the_run(self):
        page, table = self.folder / "summary", self.folder / "table.md"
        write = ["sh", "-c", 'echo "| table |" > "$2"', "gate", "--markdown", table]
        for command, text in ((write, "| table |\n"), (["true"], "")):
            page.write_text("")
            subprocess.run([ROOT / "tools/bench_ci.sh", "judge", *command], check=True,
                           env=CLEAN | {"GITHUB_STEP_SUMMARY": str(page)})  # fmt: skip
            self.assertEqual(page.read_text(), text)

    def test_packing_is_compared_with_its_committed_baseline(self):
        first = self.commit("A")
        step = "Pack values, and compare with the committed baseline"
        self.assertEqual(self.push(first, CHECK_STATUS="1"), [step], self.output)
        (call,) = [call for call in self.calls if call.startswith("check --markdown")]
        self.assertIn("--baseline docs/benchmarks/bench-pack.json", call)
        self.assertTrue((ROOT / "docs/benchmarks/bench-pack.json").is_file())

    def test_folders_that_are_uploaded_are_there(self):
        self.commit("A")
        self.push(ZEROS)
        text = (WORKFLOWS / "bench-main.yml").read_text(encoding="utf-8")
        (job,) = yaml.safe_load(text)["jobs"].values()
        (upload,) = [step for step in job["steps"] if "upload-artifact" in step.get("uses", "")]
        missing = [path for path in upload["with"]["path"].split()
                   if not (self.work / path).is_dir() and "packaging" not in path]  # fmt: skip
        self.assertEqual(missing, [])

    def test_a_gate_that_is_wrong_is_found_first(self):
        first = self.commit("A")
        self.put("tests/gate/fixtures/encode_batch-plus25.json",
                 (self.work / "tests/gate/fixtures/encode_batch-better.json").read_text())
        self.git("commit", "-q", "-a", "-m", "a gate that sees nothing")
        failed = self.push(first)
        self.assertEqual(failed, ["Check the gate with figures that are known"])
        self.assertIsNone(self.base_of_ab())

    def test_a_base_may_be_named(self):
        first = self.commit("A")
        self.commit("B")
        context = {"inputs.base": first[:12], "inputs.rounds": "6", "inputs.time_budget": "5m"}
        self.assertEqual(self.run_workflow("bench-main.yml", context), [], self.output)
        self.assertEqual(self.base_of_ab(), first[:12])
        (call,) = [call for call in self.calls if call.startswith("ab ")]
        self.assertIn("--rounds 6 --time-budget 5m", call)


@unittest.skipUnless(GATE, "accel-gate is not built")
class PullRequest(Repository):
    def branch_off(self, name="accel.h"):
        """Main moves on after the branch left it."""
        left = self.commit("A")
        self.git("checkout", "-q", "-b", "mine")
        self.commit("mine", name)
        self.git("checkout", "-q", "main")
        self.commit("B")
        self.git("checkout", "-q", "mine")
        return left

    def pull(self, **environment):
        context = {"github.base_ref": "main", "github.event.pull_request.number": "7"}
        return self.run_workflow("bench-pr.yml", context, **environment)

    def test_it_is_compared_with_where_it_left(self):
        left = self.branch_off()
        self.assertEqual(self.pull(), [], self.output)
        self.assertEqual(self.base_of_ab(), left)

    def test_a_merge_queue_is_compared_with_its_base(self):
        left = self.branch_off()
        context = {"github.event.merge_group.base_sha": self.git("rev-parse", "main"),
                   "github.ref": "refs/heads/gh-readonly-queue/main/pr-7"}  # fmt: skip
        self.assertEqual(self.run_workflow("bench-pr.yml", context), [], self.output)
        self.assertEqual(self.base_of_ab(), left)

    def test_what_benches_do_not_see_ends_green_and_says_so(self):
        self.branch_off("README.md")
        self.assertEqual(self.pull(), [], self.output)
        self.assertIsNone(self.base_of_ab())
        self.assertIn("nothing changed that benches see", self.output)
        self.assertEqual((self.work / "target/reports/number").read_text(), "7\n")

    def test_a_regression_warns_and_what_was_not_judged_fails(self):
        self.branch_off()
        for status, red, says in ((0, [], ""), (1, [], "::warning"), (2, ["Compare"], "::error"),
                                  (3, ["Compare"], "::error"), (4, [], "::notice"),
                                  (139, ["Compare"], "::error")):  # fmt: skip
            self.assertEqual(self.pull(AB_STATUS=str(status)), red, self.output)
            self.assertIn(says, self.output)


@unittest.skipUnless(GATE, "accel-gate is not built")
class Nightly(Repository):
    def test_a_regression_and_nothing_else_becomes_an_issue(self):
        self.commit("A")
        self.git("tag", "-a", "v1", "-m", "v1")
        self.commit("B")
        text = (WORKFLOWS / "bench-nightly.yml").read_text(encoding="utf-8")
        (job,) = yaml.safe_load(text)["jobs"].values()
        issue = job["steps"][-1]
        self.assertEqual(issue["if"], "failure() && steps.compare.outputs.status == '1'")
        self.assertIn("labels: ['performance', 'regression', 'P1']", issue["with"]["script"])
        for status in (0, 1, 2, 3, 4):
            failed = self.run_workflow("bench-nightly.yml", {}, AB_STATUS=str(status))
            self.assertEqual(failed, ["Compare with the last release"] * (status in (1, 2, 3)))
            self.assertEqual(self.base_of_ab(), "v1")
            self.assertEqual(self.outputs["steps.compare.outputs.status"], str(status))


if __name__ == "__main__":
    unittest.main(verbosity=2)
