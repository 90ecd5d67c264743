"""tools/accel-stat: what it prints once, its errors, texts of others, and the screen in a
pseudo-terminal. Usage: test_stat.py ROOT"""

import fcntl
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

import state_world

ROOT = pathlib.Path(sys.argv.pop(1)).resolve()
PROGRAM = ROOT / "tools" / "accel-stat"
WAIT_S = 60
HOSTILE = "<b>\x1b[31mred\x1b]0;title\x07\u009b31m\u202eback\r\n\x7f\ud800"
COLOUR = re.compile(r"\x1b\[3[0-9]m")


def load():
    loader = importlib.machinery.SourceFileLoader("accel_stat", str(PROGRAM))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("accel_stat", loader))
    loader.exec_module(module)
    return module


accel_stat = load()


def run(*arguments, **more):
    call = [sys.executable, PROGRAM, *map(str, arguments)]
    return subprocess.run(call, capture_output=True, text=True, check=False, timeout=WAIT_S, **more)


class Once(unittest.TestCase):
    def once(self, answer, *arguments):
        with state_world.Service(answer) as service:
            done = run("--once", "--interval", "0.1", *arguments, service.url)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def row(self, output, area):
        line = next(line for line in output.splitlines() if line.startswith(f"{area} "))
        return line.split()

    def test_rates_are_those_of_the_service(self):
        users = state_world.cache("users", latencies={"load": state_world.latency(9, 1.5)})
        first = state_world.state(users, labels={"dc": "fra"})
        answer = state_world.growing(
            first, local_hit=750, local_miss=250, remote_hit=125, load_success=50, load_total=50,
            local_evictions=12,
        )  # fmt: skip
        output = self.once(answer)
        self.assertIn("process 4711  up 61 s  dc=fra", output)
        self.assertIn("the cache is well", output)
        row = self.row(output, "users")
        wanted = ["ok", "1.0k", "75.0", "12.5", "5.0", "9.0ms", "-", "250", "12", "up", "0"]
        self.assertEqual(row[1:12], wanted)
        self.assertNotIn("\x1b", output)

    def test_trouble_comes_first_in_words(self):
        caches = [state_world.cache(area) for area in ("anna", "berta", "zoe")]
        caches[2] |= {"health": "degraded", "reasons": ["the channel has been down for 9 s"]}
        caches[2]["gauges"] |= {"channel_up": False, "repairs": 3}
        server = state_world.endpoint("127.0.0.1:6379", breaker="open")
        first = state_world.state(*caches, redis=[server])
        output = self.once(state_world.growing(first, local_hit=9))
        self.assertIn("1 of 3 caches is in trouble", output)
        self.assertIn("redis 127.0.0.1:6379  breaker open  2 ready", output)
        lines = output.splitlines()
        areas = [line.split()[0] for line in lines[4:7]]
        self.assertEqual(areas, ["zoe", "anna", "berta"])
        self.assertEqual(self.row(output, "zoe")[10:12], ["down", "3"])
        self.assertEqual(lines[-1], "zoe: the channel has been down for 9 s")

    def test_loads_that_fail_are_not_well(self):
        first = state_world.state(state_world.cache("users"), state_world.cache("prices"))
        for failing in ({"load_error": 6}, {"load_timeout": 6}):
            output = self.once(state_world.growing(first, load_total=100, **failing))
            self.assertIn("loads fail in 1 of 2 caches", output)
            self.assertNotIn("well", output)
        output = self.once(state_world.growing(first, load_total=100, load_error=4))
        self.assertIn("all 2 caches are well", output)

    def test_a_cache_without_l1_reads_from_l2(self):
        first = state_world.state(state_world.cache("far", mode="remote"))
        first["caches"][0]["gauges"] = dict.fromkeys(first["caches"][0]["gauges"])
        row = self.row(self.once(state_world.growing(first, remote_hit=30, remote_miss=10)), "far")
        self.assertEqual(row[2:5], ["40", "0.0", "75.0"])
        self.assertEqual(row[8], "-")

    def test_counters_that_begin_anew_have_no_rate(self):
        first = state_world.state(state_world.cache("users"))
        first["caches"][0]["metrics"]["local_hit"] = 1000
        output = self.once(state_world.growing(first, local_hit=-10))
        self.assertEqual(self.row(output, "users")[2], "-")

    def test_forty_caches_and_none(self):
        caches = [state_world.cache(f"area{number}") for number in range(40)]
        output = self.once(state_world.growing(state_world.state(*caches)))
        self.assertIn("all 40 caches are well", output)
        self.assertEqual(len([line for line in output.splitlines() if "area" in line]), 41)
        self.assertIn("no cache is open", self.once(lambda _: state_world.state()))

    def test_texts_of_others_cannot_speak_to_a_terminal(self):
        hostile = state_world.cache(HOSTILE, health=HOSTILE, reasons=[HOSTILE], engine=HOSTILE)
        hostile["config"] = [{"name": HOSTILE, "value": HOSTILE, "default": ""}]
        server = state_world.endpoint(HOSTILE, breaker=HOSTILE)
        first = state_world.state(hostile, labels={HOSTILE: HOSTILE}, redis=[server], pid=HOSTILE)
        output = self.once(lambda _: first)
        for character in output.replace("\n", ""):
            self.assertTrue(character.isprintable(), repr(character))
        self.assertIn(r"\x1b[31mred", output)

    def test_states_of_any_shape_are_borne(self):
        shapes = [None, 1, "x", [], {}, [None], [[]], {"a": {"b": None}}, float("nan"), 10**400, -1]
        for shape in shapes:
            cache = dict.fromkeys(state_world.cache("x"), shape)
            for made in (
                state_world.state(cache, redis=shape, errors=shape, labels=shape, pid=shape),
                state_world.state(cache, redis=[cache], errors=[cache], started_ms=shape),
            ):
                rows = accel_stat.rows_of(made, made)
                for width in (1, 80, 300):
                    accel_stat.frame(made, rows, "x", rows[0].area, "", (width, 24))


class Json(unittest.TestCase):
    def test_the_state_comes_out(self):
        made = state_world.state(state_world.cache("users", reasons=[HOSTILE]))
        with state_world.Service(lambda _: made) as service:
            done = run("--json", service.url)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(json.loads(done.stdout), made)
        self.assertTrue(done.stdout.strip().isprintable())
        self.assertTrue(done.stdout.isascii())


class Places(unittest.TestCase):
    def test_a_unix_socket(self):
        made = state_world.state(state_world.cache("users"))
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "service"
            with state_world.Service(lambda _: made, unix=path):
                done = run("--json", "--unix", path)
                self.assertEqual(json.loads(done.stdout), made)
                self.assertEqual(run("--json", f"--unix={path}", "/caches").returncode, 0)
            done = run("--json", "--unix", pathlib.Path(folder) / "nobody")
            self.assertEqual(done.returncode, 1)
            self.assertIn("No such file", done.stderr)

    def test_paths_and_short_urls(self):
        made = state_world.state()
        with state_world.Service(lambda _: made) as service:
            host = service.url.removeprefix("http://").rstrip("/")
            for url in (host, host + "/", service.url + "caches", service.url + "a/state.json"):
                self.assertEqual(run("--json", url).returncode, 0, url)


class Errors(unittest.TestCase):
    def fails(self, answer):
        with state_world.Service(answer) as service:
            done = run("--once", "--interval", "0.1", service.url)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        return done.stderr

    def test_nobody_listens(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # and does not listen
            done = run("--once", f"127.0.0.1:{taken.getsockname()[1]}")
        self.assertEqual(done.returncode, 1)
        self.assertIn("Connection refused", done.stderr)

    def test_what_is_no_state_is_named(self):
        self.assertIn("answers 404", self.fails(lambda _: (404, b"")))
        self.assertIn("answers 503", self.fails(lambda _: (503, b"{}")))
        self.assertIn("no JSON", self.fails(lambda _: (200, b"<html>")))
        self.assertIn("no JSON", self.fails(lambda _: (200, b"[" * 100000)))
        self.assertIn("no JSON", self.fails(lambda _: (200, b'{"a": "\xff"}')))
        self.assertIn("not the state", self.fails(lambda _: (200, b"[]")))
        self.assertIn("not the state", self.fails(lambda _: (200, b'{"caches": []}')))

    def test_a_service_that_hangs_up(self):
        for said in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{", b"garbage\r\n\r\n"):
            with socket.socket() as server:
                server.bind(("127.0.0.1", 0))
                server.listen()
                call = [sys.executable, PROGRAM, "--once", f"127.0.0.1:{server.getsockname()[1]}"]
                with subprocess.Popen(call, stderr=subprocess.PIPE, text=True) as running:
                    connection, _ = server.accept()
                    connection.recv(4096)
                    connection.sendall(said)
                    connection.close()
                    _, errors = running.communicate(timeout=WAIT_S)
            self.assertEqual(running.returncode, 1)
            self.assertIn("does not answer", errors)

    def test_usage(self):
        for arguments, said in (
            ([], "one URL"),
            (["a", "b"], "one URL"),
            (["--what", "a"], "unknown option --what"),
            (["--interval", "0", "a"], "--interval is from"),
            (["--interval", "nan", "a"], "--interval is from"),
            (["--interval", "soon", "a"], "no number"),
            (["a", "--interval"], "needs a value"),
            (["--once", "--json", "a"], "exclude each other"),
            (["ftp://a/"], "no URL"),
            (["http://a:99999/"], "Port"),
            (["http://user:secret@a/"], "not supported"),
            (["http://a/\x1b"], "characters"),
            (["a"], "no terminal"),
        ):
            done = run(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertIn(said, done.stderr)
            self.assertIn("usage: accel-stat", done.stderr)
            self.assertNotIn("secret@", done.stderr)
            self.assertNotIn("\x1b", done.stderr)

    def test_help(self):
        done = run("--help")
        self.assertEqual(done.returncode, 0)
        for option in ("--once", "--json", "--interval", "--unix", "--help"):
            self.assertIn(option, done.stdout)


class Texts(unittest.TestCase):
    def test_numbers(self):
        for value, said in ((0, "0"), (0.25, "0.2"), (7, "7"), (999.7, "1.0k"), (1234567, "1.2M")):
            self.assertEqual(accel_stat.amount(value), said)
        for value, said in ((1, "100"), (0.9999, "99.9"), (0, "0.0"), (float("nan"), "-")):
            self.assertEqual(accel_stat.percent(value), said)
        for value, said in ((0.01, "10us"), (1.25, "1.2ms"), (250, "250ms"), (12000, "12s")):
            self.assertEqual(accel_stat.duration(value), said)

    def test_columns(self):
        self.assertEqual(accel_stat.fit("abcdef", 4), "abcd")
        self.assertEqual(accel_stat.fit("缓存", 3), "缓 ")
        self.assertEqual(accel_stat.fit("e\u0301a", 4), "e\u0301a  ")
        self.assertEqual(accel_stat.fit("", 2), "  ")


class Terminal:
    """accel-stat in a pseudo-terminal."""

    def __init__(self, *arguments, rows=24, columns=80, **environment):
        self.process, self.master = pty.fork()
        if self.process == 0:
            os.environ.update({"TERM": "xterm"}, **environment)
            os.execv(sys.executable, [sys.executable, str(PROGRAM), *arguments])
        self.resize(rows, columns)
        self.output = ""

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def press(self, keys):
        os.write(self.master, keys)

    def frame(self):
        """The lines of the last whole picture, without styles."""
        whole = re.findall(r"\x1b\[H(.*?)\x1b\[0J", self.output, re.S)
        return re.sub(r"\x1b\[[0-9;]*[mK]", "", whole[-1]).split("\r\n") if whole else []

    def read(self):
        ready, _, _ = select.select([self.master], [], [], 0.2)
        try:
            data = os.read(self.master, 1 << 16) if ready else None
        except OSError:
            data = b""
        self.output += (data or b"").decode(errors="replace")
        return data != b""

    def until(self, is_so):
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            if is_so(self.frame()):
                return self.frame()
            if not self.read():
                break
        raise AssertionError("\n".join(self.frame()) or self.output)

    def shows(self, part):
        return self.until(lambda frame: any(part in line for line in frame))

    def status(self):
        while self.read():
            pass
        os.close(self.master)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


class Screen(unittest.TestCase):
    def service(self, answer):
        service = state_world.Service(answer)
        self.addCleanup(service.close)
        return service

    def test_it_lives_moves_and_quits(self):
        caches = [state_world.cache(f"area{number:02}") for number in range(40)]
        caches[39]["reasons"] = ["this is the last one"]
        answer = state_world.growing(state_world.state(*caches), local_hit=500)
        service = self.service(answer)
        terminal = Terminal("--interval", "0.1", service.url)
        frame = terminal.shows("500 ")
        self.assertLessEqual(len(frame), 24)
        self.assertTrue(all(len(line) == 80 for line in frame), frame)
        terminal.shows("area00  ok  both")
        terminal.press(b"j")
        terminal.shows("area01  ok  both")
        terminal.press(b"\x1b[B")
        terminal.shows("area02  ok  both")
        terminal.press(b"k")
        terminal.shows("area01  ok  both")
        terminal.press(b"G")
        terminal.shows("! this is the last one")
        terminal.press(b"g")
        terminal.shows("area00  ok  both")
        asked = service.asked
        terminal.until(lambda _: service.asked > asked + 2)
        terminal.resize(50, 160)
        frame = terminal.until(lambda frame: frame and len(frame[0]) == 160)
        self.assertTrue(any("capacity" in line for line in frame))
        terminal.press(b"q")
        self.assertEqual(terminal.status(), 0)
        self.assertIn("\x1b[?1049h", terminal.output)
        self.assertTrue(terminal.output.endswith("\x1b[?25h\x1b[?1049l"), terminal.output[-60:])

    def test_a_service_that_goes_and_comes_is_told(self):
        made = state_world.state(state_world.cache("users"))
        is_gone = []
        service = self.service(lambda _: (503, b"") if is_gone else made)
        terminal = Terminal("--interval", "0.1", service.url)
        terminal.shows("the cache is well")
        is_gone.append(True)
        frame = terminal.shows("answers 503")
        self.assertIn("this is from before", frame[1])
        is_gone.clear()
        terminal.shows("the cache is well")
        os.kill(terminal.process, signal.SIGTERM)
        self.assertEqual(terminal.status(), 0)
        self.assertTrue(terminal.output.endswith("\x1b[?25h\x1b[?1049l"))

    def test_colours_are_asked_for(self):
        made = state_world.state(state_world.cache("users", health="failed", reasons=[HOSTILE]))
        service = self.service(lambda _: made)
        for environment, has_colours in (({}, True), ({"NO_COLOR": "1"}, False)):
            terminal = Terminal(service.url, **environment)
            frame = terminal.shows(r"\x1b[31mred")
            terminal.press(b"q")
            self.assertEqual(terminal.status(), 0)
            self.assertEqual(bool(COLOUR.search(terminal.output)), has_colours)
            self.assertTrue(all(line.isprintable() for line in frame))

    def test_without_a_service_there_is_no_screen(self):
        terminal = Terminal("127.0.0.1:1")
        self.assertEqual(terminal.status(), 1)
        self.assertNotIn("\x1b[?1049h", terminal.output)


if __name__ == "__main__":
    unittest.main()
