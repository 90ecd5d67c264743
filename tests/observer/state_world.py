"""States of services as state.json has them, and a server that answers with them."""

import copy
import http.server
import json
import socketserver
import threading

STARTED_MS = 1_790_000_000_000
SETTINGS = (
    ("local_ttl_ms", "60000"), ("remote_ttl_ms", "300000"), ("loader_timeout_ms", "300"),
    ("refresh_ahead", "false"), ("hot_keys", "0"),
)  # fmt: skip


def latency(count, p50_ms):
    return {
        "count": count, "mean_ms": p50_ms * 1.5, "p50_ms": p50_ms, "p95_ms": p50_ms * 3,
        "p99_ms": p50_ms * 6, "max_ms": p50_ms * 20,
    }  # fmt: skip


def cache(area, **more):
    """A cache of both levels that is well."""
    names = (
        "local_hit local_miss remote_hit remote_miss load_total load_success load_timeout "
        "load_error load_shared stale_fallback refresh_success refresh_failures remote_errors "
        "local_evictions local_expirations local_writes epoch_raised"
    )
    return {
        "area": area, "instances": 1, "mode": "both", "engine": "flat", "policy": "adaptive",
        "started_ms": STARTED_MS, "health": "ok", "reasons": [],
        "metrics": dict.fromkeys(names.split(), 0),
        "gauges": {
            "entries": 250, "capacity": 1000, "weight": 0, "max_weight": 0,
            "memory_bytes": 3 << 20, "channel_up": True, "degraded": False, "remote_ready": True,
            "repairs": 0, "loads_running": 0, "executor_queue": 0,
        },
        "channel_changed_ms": STARTED_MS,
        "latencies": {name: latency(0, 0) for name in ("load", "remote", "wait", "read")},
        "remote_ops": {}, "hot_keys": [],
        "config": [{"name": n, "value": v, "default": v} for n, v in SETTINGS],
    } | more  # fmt: skip


def state(*caches, **more):
    return {
        "accel": "0.1.0", "pid": 4711, "time_ms": STARTED_MS + 60000, "started_ms": STARTED_MS,
        "health": "ok", "labels": {}, "caches": list(caches), "redis": [], "errors": [],
    } | more  # fmt: skip


def endpoint(name, **more):
    counts = {"ready": 2, "connecting": 0, "down": 0}
    return {
        "endpoint": name, "connections": counts, "breaker": "closed", "in_flight": 0,
        "reconnects": 0,
    } | more  # fmt: skip


class Service:
    """Answers GET state.json with `answer`, called with how many were asked before it: a state, or
    (status, bytes). Other paths give `page`."""

    def __init__(self, answer, unix=None):
        self.answer, self.asked, self.page = answer, 0, b""
        self.is_open = True
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def address_string(self):
                return ""

            def do_GET(self):
                if self.path.split("?")[0].endswith("state.json"):
                    given = service.answer(service.asked)
                    service.asked += 1
                else:
                    given = (200, service.page)
                is_state = not isinstance(given, tuple)
                status, body = (200, json.dumps(given).encode()) if is_state else given
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        if unix:
            class Server(socketserver.ThreadingUnixStreamServer):
                daemon_threads = True
            self.server = Server(str(unix), Handler)
        else:
            self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.is_open:
            self.server.shutdown()
            self.server.server_close()
        self.is_open = False


def growing(first, **per_second):
    """An answer whose states are a second apart, in which counters of the first cache grow."""

    def answer(number):
        made = copy.deepcopy(first)
        made["time_ms"] += 1000 * number
        for name, step in per_second.items():
            made["caches"][0]["metrics"][name] += step * number
        return made

    return answer
