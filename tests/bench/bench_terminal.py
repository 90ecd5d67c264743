"""On a terminal: colours unless they are unwanted.

usage: bench_terminal.py PROGRAM, which is fixed_bench
"""

import json
import os
import pathlib
import pty
import sys
import tempfile
import unittest

PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
QUICK = ("--quick", "--warm-up-time=.01", "--measurement-time=.02", "--nresamples=100")
CLEAN = {k: v for k, v in os.environ.items()
         if not k.startswith(("CRITERION", "CARGO", "ACCEL", "NO_COLOR"))}  # fmt: skip
RED = "\x1b[31m"


class Terminal(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run_bench(self, *arguments, **environment):
        """What appears on a terminal."""
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.folder)
            os.execve(PROGRAM, [PROGRAM, *arguments], {**CLEAN, **environment})
        text = b""
        while True:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # how Linux tells that the other end is closed
                break
            if not part:
                break
            text += part
        _, status = os.waitpid(child, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)
        os.close(terminal)
        return text.decode()

    def compare(self, *arguments, **environment):
        for name, factor in (("before", 1.0), ("after", 2.0)):
            folder = pathlib.Path(self.folder, "target/criterion/memory", name)
            folder.mkdir(parents=True, exist_ok=True)
            times = [factor * (100 + i % 5) for i in range(20)]
            sample = {"sampling_mode": "Flat", "iters": [1.0] * 20, "times": times}
            (folder / "sample.json").write_text(json.dumps(sample), encoding="utf-8")
        which = ("memory", "--load-baseline=after", "--baseline=before", "--nresamples=100")
        return self.run_bench(*which, *arguments, **environment)

    def test_colours(self):
        self.assertIn(f"{RED}Performance has regressed.", self.compare())
        self.assertIn(RED, self.compare("--color=always", NO_COLOR="1"))
        for text in (self.compare(NO_COLOR="1"), self.compare("--color=never")):
            self.assertIn("Performance has regressed.", text)
            self.assertNotIn(RED, text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
