"""Input that is wrong, huge, deep or unreadable, and disks that are full: every file at fault is
named, nothing crashes, and an old baseline survives."""

import json
import os
import resource
import subprocess
import unittest

import gate_world

GOOD = {"version": 1, "schema": 2, "benchmarks": {"a": {"mean_ns": 5.0}}}


class Files(gate_world.World):
    def refused(self, text, *words):
        self.path("bad.json").write_bytes(text if isinstance(text, bytes) else text.encode())
        result = self.gate("validate", "bad.json")
        self.assertEqual(result.code, 3, result)
        for word in ("bad.json", *words):
            self.assertIn(word, result.err)

    def test_json_that_is_none(self):
        for text, word in (
            ("", "line 1"), ("{", "line 1"), ('{"benchmarks":{"a":{"mean_ns":NaN}}}', "line 1"),
            ('{"benchmarks":{"a":{"mean_ns":Infinity}}}', "line 1"),
            ('{"benchmarks":{"a":{"mean_ns":1e999}}}', "line 1"),
            ('{"benchmarks":{}}\n\nx', "line 3"), ('{"schema":2,\n"schema":2}', "line 2"),
            (b'{"benchmarks":{"\xff":{"mean_ns":1}}}', "line 1"),
            ('{"benchmarks":{"a\\u0000b":{"mean_ns":1}}}', "line 1"),
            ("[" * 3000 + "]" * 3000, "maximum parsing depth"),
            ("\n" * 10 + '{"a":' * 5000 + "1" + "}" * 5000, "at line 11"),
        ):  # fmt: skip
            with self.subTest(text[:40]):
                self.refused(text, word)

    def test_json_of_another_shape(self):
        for text in (
            "[]", "{}", '{"benchmarks":[]}', '{"benchmarks":{"a":5}}', '{"benchmarks":{"a":{}}}',
            '{"benchmarks":{"":{"mean_ns":1}}}', '{"benchmarks":{"a\\n":{"mean_ns":1}}}',
            '{"benchmarks":{"a":{"mean_ns":true}}}', '{"schema":3,"benchmarks":{}}',
            '{"context":{},"benchmarks":{}}', '{"context":{},"benchmarks":[5]}',
            '{"context":{},"benchmarks":[{"name":"a","real_time":1,"time_unit":"B"}]}',
            '{"results":[{}]}', '{"results":[{"command":"a","mean":-1}]}',
            '{"schema":2,"benchmarks":{"a":{"metrics":{"time":{"better":"best","mean":1}}}}}',
            '{"schema":2,"benchmarks":{"a":{"metrics":{"time":{"p50":5,"p95":4}}}}}',
            '{"schema":2,"benchmarks":{"a":{"metrics":{"time":{"lo":5,"hi":4}}}}}',
            '{"schema":2,"benchmarks":{"a":{"metrics":{"time":{"mean":1,"n":1.5}}}}}',
            '{"schema":2,"benchmarks":{"a":{"metrics":{"time":{"mean":1,"rounds":[1,"x"]}}}}}',
            "neither",
        ):  # fmt: skip
            with self.subTest(text[:60]):
                self.refused(text)

    def test_more_fields_are_tolerated(self):
        self.write("good.json", GOOD | {"later": [1, {"x": None}]})
        self.assertEqual(self.gate("validate", "good.json").code, 0)

    def test_every_fault_is_named(self):
        benches = {name: {"mean_ns": -1} for name in ("a", "b", "c")} | {"d": {"mean_ns": 1}}
        self.refused(json.dumps({"benchmarks": benches}, indent=1), "a: ", "b: ", "c: ", "(line 6)")

    def test_every_corrupt_entry_is_named(self):
        self.entry("good", 5)
        self.write("target/criterion/bad/new/estimates.json", "{")
        self.write("target/criterion/worse/new/estimates.json", {"mean": 5})
        self.entry("sample", 5)
        self.write("target/criterion/sample/new/sample.json", {"iters": [1], "times": []})
        self.baseline({"good": 5})
        result = self.check(3)
        for name in ("bad", "worse", "sample"):
            self.assertIn(f"target/criterion/{name}/new/", result.err)
        self.assertRegex(result.out, "OK +good")

    def test_files_that_cannot_be_read(self):
        self.path("folder/x")
        self.write("good.json", GOOD)
        self.assertIn("none.json", self.check(3, "good.json", "none.json").err)
        result = self.gate("check", "--compat=seed", "--baseline", "folder")
        self.assertEqual((result.code, result.err),
                         (1, "error: failed to read folder: Is a directory\n"))  # fmt: skip
        if os.geteuid() != 0:
            os.chmod(self.path("good.json"), 0)
            self.assertIn("Permission denied", self.gate("validate", "good.json").err)

    def test_a_file_that_is_too_large(self):
        with open(self.path("large.json"), "wb") as file:
            file.truncate(64 * 1024 * 1024 + 1)
        self.assertIn("64 MiB", self.gate("validate", "large.json").err)

    def test_links_that_go_round(self):
        self.entry("a/b", 5)
        os.symlink("..", self.path("target/criterion/a/round"))
        result = self.gate("export", "--compat=seed")
        self.assertEqual(result.code, 1)
        self.assertIn("failed to walk", result.err)

    def test_links_are_followed(self):
        self.entry("x/b", 5, root="elsewhere")
        self.path("target/criterion/y")
        os.symlink("../../elsewhere/x", self.path("target/criterion/linked"))
        self.assertEqual(self.gate("export", "--compat=seed").code, 0)
        self.assertIn('"linked/b"', self.read("docs/benchmarks/cache_path_bench.json"))


class FullDisk(gate_world.World):
    OUTPUT = "docs/benchmarks/cache_path_bench.json"

    def test_an_old_baseline_survives(self):
        for i in range(200):
            self.entry(f"bench_{i}", 5)
        self.entry("a", 5)
        self.write(self.OUTPUT, GOOD)
        before = self.read(self.OUTPUT)
        done = subprocess.run(
            [gate_world.TOOL, "export"], cwd=self.folder, capture_output=True, text=True,
            check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048)),
        )  # fmt: skip
        self.assertEqual(done.returncode, 3, done)
        self.assertIn(f"failed to write {self.OUTPUT}: File too large", done.stderr)
        self.assertEqual(self.read(self.OUTPUT), before)
        self.assertEqual(os.listdir(self.path(self.OUTPUT).parent), ["cache_path_bench.json"])

    def test_history_keeps_whole_lines(self):
        for i in range(200):
            self.entry(f"bench_{i}", 5)
        self.write("h.jsonl", json.dumps(GOOD) + "\n")
        before = self.read("h.jsonl")
        done = subprocess.run(
            [gate_world.TOOL, "history", "add", "--history=h.jsonl"], cwd=self.folder,
            capture_output=True, text=True, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048)),
        )  # fmt: skip
        self.assertEqual(done.returncode, 3, done)
        self.assertEqual(self.read("h.jsonl"), before)

    @unittest.skipUnless(os.path.exists("/dev/full"), "there is no /dev/full")
    def test_standard_output(self):
        self.write("good.json", GOOD)
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([gate_world.TOOL, "validate", "good.json"], cwd=self.folder,
                                  stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 3)
        self.assertIn("failed to write", done.stderr)


class Baselines(gate_world.World):
    """A baseline is replaced by an act with a reason."""

    def test_worse_needs_a_reason(self):
        self.entry("a", 100)
        self.assertEqual(self.gate("export").code, 0)
        self.entry("a", 200)
        result = self.gate("export")
        self.assertEqual(result.code, 1, result)
        self.assertIn("--accept REASON", result.err)
        self.assertIn("FAIL", result.out)
        path = "docs/benchmarks/cache_path_bench.json"
        self.assertEqual(json.loads(self.read(path))["benchmarks"]["a"]["mean_ns"], 100)
        self.assertEqual(self.gate("export", "--accept", "checksums cost that").code, 0)
        self.assertEqual(json.loads(self.read(path))["reason"], "checksums cost that")

    def test_fingerprint_and_compat_keys(self):
        self.entry("a", 100, 90)
        self.gate("export")
        content = json.loads(self.read("docs/benchmarks/cache_path_bench.json"))
        self.assertEqual((content["version"], content["schema"]), (1, 2))
        self.assertEqual(content["benchmarks"]["a"]["median_ns"], 90)
        self.assertIn("cores", content["machine"])
        self.assertNotIn("hostname", content["machine"])
        self.assertEqual(self.check(0, "--compat=seed").err, "")


if __name__ == "__main__":
    gate_world.main()
