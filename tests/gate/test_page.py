"""The page as text: well-formed, escaped, self-contained, the same each time, bounded."""

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree

import gate_world
import page_world

PAIR = ["base.json", "now.json", "--html=page.html", "--history=history.jsonl"]


class Page(gate_world.World):
    def page(self, *arguments, code=1):
        self.check(code, *(arguments or PAIR))
        return self.read("page.html")

    def tree(self):
        return xml.etree.ElementTree.fromstring(self.page().split("\n", 1)[1])

    def find(self, tree, tag, kind):
        return [node for node in tree.iter(tag) if kind in (node.get("class") or "").split()]

    def lines(self, tree):
        """Name, change in percent (None: none) and cells of each line of the overview."""
        table, = self.find(tree, "table", "overview")
        found = []
        for line in table.find("tbody"):
            change = "".join(self.find(line, "td", "c-change")[0].itertext())
            number = float(change.removesuffix(" %")) if "%" in change else None
            found.append((next(line.iter("a")).text, number, line))
        return found

    def test_well_formed(self):
        page_world.write(self)
        self.tree()
        if not shutil.which("xmllint"):
            self.fail("xmllint is not here; package libxml2-utils")
        for form in ([], ["--html"]):
            command = ["xmllint", "--noout", *form, self.folder / "page.html"]
            done = subprocess.run(command, capture_output=True, check=False)
            wrong = [line for line in done.stderr.decode(errors="replace").splitlines()
                     if "error" in line]
            # That parser knows HTML 4, which had no drawings.
            known = re.compile(r"Tag (\w+) invalid")
            allowed = {"svg", "rect", "line", "path", "circle", "text", "title", "header", "main",
                       "section", "figure", "figcaption", "details", "summary"}
            found = [known.search(line) for line in wrong]
            unknown = [line for line, tag in zip(wrong, found) if not tag or tag[1] not in allowed]
            self.assertEqual(unknown, [])

    def test_names_are_escaped(self):
        page_world.write(self)
        page = self.page()
        self.assertNotIn("<really>", page)
        self.assertNotIn("<quick>", page)
        self.assertEqual(page.count("</script>"), 0)
        names = [name for name, _, _ in self.lines(self.tree())]
        self.assertIn(page_world.ODD, names)
        self.assertIn(page_world.LONG, names)

    def test_nothing_comes_from_elsewhere(self):
        page_world.write(self)
        page = self.page()
        self.assertEqual(re.findall(r"https?:|//[a-z]|@import|url\(|\ssrc=", page), [])
        links = [node.get("href") for node in self.tree().iter() if node.get("href")]
        self.assertEqual([link for link in links if not link.startswith("#bench-")], [])
        self.assertEqual([node.tag for node in self.tree().iter() if node.tag == "link"], [])
        self.assertIn("default-src 'none'", page)

    def test_same_input_same_bytes(self):
        page_world.write(self)
        first = self.page()
        self.assertEqual(first, self.page())
        self.assertEqual(first, self.page(*PAIR[:2], "--html", "page.html", *PAIR[3:]))

    def test_each_part_is_there(self):
        count = page_world.write(self)
        tree = self.tree()
        text = "".join(tree.itertext())
        for word in ("bbbb2222", "gcc 12.2.0", "-O2 -DNDEBUG", "A <quick> CPU & more", "v0.1.0",
                     "2 of 120", "redis is not here", "missed", "acceptable", "met"):
            self.assertIn(word, text)
        self.assertEqual(len(list(tree.iter("details"))), count)
        count -= 1  # what was skipped is not drawn
        drawn = {kind: len(self.find(tree, "svg", kind))
                 for kind in ("change", "rounds", "trend")}
        # gone and fresh have no change; history knows neither.
        expected = {"change": count - 2, "rounds": count, "trend": count - 2}
        self.assertEqual(drawn, expected)

    def test_changes_stand_where_they_should(self):
        """The doubled bench is at the right place of the axis, with its interval around it."""
        page_world.write(self)
        (change, line), = [(change, line) for name, change, line in self.lines(self.tree())
                           if name == "single_key/miss_macro"]
        dot, = self.find(line, "circle", "dot")
        whisker, = self.find(line, "line", "whisker")
        fail, = [node for node in self.find(line, "line", "limit") if "fail" in node.get("class")]
        places = [float(node.get(name).rstrip("%")) for node, name in
                  ((fail, "x1"), (whisker, "x1"), (dot, "cx"), (whisker, "x2"))]
        self.assertEqual(places, sorted(places))
        scale = (places[0] - 50) / 20
        self.assertAlmostEqual(places[2], 50 + change * scale, delta=0.1)

    def test_marks_are_bounded(self):
        """Long histories, many samples and many benches: no chart has over 500 marks."""
        many = [1000 + number % 97 for number in range(4000)]
        time = gate_world.time_metric(many[:900], samples=many)
        bench = {"mean_ns": 1000, "metrics": {"time": time}}
        for name in ("base.json", "now.json"):
            self.own(name, {"a": bench} | {f"b{i}": {"mean_ns": 5} for i in range(600)})
        line = json.dumps({"version": 1, "schema": 2, "benchmarks": {"a": {"mean_ns": 5}}})
        self.write("history.jsonl", (line + "\n") * 700)
        self.page(code=0)
        page = self.read("page.html")
        tree = xml.etree.ElementTree.fromstring(page.split("\n", 1)[1])
        for drawing in tree.iter("svg"):
            self.assertLessEqual(len(list(drawing.iter("circle"))), 500)
        self.assertEqual(len(self.find(tree, "svg", "change")), 500)
        self.assertIn("Drawn are the worst 500 of 601", page)

    def test_two_hundred_benches(self):
        page_world.write(self, 200)
        self.assertLess(len(self.page()), 8 * 1024 * 1024)

    def test_single_runs(self):
        """Files with one number a bench have no shape, but they have a page."""
        self.own("base.json", {"a": {"mean_ns": 5}, "b": {"mean_ns": 7}})
        self.own("now.json", {"a": {"mean_ns": 5}, "b": {"mean_ns": 7}})
        page = self.page("base.json", "now.json", "--html=page.html", code=0)
        xml.etree.ElementTree.fromstring(page.split("\n", 1)[1])
        self.assertIn("dot hollow", page)
        self.assertNotIn("nan", page.lower().replace("analy", ""))

    def test_few_results_are_marks(self):
        """Each result is a mark of its own, however few there are."""
        for name, factor in (("base.json", 1), ("now.json", 1.05)):
            rounds = [factor * ns for ns in (1, 2, 3, 4, 9, 40)]
            self.own(name, {"a": {"metrics": {"time": gate_world.time_metric(rounds)}}})
        self.page("base.json", "now.json", "--html=page.html", code=0)
        drawing, = self.find(self.tree_of(), "svg", "rounds")
        self.assertEqual(len(self.find(drawing, "circle", "mark")), 12)
        for side in ("base", "now"):
            self.assertEqual(len(self.find(self.tree_of(), "span", f"{side}-key")), 1)

    def tree_of(self):
        return xml.etree.ElementTree.fromstring(self.read("page.html").split("\n", 1)[1])

    def test_benches_are_in_the_order_that_is_seen(self):
        benches = {f"b{i}": {"mean_ns": 100 + i, "median_ns": 100, "metrics": {
            "time": {"unit": "ns", "mean": 100 + i, "median": 100 + i * 7 % 5,
                     "p99": 500 - 9 * i}}}
            for i in range(8)}  # fmt: skip
        self.own("now.json", benches)
        self.own("base.json", {name: {"metrics": {"time": {
            "unit": "ns", "mean": 100, "median": 100, "p99": 100}}}
            for name in benches})  # fmt: skip
        self.page("base.json", "now.json", "--html=page.html", code=0)
        changes = [change for _, change, _ in self.lines(self.tree_of())]
        self.assertEqual(changes, sorted(changes, reverse=True))

    def test_one_line_for_one_reason(self):
        skipped = {f"remote/{i}": "no server" for i in range(8)} | {"other": "no device"}
        for name in ("base.json", "now.json"):
            self.own(name, {"a": {"mean_ns": 5}}, skipped=skipped)
        self.page("base.json", "now.json", "--html=page.html", code=0)
        names = [name for name, _, _ in self.lines(self.tree_of())]
        self.assertEqual(names, ["other", "remote/0 and 7 others", "a"])
        details = "".join(self.tree_of().itertext())
        self.assertIn("remote/7", details)

    def test_counts_and_notes(self):
        """Counts are exact, not of too few rounds; a note lies beneath its row, as wide as it."""
        def bench(value):
            return {"a": {"metrics": {"allocs": {"unit": "1/op", "exact": True, "value": value}}}}

        self.own("base.json", bench(0))
        self.own("now.json", bench(35))
        self.page("base.json", "now.json", "--html=page.html")
        tree = self.tree_of()
        self.assertEqual(len(self.find(tree, "circle", "counted")), 1)
        self.assertEqual(self.find(tree, "circle", "hollow"), [])
        beneath, = self.find(tree, "tr", "beneath")
        self.assertEqual("".join(beneath.itertext()), "there were none")
        self.assertEqual([cell.get("colspan") for cell in beneath], ["8"])

    def test_nothing_stands_twice(self):
        page_world.write(self)
        bench = next(node for node in self.tree().iter("details"))
        heads = [node.text for node in bench.iter("th") if node.get("scope") == "row"]
        self.assertEqual(len(heads), len(set(heads)))
        self.assertIn("median", heads)

    def test_commits_are_linked_where_there_is_a_place(self):
        page_world.write(self)
        result = self.gate("check", *PAIR, GITHUB_SERVER_URL="https://github.com",
                           GITHUB_REPOSITORY="some/where")  # fmt: skip
        self.assertEqual(result.code, 1)
        links = [node.get("href") for node in self.tree_of().iter("a")]
        for commit in ("aaaa1111", "bbbb2222", "00000005"):
            self.assertIn(f"https://github.com/some/where/commit/{commit}", links)

    def test_history_of_counts(self):
        def bench(value):
            metrics = {"allocs": {"unit": "1/op", "exact": True, "value": value}}
            return {"version": 1, "schema": 2, "benchmarks": {"a": {"mean_ns": 5,
                                                                    "metrics": metrics}}}

        self.write("history.jsonl", "\n".join(json.dumps(bench(i // 2)) for i in range(6)))
        for name in ("base.json", "now.json"):
            self.write(name, bench(1))
        self.page(*PAIR, code=0)
        self.assertIn("History of allocs", self.read("page.html"))

    def test_report_tells_and_does_not_judge(self):
        page_world.write(self)
        result = self.gate("report", *PAIR)
        self.assertEqual(result.code, 0, result)
        self.assertIn("FAIL", self.read("page.html"))

    def test_history_that_cannot_be_read(self):
        page_world.write(self)
        self.write("history.jsonl", "{broken\n")
        result = self.check(3, *PAIR)
        self.assertIn("history.jsonl:1", result.err)
        self.assertIn("</html>", self.read("page.html"))
        self.assertIn("no history yet", self.check(1, *PAIR[:3], "--history=nowhere.jsonl").out)

    def test_page_that_cannot_be_written(self):
        page_world.write(self)
        self.assertIn("failed to write", self.check(3, *PAIR[:2], "--html=/proc/page.html").err)


if __name__ == "__main__":
    gate_world.main()
