"""A headless Chromium to look at pages with, over chromedriver's HTTP interface: no library needed.

A Browser starts both with a fresh profile, and ends both. Everything is on loopback; switches keep
Chromium from asking the network for anything of its own, and from reaching any other address."""

import base64
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

DRIVERS = ("chromedriver", "chromium-driver")
BROWSERS = ("chromium", "chromium-browser")
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
START_S = 60
ANSWER_S = 120


def find(names):
    return next((path for path in map(shutil.which, names) if path), None)


def is_here():
    return bool(find(DRIVERS) and find(BROWSERS))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Browser:
    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="accel-browser-")
        self.url = f"http://127.0.0.1:{free_port()}"
        self.driver = subprocess.Popen(
            [find(DRIVERS), f"--port={self.url.rsplit(':', 1)[1]}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.session = None
        try:
            self._wait_until_ready()
            self._open_session()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.session:
            try:
                self._ask("DELETE", "")
            except OSError:
                pass
        self.driver.terminate()
        try:
            self.driver.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.driver.kill()
            self.driver.wait()
        shutil.rmtree(self.folder.name, ignore_errors=True)
        self.folder._finalizer.detach()

    def _request(self, method, path, body=None):
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=ANSWER_S) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.read().decode()[:2000]}") from error

    def _ask(self, method, path, body=None):
        return self._request(method, f"/session/{self.session}{path}", body)

    def _wait_until_ready(self):
        deadline = time.monotonic() + START_S
        while True:
            try:
                if self._request("GET", "/status")["ready"]:
                    return
            except (OSError, RuntimeError):
                pass
            if self.driver.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("chromedriver does not answer")
            time.sleep(0.1)

    def _open_session(self):
        options = {
            "binary": find(BROWSERS),
            "args": [*SWITCHES, f"--user-data-dir={self.folder.name}/profile"],
        }
        capabilities = {
            "alwaysMatch": {
                "browserName": "chrome",
                "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL"},
            }
        }
        answer = self._request("POST", "/session", {"capabilities": capabilities})
        self.session = answer["sessionId"]

    # ---- what tests use ----

    def command(self, name, **parameters):
        """One command of Chromium's own protocol."""
        return self._ask("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def look(self, path, width, theme="light", height=900):
        """Opens a file as visit does."""
        self.visit(pathlib.Path(path).resolve().as_uri(), width, theme, height)

    def visit(self, url, width, theme="light", height=900):
        """Opens a page in a window of this width, for a reader who likes this theme."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )
        media = [{"name": "prefers-color-scheme", "value": theme}]
        self.command("Emulation.setEmulatedMedia", features=media)
        self._ask("POST", "/url", {"url": url})

    def console(self):
        """What the page wrote to the console since it was last asked for, refusals by its policy
        included."""
        return [each["message"] for each in self._ask("POST", "/se/log", {"type": "browser"})]

    def run(self, script, *arguments):
        """The value that a script returns; `arguments` are its own."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def picture(self, path):
        """All of the page, as PNG."""
        shot = self.command("Page.captureScreenshot", captureBeyondViewport=True)
        pathlib.Path(path).write_bytes(base64.b64decode(shot["data"]))
