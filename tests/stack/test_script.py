"""tools/stack.sh itself: what it refuses, and that it ends what it started and nothing else."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import unittest

import world


def script(*arguments, **environment):
    return subprocess.run(
        [world.ROOT / "tools/stack.sh", *arguments],
        env=os.environ | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=world.PATIENCE_S, check=False,
    )  # fmt: skip


def has_ended(process):
    """Also one whose end nobody has asked for yet."""
    try:
        status = pathlib.Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return True
    return status.rpartition(")")[2].split()[0] == "Z"


class Arguments(unittest.TestCase):
    def test_help(self):
        done = script("--help")
        self.assertEqual(done.returncode, 0)
        for command in ("up", "status", "logs", "env", "test", "provoke", "down"):
            self.assertIn(f"\n  {command}", done.stdout)

    def test_wrong_arguments_are_named(self):
        for arguments, text in (
            ([], "a command is missing"),
            (["dance"], "unknown command: dance"),
            (["up", "--fast"], "unknown option: --fast"),
            (["up", "--ports"], "--ports needs a value"),
            (["up", "--ports", "some"], 'not "some"'),
            (["up", "--with=redis,mysql"], 'no component "mysql"'),
            (["up", "--program", "/nowhere"], "/nowhere is no program"),
            (["down", "redis"], "too many arguments: redis"),
            (["down", "--with", "redis"], "--ports, --with and --program are for up"),
            (["status", "--quick-alerts"], "--quick-alerts is for up"),
            (["up", "--purge"], "--purge is for down"),
            (["up", "--undo"], "--undo is for provoke NAME"),
            (["provoke", "--undo"], "--undo is for provoke NAME"),
            (["provoke", "rain"], 'no "rain"'),
        ):
            done = script(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertIn(text, done.stderr)

    def test_there_is_no_stack(self):
        with tempfile.TemporaryDirectory() as folder:
            for command in (["status"], ["env"], ["logs"], ["provoke", "redis-down"]):
                done = script(*command, "--dir", folder)
                self.assertEqual(done.returncode, 1)
                self.assertIn("there is no stack in", done.stderr)
            self.assertEqual(script("down", "--purge", "--dir", f"{folder}/none").returncode, 0)

    def test_a_folder_of_somebody_else_is_left_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            kept = pathlib.Path(folder, "kept")
            kept.touch()
            done = script("down", "--purge", "--dir", folder)
            self.assertEqual(done.returncode, 1)
            self.assertIn("is not the folder of a stack", done.stderr)
            self.assertTrue(kept.exists())


class Processes(unittest.TestCase):
    def setUp(self):
        self.stack = world.Stack("redis")
        self.addCleanup(self.stack.close)

    def recorded(self):
        return self.stack.folder / "pids/redis"

    def process(self):
        return int(self.recorded().read_text().split()[0])

    def is_alive(self):
        return f" {self.process()} " in self.stack.run("status").stdout

    def test_what_has_ended_is_started_again_at_its_address(self):
        before = self.process()
        os.kill(before, 9)
        world.wait("the table says so", lambda: self.stack.run("status").returncode == 1)
        self.stack.call("up")
        self.assertNotEqual(self.process(), before)
        self.assertEqual(self.stack.redis("ping"), "PONG")
        self.stack.call("status")
        self.assertFalse((self.stack.folder / "pids/postgres").exists())

    def test_a_second_up_changes_nothing(self):
        before = self.process()
        self.stack.call("up", "--with", "redis")
        self.assertEqual(self.process(), before)

    def test_other_ports_are_refused_while_it_runs(self):
        done = self.stack.run("up", "--ports", "standard")
        self.assertEqual(done.returncode, 1)
        self.assertIn("down first", done.stderr)

    def test_down_ends_it_and_keeps_the_folder(self):
        before = self.process()
        self.stack.call("down")
        self.assertTrue(has_ended(before))
        self.assertTrue((self.stack.folder / "settings").exists())
        self.stack.call("down", "--purge")
        self.assertFalse(self.stack.folder.exists())

    def test_a_process_that_took_the_number_is_left_alone(self):
        with subprocess.Popen(["sleep", "1000"]) as other:
            try:
                number = self.process()
                start = self.recorded().read_text().split()[1]
                self.recorded().write_text(f"{other.pid} {start}\n")
                self.assertEqual(self.stack.run("status").returncode, 1)
                self.stack.call("down")
                self.assertIsNone(other.poll())
            finally:
                other.kill()
                os.kill(number, 15)

    def test_two_stacks_do_not_disturb_each_other(self):
        other = world.Stack("redis")
        self.assertNotEqual(other.addresses, self.stack.addresses)
        other.close()
        self.assertTrue(self.is_alive())
        self.assertEqual(self.stack.redis("ping"), "PONG")

    def test_files_of_others_survive_a_removal(self):
        kept = self.stack.folder / "kept"
        kept.touch()
        done = self.stack.run("down", "--purge")
        self.assertEqual(done.returncode, 1)
        self.assertIn("other files", done.stderr)
        self.assertEqual(list(self.stack.folder.iterdir()), [kept])
        kept.unlink()

    def test_a_stopped_component_can_be_ended(self):
        os.kill(self.process(), 19)
        before = self.process()
        self.stack.call("down")
        self.assertTrue(has_ended(before))


class Service(unittest.TestCase):
    def test_it_does_not_wait_for_a_database_that_nobody_starts(self):
        with tempfile.TemporaryDirectory() as folder:
            done = script("up", "--with=service", "--program=/bin/true", "--dir", f"{folder}/stack")
            self.assertEqual(done.returncode, 1)
            self.assertIn("service needs PostgreSQL, and nobody listens on port", done.stderr)
            script("down", "--purge", "--dir", f"{folder}/stack")


def has_ended(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return True
    return state.rpartition(")")[2].split()[0] == "Z"


class Faults(unittest.TestCase):
    def test_what_up_has_started_again_stays(self):
        stack = world.Stack("redis", "prometheus")
        self.addCleanup(stack.close)
        stack.call("provoke", "redis-down")
        stack.call("up")
        recorded = stack.folder / "pids/redis"
        before = recorded.read_text()
        stack.call("provoke", "redis-down", "--undo")
        self.assertEqual(recorded.read_text(), before)
        stack.call("status")

    def test_an_undo_says_what_must_run_for_it(self):
        stack = world.Stack("redis", "prometheus")
        self.addCleanup(stack.close)
        stack.call("provoke", "breaker")
        pid = int((stack.folder / "pids/redis").read_text().split()[0])
        os.kill(pid, 9)
        world.wait("redis has ended", lambda: has_ended(pid))
        done = stack.run("provoke", "breaker", "--undo")
        self.assertEqual(done.returncode, 1)
        self.assertIn("redis does not run; tools/stack.sh up", done.stderr)
        stack.call("up")
        stack.call("provoke", "breaker", "--undo")


class Ports(unittest.TestCase):
    def test_a_taken_standard_port_is_named(self):
        with socket.socket() as taken, tempfile.TemporaryDirectory() as folder:
            try:
                taken.bind(("127.0.0.1", 9090))
            except OSError:
                pass  # somebody else has it
            done = script("up", "--ports=standard", "--with=prometheus,redis", "--dir", folder)
            self.assertEqual(done.returncode, 1)
            self.assertIn("9090 (prometheus)", done.stderr)
            self.assertEqual(script("status", "--dir", folder).returncode, 1)

    def test_a_port_that_another_program_took_in_between_is_replaced(self):
        """The first redis-server finds its port in use."""
        with tempfile.TemporaryDirectory() as folder:
            real = shutil.which("redis-server")
            false = pathlib.Path(folder, "bin/redis-server")
            false.parent.mkdir()
            false.write_text(
                f"#!/bin/sh\nif [ -e {folder}/again ]; then exec {real} \"$@\"; fi\n"
                f"touch {folder}/again\necho bind: Address already in use\nexit 1\n"
            )
            false.chmod(0o755)
            path = f"{false.parent}:{os.environ['PATH']}"
            done = script("up", "--with=redis", "--dir", f"{folder}/stack", PATH=path)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(script("status", "--dir", f"{folder}/stack").returncode, 0)
            script("down", "--purge", "--dir", f"{folder}/stack")

    def test_a_component_that_cannot_start_says_why_and_leaves_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            false = pathlib.Path(folder, "bin/redis-server")
            false.parent.mkdir()
            false.write_text("#!/bin/sh\necho it is broken\nexit 1\n")
            false.chmod(0o755)
            path = f"{false.parent}:{os.environ['PATH']}"
            done = script("up", "--with=redis", "--dir", f"{folder}/stack", PATH=path)
            self.assertEqual(done.returncode, 1)
            self.assertIn("it is broken", done.stderr)
            self.assertIn("nothing is left running", done.stderr)
            self.assertEqual(script("status", "--dir", f"{folder}/stack").returncode, 1)


if __name__ == "__main__":
    world.main("redis-server", "redis-cli", "prometheus")
