"""The benches themselves: their ids, with and without Redis, and that they leave nothing behind.

usage: bench_suites.py CACHE_PATH_BENCH TENANT_CACHE_BENCH PACKAGING_BENCH
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

CACHE_PATH, TENANT, PACKAGING = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:4])
del sys.argv[1:4]
QUICK = ("--quick", "--warm-up-time=.01", "--measurement-time=.02", "--nresamples=100")
NO_SERVER = "redis://127.0.0.1:0"
LOCAL = [f"{group}/{result}_{how}{parameter}"
         for group, parameter in (("single_key", ""), ("batch", "/32"))
         for result in ("hit", "miss") for how in ("manual", "macro")]  # fmt: skip
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("CRITERION", "CARGO", "ACCEL"))}


class Server:
    """A Redis server of our own on a free port of the loopback address."""

    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                   "--dir", folder]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                if self.ask(b"PING") == b"+PONG\r\n":
                    return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("redis-server does not answer")

    def ask(self, command):
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(command + b"\r\n")
            return connection.recv(4096)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)


class Suites(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_bench(self, program, *arguments, url=NO_SERVER):
        done = subprocess.run(
            [program, *arguments], cwd=self.folder, capture_output=True, text=True, check=False,
            env={**CLEAN, "ACCELERATOR_BENCH_REDIS_URL": url}, timeout=100,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def is_measurable(self):
        """Sanitizer builds refuse; what they can run is tested by --test."""
        done = subprocess.run([TENANT, "--serve"], stdin=subprocess.DEVNULL, capture_output=True,
                              check=True)  # fmt: skip
        return json.loads(done.stdout)["build"]["type"] == "release"

    def test_ids(self):
        ids = [line.removesuffix(": benchmark").split("/")
               for line in self.run_bench(CACHE_PATH, "--list").stdout.splitlines()]  # fmt: skip
        joined = ["/".join([one[0], f"{one[1]}_{one[2]}", *one[3:]]) for one in ids]
        remote = [key.replace("/", "_remote/", 1) for key in LOCAL]
        self.assertEqual(joined, LOCAL + remote)
        ids = self.run_bench(TENANT, "--list").stdout.replace(": benchmark", "").split()
        self.assertEqual(ids, ["cache_insert/100", "cache_insert/1000", "cache_insert/10000",
                               "cache_get_hit", "cache_get_miss"])  # fmt: skip

    def test_without_a_server_the_local_ones_run(self):
        for url in (NO_SERVER, "nonsense", "redis://nobody.invalid", "redis://127.0.0.1:99999"):
            text = self.run_bench(CACHE_PATH, "--test", url=url).stdout
            self.assertEqual(text.count(": Success"), 8, text)
            self.assertEqual(text.count("_remote/"), 8)
            self.assertEqual(text.count(": no Redis: "), 8)
        self.assertEqual(self.run_bench(TENANT, "--test").stdout.count("Success"), 5)
        self.assertEqual(self.run_bench(PACKAGING, "--test").stdout.count("Success"), 2)

    def test_with_a_server_all_run_and_leave_no_key(self):
        if not shutil.which("redis-server"):
            self.fail("redis-server is not installed")
        server = Server(self.folder)
        self.addCleanup(server.stop)
        url = f"redis://127.0.0.1:{server.port}"
        self.assertEqual(self.run_bench(CACHE_PATH, "--test", url=url).stdout.count("Success"), 16)
        self.run_bench(CACHE_PATH, "--profile-time=.05", "batch_remote/miss/macro", url=url)
        self.assertEqual(self.run_bench(PACKAGING, "--test", url=url).stdout.count("Success"), 3)
        self.assertEqual(server.ask(b"DBSIZE"), b":0\r\n")

    def test_measured_ones_are_in_the_tree(self):
        if not self.is_measurable():
            print("a build under a sanitizer is not measured; --test was")
            return
        self.run_bench(CACHE_PATH, *QUICK)
        criterion = self.folder / "target" / "criterion"
        found = {str(path.relative_to(criterion).parent.parent)
                 for path in criterion.glob("**/new/estimates.json")}  # fmt: skip
        self.assertEqual(found, set(LOCAL))
        own = json.loads((criterion / "accel-run-cache_path_bench.json").read_text())
        self.assertEqual({key.partition("/")[0] for key in own["skipped"]},
                         {"single_key_remote", "batch_remote"})
        for reason in own["skipped"].values():
            self.assertIn("no Redis", reason)
        for key in LOCAL:
            metrics = own["benchmarks"][key]["metrics"]
            self.assertLess(metrics["peak_bytes"]["value"], 1 << 20, key)
            if key.startswith("single_key/hit"):
                self.assertEqual(metrics["allocs"]["value"], 0)

    def test_the_cost_of_a_miss_does_not_grow(self):
        """Whatever the number of iterations: the cache is emptied in between. A busy machine may
        disturb a comparison, not all of them."""
        if not self.is_measurable():
            return
        ratios = [self.long_by_short()]
        while not 1 / 3 < ratios[-1] < 3 and len(ratios) < 10:
            ratios.append(self.long_by_short())
        self.assertTrue(1 / 3 < ratios[-1] < 3, ratios)

    def long_by_short(self):
        """What a miss costs in a long run, in parts of what it costs in a short one."""
        commands = "run 512 40 single_key/miss_manual\nrun 51200 5 single_key/miss_manual\n"
        done = subprocess.run([CACHE_PATH, "--serve"], input=commands, text=True, check=True,
                              capture_output=True, env={**CLEAN,
                              "ACCELERATOR_BENCH_REDIS_URL": NO_SERVER})  # fmt: skip
        few, many = (json.loads(line) for line in done.stdout.splitlines()[1:])
        return min(many["times"]) / 51200 / (min(few["times"]) / 512)

    def test_those_that_share_a_cache_are_served_in_turn(self):
        commands = "".join(f"run 10 1 {key}\n" for key in (*LOCAL, *LOCAL))
        done = subprocess.run([CACHE_PATH, "--serve"], input=commands, text=True, check=True,
                              capture_output=True, env={**CLEAN,
                              "ACCELERATOR_BENCH_REDIS_URL": NO_SERVER})  # fmt: skip
        self.assertNotIn("error", done.stdout)

    def test_summaries(self):
        if not self.is_measurable():
            return
        self.run_bench(PACKAGING, *QUICK)
        for name, metric in (("encode_batch", "duration_ms"), ("remote_stream", "throughput_mbs")):
            path = self.folder / "target" / "benchmarks" / f"bench-{name}.json"
            value = json.loads(path.read_text(encoding="utf-8"))
            self.assertEqual((value["bench_id"], value["metric"]), (name, metric))
            self.assertTrue(0 < value["p05"] <= value["p50"] <= value["p95"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
