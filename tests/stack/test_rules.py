"""The files that other programs read, without a stack: alerts, their tests, the dashboard, compose.

Whether their expressions find anything is test_stack.py's."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import world

try:
    import yaml
except ImportError:
    print("SKIPPED: python3-yaml is not installed")
    sys.exit(77)

ALERTS = {
    "AccelChannelDown", "AccelRemoteFailing", "AccelLoaderFailing", "AccelLoaderSlow",
    "AccelServingStale", "AccelRepairsWaiting", "AccelHitRatioFell", "AccelThrashing",
    "AccelBreakerOpen",
}  # fmt: skip


def load(name):
    return yaml.safe_load((world.ROOT / name).read_text(encoding="utf-8"))


def anchors(name):
    """The anchors of a document's headings, as GitHub makes them."""
    text = (world.ROOT / name).read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def shell(script, **environment):
    """Runs a script over the parts of tools/stack.sh; what it prints."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=world.ROOT, env=os.environ | environment, capture_output=True, text=True,
        timeout=world.PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


class Rules(unittest.TestCase):
    def promtool(self, *arguments):
        done = subprocess.run(
            ["promtool", *arguments], cwd=world.ROOT / "tools/observability",
            capture_output=True, text=True, timeout=world.PATIENCE_S, check=False,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def alerts(self):
        groups = load("tools/observability/alerts.yml")["groups"]
        return [rule for group in groups for rule in group["rules"] if "alert" in rule]

    def test_promtool_accepts_the_rules(self):
        self.promtool("check", "rules", "alerts.yml")

    def test_every_alert_fires_when_it_must(self):
        self.promtool("test", "rules", "alerts_test.yml")

    def test_every_alert_is_tested_firing_and_silent(self):
        fired, silent = set(), set()
        for test in load("tools/observability/alerts_test.yml")["tests"]:
            for case in test.get("alert_rule_test", ()):
                (fired if case["exp_alerts"] else silent).add(case["alertname"])
        self.assertEqual(fired, ALERTS)
        self.assertEqual(silent, ALERTS)

    def test_every_alert_leads_to_the_runbook(self):
        self.assertEqual({rule["alert"] for rule in self.alerts()}, ALERTS)
        for rule in self.alerts():
            for part in ("summary", "description", "runbook_url"):
                self.assertTrue(rule["annotations"].get(part), (rule["alert"], part))
            document, anchor = rule["annotations"]["runbook_url"].split("#")
            self.assertIn(anchor, anchors(document))
            self.assertIn(rule["labels"]["severity"], ("warning", "critical"))

    def test_every_provocation_has_an_entry_and_an_alert_that_exists(self):
        runbook = (world.ROOT / "docs/cache-ops-runbook.md").read_text(encoding="utf-8")
        lines = shell('source tools/stack/provoke.sh; printf "%s\\n" "${PROVOCATIONS[@]}"')
        provoked = set()
        for line in lines.splitlines():
            name, _, alerts = line.split("|")
            self.assertIn(f"provoke {name}", runbook)
            provoked |= set(alerts.split(" and "))
        self.assertEqual(provoked - {"-"}, ALERTS)
        for name in re.findall(r"stack\.sh provoke ([a-z-]+)", runbook):
            self.assertIn(f"\n{name}|", "\n" + lines)

    def test_quick_alerts_are_the_same_with_shorter_times(self):
        script = "source tools/stack/components.sh; quicken <tools/observability/alerts.yml"
        quick = yaml.safe_load(shell(script))["groups"]
        slow = load("tools/observability/alerts.yml")["groups"]
        wanted = re.sub(r'(\[|"for": ")(\d+)m\b', r"\1\2s", json.dumps(slow))
        self.assertEqual(wanted.replace("offset 1d", "offset 24m"), json.dumps(quick))
        self.assertNotEqual(slow, quick)


class Dashboard(unittest.TestCase):
    def setUp(self):
        path = world.ROOT / "tools/observability/grafana.json"
        self.dashboard = json.loads(path.read_text(encoding="utf-8"))

    def test_rows(self):
        rows = [panel["title"] for panel in self.dashboard["panels"] if panel["type"] == "row"]
        self.assertEqual(rows, ["Overview", "L1", "L2", "Loads", "Coherence", "Redis"])

    def test_panels_are_complete_and_lie_beside_each_other(self):
        panels = self.dashboard["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        taken = set()
        for panel in panels:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24)
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertNotIn((x, y), taken, panel["title"])
                    taken.add((x, y))
            if panel["type"] == "row":
                continue
            self.assertTrue(panel["title"] and panel["description"], panel["id"])
            self.assertTrue(panel["targets"], panel["title"])
            for target in panel["targets"]:
                self.assertEqual(target["datasource"]["uid"], "${datasource}")
                self.assertTrue(target["expr"])


class Compose(unittest.TestCase):
    """docker-compose.yml has the names, ports and variables of stack.sh --ports standard."""

    def setUp(self):
        self.compose = load("tools/stack/docker-compose.yml")
        self.services = self.compose["services"]

    def ports(self, service):
        """{host port: container port}, all on loopback."""
        found = {}
        for text in self.services[service]["ports"]:
            address, host, container = text.split(":")
            self.assertEqual(address, "127.0.0.1")
            found[int(host)] = int(container)
        return found

    def test_ports(self):
        text = shell('source tools/stack/components.sh; '
                     'for each in "${!STANDARD_PORTS[@]}"; do '
                     'echo "$each ${STANDARD_PORTS[$each]}"; done')
        standard = {name: int(port) for name, port in map(str.split, text.splitlines())}
        self.assertEqual(self.ports("redis"), {standard["redis"]: 6379})
        self.assertEqual(self.ports("postgres"), {standard["postgres"]: 5432})
        self.assertEqual(self.ports("clickstack")[standard["otlp"]], 4318)
        self.assertEqual(set(self.ports("clickstack")), {8080, 4317, 4318, 8123, 9000})
        listen = f"--web.listen-address=127.0.0.1:{standard['prometheus']}"
        self.assertIn(listen, self.services["prometheus"]["command"])
        target = load("tools/stack/prometheus.yml")["scrape_configs"][0]["static_configs"][0]
        self.assertEqual(target["targets"], [f"127.0.0.1:{standard['service']}"])
        source = load("tools/stack/grafana/datasources.yml")["datasources"][0]
        self.assertEqual(source["url"], f"http://127.0.0.1:{standard['prometheus']}")
        everywhere = [standard["prometheus"], standard["service"], 3000]
        for name in ("redis", "postgres", "clickstack"):
            everywhere += self.ports(name)
        self.assertEqual(len(set(everywhere)), len(everywhere))

    def test_variables(self):
        postgres = self.services["postgres"]["environment"]
        with tempfile.TemporaryDirectory() as folder:
            lines = "postgres=5432\nredis=6379\notlp=4318\nservice=8090\nprometheus=9090\n"
            pathlib.Path(folder, "settings").write_text(
                "components=postgres redis prometheus otlp service\n" + lines, encoding="utf-8"
            )
            text = shell("source tools/stack/components.sh; print_env", dir=folder)
        found = dict(re.findall(r"^export (\w+)=(.*)$", text, re.M))
        user = f"{postgres['POSTGRES_USER']}:{postgres['POSTGRES_PASSWORD']}"
        dsn = f"postgres://{user}@127.0.0.1:5432/{postgres['POSTGRES_DB']}"
        self.assertEqual(found["ACCELERATOR_TEST_POSTGRES_DSN"], dsn)
        self.assertEqual(found["ACCELERATOR_TEST_REDIS_URL"], "redis://127.0.0.1:6379")
        self.assertEqual(found["ACCELERATOR_CLICKSTACK_OTLP_ENDPOINT"], "http://127.0.0.1:4318")
        self.assertEqual(found["ACCELERATOR_CLICKSTACK_OTLP_TRANSPORT"], "http")

    def test_images_have_versions_and_files_exist(self):
        images = {name: service["image"] for name, service in self.services.items()}
        self.assertEqual(images["redis"], "redis:8.0")
        self.assertEqual(images["postgres"], "postgres:17.0")
        self.assertEqual(images["clickstack"], "clickhouse/clickstack-all-in-one:2")
        named = set(self.compose["volumes"])
        for name, service in self.services.items():
            self.assertRegex(service["image"], r":v?\d")
            for volume in service["volumes"]:
                source = volume.split(":")[0]
                if source.startswith("."):
                    self.assertTrue((world.ROOT / "tools/stack" / source).is_file(), source)
                else:
                    self.assertIn(source, named, name)
        provider = load("tools/stack/grafana/dashboards.yml")["providers"][0]["options"]["path"]
        mounts = [volume.split(":")[1] for volume in self.services["grafana"]["volumes"]]
        self.assertIn(f"{provider}/accel.json", mounts)


if __name__ == "__main__":
    world.main("promtool")
