"""No cycle of files, no arrow that runs upwards, and a picture in docs/ that is up to date:
tools/includes says so of the sources. Before that, small trees with one fault each show that it
would."""

import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(sys.argv[1]).resolve()
TOOL = ROOT / "tools" / "includes"

SLOW = "accel_cache_get_slow"
LOW, HIGH = "/* low (layer 1). */\n", "/* high (layer 2). */\n"

# (what it shows, the files of a tree, what must be said of it; None: nothing)
TREES = [
    (
        "a tree without a fault",
        {
            "accel/low.h": LOW + "int low(void);\nstatic inline int one(void) { return low(); }\n",
            "accel/low.c": '#include "low.h"\nint low(void) { return 1; }\n',
            "accel/high.c": HIGH + '#include "low.h"\nint high(void)\n{\n  return low();\n}\n',
        },
        None,
    ),
    (
        "a cycle of includes",
        {"accel/a.h": LOW + '#include "b.h"\n', "accel/b.h": LOW + '#include "a.h"\n'},
        "cycle of 2: accel/a.h accel/b.h",
    ),
    (
        "a cycle of includes in angle brackets",
        {"accel/a.h": LOW + "# include <accel/b.h>\n", "accel/b.h": LOW + '#include "a.h"\n'},
        "cycle of 2: accel/a.h accel/b.h",
    ),
    (
        "a cycle over functions with attributes",
        {
            "accel/a.c": LOW + "FORMAT(1, 2) void a(void) { b(); }\n",
            "accel/b.c": LOW + "int b(void) FORMAT(1, 2)\n{\n  a();\n}\n",
        },
        "cycle of 2: accel/a.c accel/b.c",
    ),
    (
        "a cycle of calls, without an include",
        {
            "accel/a.c": LOW + "void a(void) { b(); }\n",
            "accel/b.c": LOW + "void b(void) { c(); }\n",
            "accel/c.c": LOW + "void c(void)\n{\n  if (1) (a)();\n}\n",
        },
        "cycle of 3: accel/a.c accel/b.c accel/c.c",
    ),
    (
        "a cycle over an inline function of a header",
        {
            "accel/a.h": LOW + "static inline void a(void) { b(); }\n",
            "accel/b.c": LOW + '#include "a.h"\nvoid b(void) {}\n',
        },
        "cycle of 2: accel/a.h accel/b.c",
    ),
    (
        "a cycle over a macro, and over a function that stands twice under #if",
        {
            "accel/a.h": LOW + "#define CALL(x) \\\n  b(x)\n",
            "accel/b.c": LOW + '#include "a.h"\n#if X\nvoid b(int x) {\n#else\nvoid b(long x) {\n'
            "#endif\n}\n",
        },
        "cycle of 2: accel/a.h accel/b.c",
    ),
    (
        "no cycle: comments, texts, members, declarations and addresses call nothing",
        {
            "accel/a.c": LOW + "void a(void) { it.b(1); it->b(1); /* b(); */ text(\"b()\"); }\n"
            "void b(void);\nvoid (*const pointer)(void) = b;\n",
            "accel/b.c": LOW + "void b(void) { a(); }\n",
        },
        None,
    ),
    (
        "an include that runs upwards",
        {"accel/low.h": LOW + '#include "high.h"\n', "accel/high.h": HIGH},
        "accel/low.h -> accel/high.h: layer 1 is below layer 2: includes accel/high.h",
    ),
    (
        "a call that runs upwards",
        {
            "accel/low.c": LOW + "void a(void) { b(); }\n",
            "accel/high.c": HIGH + "void b(void) {}\n",
        },
        "accel/low.c -> accel/high.c: layer 1 is below layer 2: calls b",
    ),
    (
        "two files of layer 3 that know each other",
        {
            "accel/a.c": "/* (layer 3) */\nvoid a(void) { b(); }\n",
            "accel/b.c": "/* (layer 3) */\nvoid b(void) {}\n",
        },
        "files of layer 3 do not know each other",
    ),
    (
        "one backend that calls another",
        {
            "accel_backends/flat/a.c": "void a(void) { b(); }\n",
            "accel_backends/uthash/b.c": "void b(void) {}\n",
        },
        "flat/a.c -> accel_backends/uthash/b.c",
    ),
    (
        "a cache that calls an engine past its operations",
        {
            "accel/a.c": "/* (layer 4) */\nvoid a(void) { b(); }\n",
            "accel_backends/flat/b.c": "void b(void) {}\n",
        },
        "accel/ calls a backend through accel/backend.h only",
    ),
    (
        "a directory of Redis that calls a later one",
        {
            "accel_backends/redis/wire/a.c": "void a(void) { b(); }\n",
            "accel_backends/redis/channel/b.c": "void b(void) {}\n",
        },
        "accel_backends/redis/wire is below accel_backends/redis/channel",
    ),
    (
        "a hot path with its one cold call",
        {
            "accel/cache.h": "/* (layer 4) */\nstatic inline void a(void) { " + SLOW + "(); }\n",
            "accel/cache_read.c": '#include "cache.h"\nvoid ' + SLOW + "(void) {}\n",
        },
        None,
    ),
    (
        "a hot path with another cold call",
        {
            "accel/cache.h": "/* (layer 4) */\nstatic inline void a(void) { b(); }\n",
            "accel/cache_read.c": '#include "cache.h"\nvoid b(void) {}\n',
        },
        "calls b; a hit names one cold function",
    ),
    ("a file in a folder that nobody ranked", {"bench/new/a.c": "\n"}, "is not in the list"),
]


def run(root, *options):
    call = [TOOL, "--root", root, *options]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.stderr:
        sys.exit(f"tools/includes --root {root}:\n{done.stderr}")
    return done


def check_tree(title, files, wanted):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        done = run(folder)
    is_right = done.returncode == (wanted is not None) and (wanted is None or wanted in done.stdout)
    if not is_right:
        print(f"{title}: exit {done.returncode}, {wanted!r} was expected:\n{done.stdout}")
    return is_right


wrong = sum(not check_tree(*tree) for tree in TREES)
project = run(ROOT, "--check", ROOT / "docs" / "images" / "who_depends_on_whom.svg")
print(project.stdout)
sys.exit(1 if wrong or project.returncode != 0 else 0)
