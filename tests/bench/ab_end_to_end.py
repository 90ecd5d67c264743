"""accel-gate ab with a real bench: no change is none, and a hit that does its work twice fails.

usage: ab_end_to_end.py ROOT ACCEL_GATE

Reduced, so that it takes a minute at most. Times of a busy machine may be too noisy to judge; then
another comparison is made, up to three.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT, GATE = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
del sys.argv[1:3]
CLEAN = {k: v for k, v in os.environ.items()
         if not k.startswith(("CRITERION", "CARGO", "ACCEL", "GITHUB"))}  # fmt: skip
BEFORE = '#include "cache.h"\n'
TWICE = """
ACCEL_INLINE accel_status accel_cache_get_twice(accel_cache *cache_, const accel_type *type_,
                                                const void *key_, void *out_)
{
  bench_keep((uint64_t)accel_cache_get(cache_, type_, key_, out_));
  return accel_cache_get(cache_, type_, key_, out_);
}
#define accel_cache_get accel_cache_get_twice
"""
ONE = ("--only", "single_key/hit_manual")
ATTEMPTS = 3
QUIETLY = {"capture_output": True, "text": True, "check": False}


class EndToEnd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """A copy of the project whose generated functions get everything twice."""
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.tree = pathlib.Path(cls.folder.name)
        shutil.copy(ROOT / "accel.h", cls.tree)
        for name in ("accel", "accel_backends", "bench"):
            shutil.copytree(ROOT / name, cls.tree / name)
        path = cls.tree / "accel" / "define.h"
        text = path.read_text(encoding="utf-8")
        if text.count(BEFORE) != 1:
            raise AssertionError("define.h is not what this test changes")
        path.write_text(text.replace(BEFORE, BEFORE + TWICE), encoding="utf-8")

    def compare(self, *arguments, tree):
        return subprocess.run(
            [GATE, "ab", *arguments], cwd=tree, env=CLEAN,
            timeout=1500, **QUIETLY,
        )  # fmt: skip

    def test_no_change_does_not_fail(self):
        reduced = ("--rounds", "6", "--rounds-max", "12", "--slice", "30ms", "--time-budget", "20s")
        done = self.compare("--self", *reduced, "--only", "single_key/*", tree=ROOT)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("single_key/hit/macro", done.stdout)

    def test_twice_the_work_fails_by_its_time(self):
        reduced = ("--rounds", "6", "--rounds-max", "24", "--slice", "50ms", "--time-budget", "30s")
        for _ in range(ATTEMPTS):
            done = self.compare("--base-dir", ROOT, *reduced, *ONE, tree=self.tree)
            if done.returncode == 1:
                break
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertRegex(done.stdout, "NOISY|INCONCLUSIVE|WARN")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stdout, r"(?m)^FAIL +single_key/hit/manual +median")


if __name__ == "__main__":
    if " ab " not in subprocess.run([GATE, "--help"], **QUIETLY).stdout:
        print("this accel-gate cannot compare two trees")
        sys.exit(77)
    unittest.main(verbosity=2)
