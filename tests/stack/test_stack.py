"""The whole of it, from outside: PostgreSQL, Redis, Prometheus and the service.

The tests share a stack and leave it healthy; each uses users of its own."""

import base64
import json
import math
import os
import pathlib
import re
import time
import unittest

import browser
import world

LONG_MS = "3600000"  # no entry of L1 expires during the tests
# Of the metrics that Prometheus must have exactly as the program does: what changes them here.
COMPARED = (
    "local_hit", "local_miss", "remote_hit", "remote_miss", "load_total", "load_success",
    "invalidation_publish", "invalidation_receive", "lease_granted", "local_writes",
    "remote_bytes_sent", "remote_bytes_received",
)  # fmt: skip


def setUpModule():
    global STACK, SERVICE
    STACK = world.Stack(
        "postgres", "redis", "prometheus", "otlp", "service",
        options=["--quick-alerts"], ACCEL_LOCAL_TTL_MS=LONG_MS,
        OTEL_METRIC_EXPORT_INTERVAL="500", OTEL_BSP_SCHEDULE_DELAY="100",
    )  # fmt: skip
    SERVICE = STACK.service
    world.wait("the channel is up", lambda: SERVICE.users()["gauges"]["channel_up"])


def tearDownModule():
    STACK.close()


def changes(before, after):
    """{counter: by how much it rose}, without those that did not."""
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


class Reads(unittest.TestCase):
    def test_a_first_read_loads_and_the_next_ones_do_not_see_an_update(self):
        before = SERVICE.counts()
        first = SERVICE.get("/users/101")
        self.assertEqual((first.status, first.source), (200, "loader"))
        self.assertEqual(first.json(), {"id": 101, "name": "user-101"})
        STACK.sql("UPDATE accelerator_users SET name = 'changed' WHERE id = 101")
        second = SERVICE.get("/users/101")
        self.assertEqual((second.json()["name"], second.source), ("user-101", "local"))
        rose = changes(before, SERVICE.counts())
        self.assertEqual((rose["load_total"], rose["load_success"]), (1, 1))
        self.assertEqual((rose["local_hit"], rose["local_miss"]), (1, 1))

    def test_a_batch_loads_what_is_missing_with_one_query_and_writes_it_back(self):
        SERVICE.get("/users/111")
        queries = SERVICE.users()["latencies"]["load"]["count"]
        before = SERVICE.counts()
        reply = SERVICE.get("/users?ids=111,112,113,99999999")
        self.assertEqual([user["id"] for user in reply.json()], [111, 112, 113])
        rose = changes(before, SERVICE.counts())
        self.assertEqual((rose["local_hit"], rose["local_miss"]), (1, 3))
        self.assertEqual(rose["load_success"], 3)
        self.assertEqual(SERVICE.users()["latencies"]["load"]["count"], queries + 1)
        for user in (112, 113, 99999999):  # the missing one too: it is known not to exist
            self.assertEqual(STACK.redis("exists", f"accelerator-stack:users:{user}"), "1")
        again = changes(before, SERVICE.counts())
        SERVICE.get("/users?ids=111,112,113,99999999")
        last = changes(before, SERVICE.counts())
        self.assertEqual(last["local_hit"] - again["local_hit"], 4)
        self.assertEqual(last["load_total"], again["load_total"])

    def test_a_missing_user_is_looked_for_once(self):
        self.assertEqual(SERVICE.get("/users/88888888").status, 404)
        before = SERVICE.counts()
        self.assertEqual(SERVICE.get("/users/88888888").status, 404)
        self.assertEqual(SERVICE.get("/names/88888888").status, 404)
        rose = changes(before, SERVICE.counts())
        self.assertNotIn("load_total", rose)

    def test_what_is_no_user_is_refused(self):
        for path in ("/users", "/users/", "/users/x", "/users/0", "/users?ids=1,,2", "/names?ids=",
                     "/users/9223372036854775808", f"/users?ids={'1,' * 300}1"):  # fmt: skip
            self.assertEqual(SERVICE.get(path).status, 400, path)
        self.assertEqual(SERVICE.get("/elsewhere").status, 404)
        self.assertEqual(SERVICE.ask("/users/1", "POST", "x").status, 405)
        self.assertEqual(SERVICE.ask("/names/1", "PUT", "x").status, 405)
        self.assertEqual(SERVICE.ask("/users/1", "PUT", "x" * 56).status, 400)
        self.assertEqual(SERVICE.ask("/users/1", "PUT", "x" * 100000).status, 400)
        self.assertEqual(SERVICE.ask("/users/1", "PUT", "").status, 400)
        self.assertEqual(SERVICE.ask("/users/1", "PUT", b"a\0b").status, 400)


class Writes(unittest.TestCase):
    """What one process writes through a wrapper, a second process sees: by messages, as nothing
    expires here."""

    @classmethod
    def setUpClass(cls):
        cls.second = STACK.second(ACCEL_LOCAL_TTL_MS=LONG_MS)

    @classmethod
    def tearDownClass(cls):
        assert STACK.end(cls.second) == 0

    def sees(self, user, name):
        world.wait(f"the second process sees {name}", lambda: self.second.name(user) == name)

    def test_put(self):
        self.sees(201, "user-201")
        name = 'A "name" with \\ and \u00fc'
        self.assertEqual(SERVICE.ask("/users/201", "PUT", name.encode()).status, 204)
        self.assertEqual(SERVICE.name(201), name)
        self.sees(201, name)
        self.assertEqual(STACK.sql("SELECT name FROM accelerator_users WHERE id = 201"), [name])

    def test_a_new_user_replaces_what_was_known_not_to_exist(self):
        self.sees(77777777, None)
        self.assertEqual(SERVICE.ask("/users/77777777", "PUT", b"new").status, 204)
        self.sees(77777777, "new")

    def test_delete(self):
        self.sees(211, "user-211")
        self.assertEqual(SERVICE.ask("/users/211", "DELETE").status, 204)
        self.assertIsNone(SERVICE.name(211))
        self.sees(211, None)
        self.assertEqual(STACK.sql("SELECT count(*) FROM accelerator_users WHERE id = 211"), ["0"])

    def test_delete_many(self):
        for user in (221, 222, 223):
            self.sees(user, f"user-{user}")
        self.assertEqual(SERVICE.ask("/users?ids=221,222,223", "DELETE").status, 204)
        for user in (221, 222, 223):
            self.sees(user, None)

    def test_wrapped_reads_find_what_others_have_loaded(self):
        self.sees(231, "user-231")
        before = SERVICE.counts()
        self.assertEqual(SERVICE.get("/names/231").json()["name"], "user-231")
        reply = SERVICE.get("/names?ids=231,232")
        self.assertEqual([user["name"] for user in reply.json()], ["user-231", "user-232"])
        self.assertEqual(changes(before, SERVICE.counts())["load_total"], 1)


class Faults(unittest.TestCase):
    def health(self):
        reply = SERVICE.get("/health")
        return reply.status, SERVICE.state()["health"]

    def recovers(self):
        """Without a restart."""
        world.wait("health is ok", lambda: self.health() == (200, "ok"))
        world.wait("the metrics say so", lambda: self.gauge("channel_up") == 1)

    def gauge(self, name):
        return SERVICE.metrics()[f'accelerator_cache_{name}{{area="users"}}']

    def test_redis_is_killed(self):
        process = SERVICE.state()["pid"]
        self.assertEqual(self.health(), (200, "ok"))
        self.assertEqual(SERVICE.name(301), "user-301")
        with STACK.provoke("redis-down"):
            world.wait("health says so", lambda: self.health() == (200, "degraded"))
            reply = SERVICE.get("/users/302")
            self.assertEqual((reply.status, reply.source), (200, "loader"))
            self.assertEqual(SERVICE.name(301), "user-301")
            world.wait("the metrics say so", lambda: self.gauge("channel_up") == 0)
            self.assertTrue(SERVICE.users()["reasons"])
            self.assertIn("degraded", SERVICE.get("/").text + SERVICE.get("/state.json").text)
        self.recovers()
        self.assertEqual(SERVICE.state()["pid"], process)
        SERVICE.get("/users/303")
        self.assertEqual(STACK.redis("exists", "accelerator-stack:users:303"), "1")

    def test_redis_is_frozen_until_the_breaker_opens(self):
        def is_open():
            SERVICE.get(f"/users/{next(users)}")
            state = SERVICE.state()["redis"][0]
            metrics = SERVICE.metrics()
            shown = [metrics[each] for each in metrics if "redis_breaker_open" in each]
            return state["breaker"] == "open" and max(shown) == 1

        users = iter(range(310, 10000))
        with STACK.provoke("breaker"):
            world.wait("the breaker opens", is_open)
            self.assertEqual(SERVICE.get("/users/309").status, 200)
        self.recovers()

    def test_writes_without_redis_are_repaired(self):
        with STACK.provoke("redis-down"):
            SERVICE.ask("/users/321", "PUT", b"while it was down")
            world.wait("it is counted", lambda: self.gauge("repairs") > 0)
        world.wait("it is repaired", lambda: self.gauge("repairs") == 0)
        self.recovers()
        self.assertEqual(SERVICE.name(321), "while it was down")

    def test_loads_fail_with_postgres_reason_and_then_work_again(self):
        before = SERVICE.counts()
        with STACK.provoke("loader-failing"):
            reply = SERVICE.get("/users/331")
            self.assertEqual(reply.status, 503)
            self.assertIn("permission denied for table accelerator_users", reply.text)
            self.assertEqual(changes(before, SERVICE.counts())["load_error"], 1)
        world.wait("loads work again", lambda: SERVICE.get("/users/331").status == 200)

    def test_stale_values_are_served_without_postgres_and_counted(self):
        stack_users = range(341, 346)
        second = STACK.second(ACCEL_LOCAL_TTL_MS="1000")
        for user in stack_users:
            self.assertEqual(second.name(user), f"user-{user}")
        before = second.counts()
        served = 0
        with STACK.provoke("stale"):
            for user in stack_users:

                def is_stale(user=user):
                    nonlocal served
                    reply = second.get(f"/users/{user}")
                    self.assertEqual(reply.json()["name"], f"user-{user}")
                    served += reply.source == "stale"
                    return reply.source == "stale"

                world.wait(f"user {user} is stale", is_stale)
            self.assertEqual(second.get("/users/349").status, 503)
            rose = changes(before, second.counts())
            self.assertEqual(rose["stale_fallback"], served)
            self.assertGreaterEqual(rose["load_error"], len(stack_users) + 1)
        world.wait("loads work again", lambda: second.get("/users/349").status == 200)
        world.wait("it is fresh", lambda: second.get("/users/341").source != "stale")
        self.assertEqual(STACK.end(second), 0)


def expressions():
    """[(where, expression)] of the dashboard, with its variables replaced."""
    file = world.ROOT / "tools/observability/grafana.json"
    dashboard = json.loads(file.read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            text = target["expr"].replace("$__rate_interval", "1m")
            yield panel["title"], re.sub(r"\$(?:area|instance)\b", ".*", text)


class Prometheus(unittest.TestCase):
    def same(self, name):
        """Whether Prometheus has the program's number."""
        found = STACK.query(f'{world.metric(name)}{{area="users"}}')
        return found and int(found[0][1]) == SERVICE.counts()[name]

    def test_numbers_are_the_program_s(self):
        for user in range(401, 411):
            SERVICE.get(f"/users/{user}")
            SERVICE.get(f"/users/{user}")
        SERVICE.ask("/users/401", "PUT", b"counted")
        second = STACK.second()
        second.ask("/users/402", "PUT", b"heard")
        second.get("/users/412")
        self.assertEqual(SERVICE.get("/users/412").source, "remote")
        STACK.end(second)
        for name in COMPARED:
            world.wait(f"{name} is counted", lambda name=name: SERVICE.counts()[name] > 0)
            world.wait(f"Prometheus has {name}", lambda name=name: self.same(name))

    def test_every_metric_of_dashboard_and_alerts_is_ours(self):
        page = SERVICE.get("/metrics").text
        kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.M))
        ours = set(kinds)
        for name, kind in kinds.items():
            if kind == "histogram":
                ours |= {f"{name}{suffix}" for suffix in ("_bucket", "_sum", "_count")}
        alerts = (world.ROOT / "tools/observability/alerts.yml").read_text(encoding="utf-8")
        ours |= set(re.findall(r"record: (\S+)", alerts))
        text = alerts + "\n".join(expression for _, expression in expressions())
        used = set(re.findall(r"\baccelerator_[\w:]+", text))
        self.assertGreater(len(used), 30)
        self.assertEqual(used - ours, set())

    def test_every_expression_of_the_dashboard_finds_data(self):
        second = STACK.second()
        second.get("/users/421")
        SERVICE.get("/users/421")
        for panel, expression in expressions():
            world.wait(f"{panel}: {expression}", lambda text=expression: STACK.query(text))
        STACK.end(second)

    def test_every_expression_of_the_alerts_finds_data(self):
        """Also where it holds for nobody: `bool` keeps what a comparison would leave out."""
        SERVICE.get("/users/431")
        rules = world.ask(STACK.addresses["ACCEL_STACK_PROMETHEUS_URL"], "/api/v1/rules").json()
        found = [rule for group in rules["data"]["groups"] for rule in group["rules"]]
        self.assertEqual(sum(rule["type"] == "alerting" for rule in found), 9)
        for rule in found:
            self.assertEqual(rule.get("lastError", ""), "", rule["name"])
            text = re.sub(r"(==|>|<)\s", r"\1 bool ", rule["query"])
            text = re.sub(r" offset \w+", "", text)
            world.wait(f"{rule['name']}: {text}", lambda text=text: STACK.query(text))

    def firing(self, alert):
        return STACK.query(f'ALERTS{{alertname="{alert}", alertstate="firing"}}')

    def pending(self, alert):
        """How many evaluations have found it pending."""
        series = f'ALERTS{{alertname="{alert}", alertstate="pending"}}'
        return sum(value for _, value in STACK.query(f"count_over_time({series}[1h])"))

    def test_an_alert_fires_after_its_time_and_ends(self):
        alert = "AccelChannelDown"
        active = f'ALERTS{{alertname="{alert}"}}'  # pending ones of an earlier fault too
        world.wait("earlier alerts end", lambda: not STACK.query(active))
        before = self.pending(alert)
        with STACK.provoke("channel-down"):
            found = world.wait("the alert fires", lambda: self.firing(alert))
            self.assertEqual(found[0][0]["area"], "users")
            self.assertGreater(self.pending(alert), before)
        world.wait("the alert ends", lambda: not self.firing(alert))

    def test_nothing_is_out_of_range(self):
        for series, value in SERVICE.metrics().items():
            self.assertTrue(math.isfinite(value) and value >= 0, series)


def attributes(item):
    return {each["key"]: next(iter(each["value"].values())) for each in item.get("attributes", ())}


class Export(unittest.TestCase):
    """What arrives at the OTLP receiver."""

    def sums(self, message):
        """{name: value} of the counters of the cache in one message."""
        found = {}
        for resource in message["resourceMetrics"]:
            for metric in resource["scopeMetrics"][0]["metrics"]:
                for point in metric.get("sum", {"dataPoints": ()})["dataPoints"]:
                    if attributes(point).get("area") == "users":
                        found[metric["name"]] = int(point["asInt"])
        return found

    def has_arrived(self, since=0):
        """Whether a message has exactly the numbers that the program has now."""
        wanted = {world.metric(name): value for name, value in SERVICE.counts().items()}
        arrived = [
            message for path, answer, message in STACK.received()[since:]
            if path == "/v1/metrics" and answer == "ok"
        ]  # fmt: skip
        return any(self.sums(message) == wanted for message in arrived)

    def spans(self, trace):
        """The spans of a trace, of all processes."""
        for path, _, message in STACK.received():
            for resource in message.get("resourceSpans", ()) if path == "/v1/traces" else ():
                for span in resource["scopeSpans"][0]["spans"]:
                    if base64.b64decode(span["traceId"]).hex() == trace:
                        yield attributes(resource["resource"])["service.instance.id"], span

    def test_sums_are_the_program_s(self):
        for user in (501, 502, 501):
            SERVICE.get(f"/users/{user}")
        world.wait("the sums arrive", self.has_arrived)

    def test_no_sum_is_lost_while_the_receiver_refuses(self):
        STACK.order("status 503 Retry-After: 1")
        since = len(STACK.received())
        SERVICE.get("/users?ids=511,512,513")

        def is_refused():
            return [answer for _, answer, _ in STACK.received()[since:]].count("status") >= 3

        world.wait("three requests are refused", is_refused)
        self.assertFalse(self.has_arrived(since))
        STACK.order("ok")
        world.wait("the sums arrive", lambda: self.has_arrived(since))

    def test_one_trace_over_two_processes(self):
        trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
        traceparent = f"00-{trace}-{parent}-01"
        second = STACK.second()
        for service in (SERVICE, second):
            self.assertEqual(service.get("/users/521", traceparent=traceparent).status, 200)

        def arrived():
            found = list(self.spans(trace))
            return found if len({instance for instance, _ in found}) == 2 else None

        world.wait("both processes' spans arrive", arrived)
        self.assertEqual(STACK.end(second), 0)
        found = [span for _, span in self.spans(trace)]
        gets = [span for span in found if span["name"] == "cache.get"]
        self.assertEqual(len(gets), 2)
        for span in gets:
            self.assertEqual(base64.b64decode(span["parentSpanId"]).hex(), parent)
            self.assertEqual(attributes(span)["accel.area"], "users")
            calls = [each for each in found if each.get("parentSpanId") == span["spanId"]]
            below = [each for each in calls if each["kind"] == 3]
            self.assertTrue(below, calls)
            for call in below:
                self.assertEqual(attributes(call)["db.system.name"], "redis")
        self.assertIn("GET", {span["name"] for span in found})


class Memory(unittest.TestCase):
    """In tools/soak.sh for as long as ACCEL_SOAK_SECONDS says."""

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.service.process.pid}/status")
        return int(re.search(r"VmRSS:\s+(\d+)", status.read_text(encoding="utf-8"))[1])

    def use(self, batch):
        """A hundred of 3000 users, of which L1 holds 1000."""
        first = 7000 + batch * 50 % 2900
        ids = ",".join(str(user) for user in range(first, first + 100))
        for path in (f"/users?ids={ids}", f"/names?ids={ids}", "/metrics", "/state.json", "/"):
            self.assertEqual(self.service.get(path).status, 200)
        self.assertEqual(self.service.ask(f"/users/{first}", "PUT", b"kept").status, 204)
        self.assertEqual(self.service.get(f"/users/{90000000 + batch}").status, 404)

    def test_it_stays_flat_under_traffic(self):
        self.service = STACK.second(ACCEL_CAPACITY="1000")
        for batch in range(100):  # L1 and every buffer are full after that
            self.use(batch)
        before = self.resident_kib()
        until = time.monotonic() + float(os.environ.get("ACCEL_SOAK_SECONDS", "0"))
        batch = 100
        while batch < 200 or time.monotonic() < until:
            self.use(batch)
            batch += 1
        self.assertLess(self.resident_kib() - before, 4096)
        self.assertEqual(STACK.end(self.service), 0)


class Page(unittest.TestCase):
    """The live page in a browser."""

    def test_its_numbers_change_and_nothing_leaves_the_machine(self):
        with browser.Browser() as chromium:
            chromium.visit(SERVICE.url, 1200)
            text = "return document.body.innerText"
            world.wait("the page shows the cache", lambda: "users" in chromium.run(text))
            before = SERVICE.users()["gauges"]["entries"]
            SERVICE.get("/users?ids=" + ",".join(map(str, range(6001, 6112))))
            entries = SERVICE.users()["gauges"]["entries"]
            self.assertGreater(entries, before)

            def shows(number):
                return str(number) in re.sub(r"[\s,.\u00a0\u202f]", "", chromium.run(text))

            world.wait(f"the page shows {entries} entries", lambda: shows(entries))
            asked = chromium.run(
                "return performance.getEntriesByType('resource').map(entry => entry.name)"
            )
            self.assertTrue(asked)
            for url in asked:
                self.assertTrue(url.startswith(SERVICE.url), url)
            with STACK.provoke("redis-down"):
                world.wait("it says so", lambda: "degraded" in chromium.run(text).lower())
            world.wait("it recovers", lambda: SERVICE.state()["health"] == "ok")
            self.assertEqual(chromium.console(), [])


if __name__ == "__main__":
    world.main(
        "postgres", "psql", "redis-server", "redis-cli", "prometheus", "node", "chromium",
        "chromedriver", "setpriv",
    )  # fmt: skip
