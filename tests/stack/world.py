"""What the tests of the stack share: a stack of their own, started by tools/stack.sh, and ways to
ask it. Arguments of a test: the project's root and the program of examples/14_stack.c.

Nothing else sends requests, so counters change by exactly what a test does. What takes time is
waited for, with a limit that only a hanging component reaches."""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

ROOT = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
PROGRAM = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None
PATIENCE_S = int(os.environ.get("ACCEL_TEST_PATIENCE_MS", "180000")) / 1000


def wait(what, condition):
    """Calls `condition` until it returns something true, and returns that."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE_S} s: {what}")
        time.sleep(0.05)


def free_port():
    """Below the ports of outgoing connections, so that nobody takes it meanwhile."""
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", 12000 + int.from_bytes(os.urandom(2), "big") % 8000))
            except OSError:
                continue
            return probe.getsockname()[1]


def metric(name):
    """What a counter of the state is called in Prometheus."""
    return f"accelerator_cache_{name.removesuffix('_total')}_total"


class Reply:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.text = body.decode()

    def json(self):
        return json.loads(self.text)

    @property
    def source(self):
        return self.headers.get("X-Cache")

    def __repr__(self):
        return f"{self.status} {dict(self.headers)}\n{self.text[:2000]}"


def ask(url, path, method="GET", body=None, **headers):
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


class Service:
    """One process of examples/14_stack.c, by its URL."""

    def __init__(self, url):
        self.url = url

    def ask(self, path, method="GET", body=None, **headers):
        return ask(self.url, path, method, body, **headers)

    def get(self, path, **headers):
        return self.ask(path, **headers)

    def name(self, user):
        """The name of a user; None: there is no such user."""
        reply = self.get(f"/users/{user}")
        return reply.json()["name"] if reply.status == 200 else None

    def state(self):
        return self.get("/state.json").json()

    def users(self):
        """What the state says of the cache."""
        return next(cache for cache in self.state()["caches"] if cache["area"] == "users")

    def counts(self):
        return self.users()["metrics"]

    def metrics(self):
        """{series: value} of the page for Prometheus."""
        lines = self.get("/metrics").text.splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and line[0] != "#")
        return {series: float(value) for series, value in pairs}


# Ends a stack whose test was killed.
WATCH = 'while kill -0 "$1" 2>/dev/null; do sleep 1; done; exec "$2" down --purge --dir "$3"'


class Stack:
    def __init__(self, *components, options=(), **environment):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="accel-stack-test-"))
        self.folder.chmod(0o755)  # PostgreSQL's user reaches its data in there
        self.environment = os.environ | environment
        self.others = []
        script = ROOT / "tools/stack.sh"
        self.watch = subprocess.Popen(
            ["sh", "-c", WATCH, "watch", str(os.getpid()), script, self.folder],
            start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            chosen = ["--with", ",".join(components)]
            if "service" in components:
                chosen += ["--program", str(PROGRAM)]
            self.call("up", *chosen, *options)
        except BaseException:
            self.close()
            raise
        self.addresses = dict(re.findall(r"^export (\w+)=(.*)$", self.call("env"), re.M))
        self.service = Service(self.addresses.get("ACCEL_STACK_URL", ""))

    def close(self):
        for process in [self.watch, *self.others]:
            process.kill()
            process.wait()
        for log in self.folder.glob("second-*.log"):
            log.unlink()
        self.call("down", "--purge")

    def run(self, *arguments):
        """tools/stack.sh, whatever becomes of it."""
        return subprocess.run(
            [ROOT / "tools/stack.sh", *arguments, "--dir", self.folder],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_S,
            check=False,
        )

    def call(self, *arguments):
        """What tools/stack.sh prints; it must succeed."""
        done = self.run(*arguments)
        if done.returncode != 0:
            logs = self.run("logs").stdout if arguments[0] == "up" else ""
            text = f"{done.stdout}\n{done.stderr}\n{logs}"
            raise AssertionError(f"stack.sh {' '.join(arguments)}: {done.returncode}\n{text}")
        return done.stdout

    def provoke(self, name):
        """A context in which a fault holds."""
        return Provoked(self, name)

    def second(self, **environment):
        """A second process of the service, with the same servers."""
        port = free_port()
        given = self.environment | self.addresses | {"ACCEL_HTTP_PORT": str(port)} | environment
        log = self.folder / f"second-{port}.log"
        with open(log, "w", encoding="utf-8") as output:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", PROGRAM],
                env=given, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        self.others.append(process)
        service = Service(f"http://127.0.0.1:{port}")
        service.process = process

        def is_up():
            assert process.poll() is None, log.read_text(encoding="utf-8")
            try:
                return service.users()["gauges"]["channel_up"]
            except OSError:
                return False

        wait("a second process listens to the channel", is_up)
        return service

    def end(self, service):
        """Ends a second process in good order; its status."""
        service.process.send_signal(signal.SIGTERM)
        status = service.process.wait(PATIENCE_S)
        self.others.remove(service.process)
        return status

    # ---- the servers, past the caches ----

    def sql(self, text):
        """What PostgreSQL answers, a line per row."""
        dsn = self.addresses["ACCEL_POSTGRES_DSN"]
        done = subprocess.run(
            ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", text, dsn],
            capture_output=True, text=True, timeout=PATIENCE_S, check=True,
        )  # fmt: skip
        return done.stdout.splitlines()

    def redis(self, *command):
        port = self.addresses["ACCEL_REDIS_URL"].rsplit(":", 1)[1]
        done = subprocess.run(
            ["redis-cli", "-p", port, *command],
            capture_output=True, text=True, timeout=PATIENCE_S, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    def received(self):
        """What the OTLP receiver has got, oldest first: (path, answer, message)."""
        log = (self.folder / "logs/otlp.log").read_text(encoding="utf-8")
        requests = [json.loads(line) for line in log.splitlines() if line.startswith('{"number"')]
        wrong = [each for each in requests if "wrong" in each]
        assert not wrong, wrong
        return [(each["path"], each["answer"], each["message"]) for each in requests]

    def order(self, line):
        """Tells the OTLP receiver how to answer from now on, and waits until it knows."""
        log = self.folder / "logs/otlp.log"
        confirmed = json.dumps({"order": line}, separators=(",", ":"))
        before = log.read_text(encoding="utf-8").count(confirmed)
        with open(self.folder / "orders", "w", encoding="utf-8") as orders:
            orders.write(line + "\n")
        wait(line, lambda: log.read_text(encoding="utf-8").count(confirmed) > before)

    def query(self, expression):
        """[({label: value}, number)] that Prometheus has now."""
        path = "/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        reply = ask(self.addresses["ACCEL_STACK_PROMETHEUS_URL"], path).json()
        assert reply["status"] == "success", (expression, reply)
        found = reply["data"]["result"]
        if reply["data"]["resultType"] == "scalar":
            return [({}, float(found[1]))]
        return [(each["metric"], float(each["value"][1])) for each in found]


class Provoked:
    def __init__(self, stack, name):
        self.stack = stack
        self.name = name

    def __enter__(self):
        self.stack.call("provoke", self.name)

    def __exit__(self, *_):
        self.stack.call("provoke", self.name, "--undo")


def is_installed(name):
    if name == "postgres":
        servers = pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb")
        return bool(shutil.which("initdb") or next(servers, None))
    return bool(shutil.which(name))


def main(*commands):
    """Runs the tests of the calling file, which need these commands."""
    missing = [name for name in commands if not is_installed(name)]
    if missing:
        print("SKIPPED: not installed:", ", ".join(missing))
        sys.exit(77)
    decoder = pathlib.Path(os.environ["ACCEL_OTLP_DECODER"])
    if not (decoder / "node_modules").is_dir():
        why = decoder.with_name("decoder.stamp").read_text(encoding="utf-8").strip()
        print(f"SKIPPED: there is no decoder of OTLP: {why}")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
