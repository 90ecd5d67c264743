"""accel-sim as its users run it: what it prints and writes, and what it says about mistakes.
The argument is the program's path."""

import csv
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

TOOL = pathlib.Path(sys.argv[1]).resolve()
LABEL_X = "728.0"


class Program(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="accel-sim-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_tool(self, *arguments, code=0):
        done = subprocess.run(
            [TOOL, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=600
        )
        self.assertEqual(done.returncode, code, done)
        return done

    def test_hit_ratios_of_a_file(self):
        (self.folder / "keys.txt").write_text("a\nb\nc\na\nb\nc\na\nb\nc\na\n", encoding="utf-8")
        arguments = ["--capacity", "2,3", "--policy", "lru,optimum"]
        out = self.run_tool("--trace", "keys.txt", *arguments).stdout
        self.assertIn("keys.txt: 10 requests of 3 keys; hits in percent\n", out)
        self.assertEqual(out.splitlines()[2].split(), ["capacity", "LRU", "optimum"])
        rows = [line.split() for line in out.splitlines()[3:]]
        self.assertEqual(rows, [["2", "0.00", "50.00"], ["3", "70.00", "70.00"]])
        same = self.run_tool("--trace=keys.txt", "--capacity=3,2", "--policy=lru,optimum").stdout
        self.assertEqual(same, out)

    def test_the_engine_keeps_what_fits(self):
        made = "--make=loop:keys=500,length=5000"
        out = self.run_tool(made, "--capacity=600", "--policy=accel_adaptive").stdout
        self.assertEqual(out.split()[-1], "90.00")

    def test_csv_says_what_the_table_says(self):
        made = "--make=zipf:keys=2000,length=20000"
        out = self.run_tool(made, "--sweep=3", "--csv", "curve.csv").stdout
        with open(self.folder / "curve.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        table = [line.split() for line in out.splitlines()[3:]]
        self.assertEqual(len(table), 3)
        self.assertEqual(len(rows), 3 * (len(table[0]) - 1))
        printed = [float(cell) for line in table for cell in line[1:]]
        for row, percent in zip(rows, printed):
            self.assertAlmostEqual(100 * (1 - float(row["miss_ratio"])), percent, delta=0.0051)
            share = 1 - int(row["hits"]) / int(row["requests"])
            self.assertAlmostEqual(float(row["miss_ratio"]), share, places=5)

    def test_the_page_is_well_formed_and_alone(self):
        name = "<b>&\"'\x07.txt"
        (self.folder / name).write_text("".join(f"{i % 70}\n" for i in range(900)), "utf-8")
        self.run_tool("--trace", name, "--capacity=10,20,50", "--html", "page.html")
        page = (self.folder / "page.html").read_text(encoding="utf-8")
        root = xml.etree.ElementTree.fromstring(page)
        self.assertIn("<b>&\"'?.txt", "".join(root.itertext()))
        curves = root.findall(".//{http://www.w3.org/2000/svg}polyline")
        self.assertGreaterEqual(len(curves), 6)
        for curve in curves:
            self.assertEqual(len(curve.get("points").split()), 3)
        self.assertNotIn("<b>", page)
        links = re.findall(r"https?://[^\"' ]+", page)
        self.assertEqual(set(links), {"http://www.w3.org/1999/xhtml", "http://www.w3.org/2000/svg"})
        self.assertIn("prefers-color-scheme: dark", page)
        if shutil.which("xmllint") is None:
            self.fail("xmllint is not installed: package libxml2-utils")
        subprocess.run(["xmllint", "--noout", self.folder / "page.html"], check=True)

    def test_labels_do_not_cover_each_other(self):
        self.run_tool("--make=scan:length=900", "--capacity=10,20", "--html", "page.html")
        page = (self.folder / "page.html").read_text(encoding="utf-8")
        places = [float(y) for y in re.findall(rf'<text x="{LABEL_X}" y="([0-9.]+)">', page)]
        self.assertGreaterEqual(len(places), 6)
        for above, below in zip(places, places[1:]):
            self.assertGreaterEqual(below - above, 15.9)

    def test_mistakes(self):
        (self.folder / "bad.txt").write_bytes(b"a\n\x1f\x8b\n")
        (self.folder / "short.oracleGeneral").write_bytes(bytes(30))
        (self.folder / "some.txt").write_text("a\n", encoding="utf-8")
        cases = [
            ([], "one of --trace and --make is needed"),
            (["--trace=a", "--make=zipf"], "one of --trace and --make is needed"),
            (["--trace=none.txt"], "none.txt: No such file or directory"),
            (["--trace=."], ".: "),
            (["--trace=bad.txt"], "bad.txt:2: byte 1 of the line is 0x1f"),
            (["--trace=short.oracleGeneral"], "record 2 has 6 bytes instead of 24"),
            (["--trace=some.txt", "--format=xml"], '--format: "xml" is neither text nor oracle'),
            (["--trace=some.txt", "--limit=-1"], '--limit: "-1" is no whole number'),
            (["--make=zipf", "--capacity=10,,20"], '--capacity: "" is no whole number'),
            (["--make=zipf", "--capacity=0"], '--capacity: "0" is no whole number from 1'),
            (["--make=zipf", "--capacity=9999999999"], '"9999999999" is no whole number'),
            (["--make=loop", "--sweep=100"], '--sweep: "100" is no whole number from 1 to 64'),
            (["--make=zipf", "--policy=lru,best"], '--policy: "best" is not known; these are: lru'),
            (["--trace=some.txt", "--csv=no/file"], "no/file: No such file or directory"),
        ]
        for arguments, text in cases:
            with self.subTest(arguments=arguments):
                self.assertIn(text, self.run_tool(*arguments, code=1).stderr)
        self.assertIn("extra", self.run_tool("--make=zipf", "extra", code=2).stderr)
        self.run_tool("--no-such-option", code=2)

    def test_help(self):
        self.assertIn("--capacity LIST", self.run_tool("--help").stdout)
        self.assertIn("phases", self.run_tool("--help-make").stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
