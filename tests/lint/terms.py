"""One word per concept: the "not" column of docs/terminology.md is found nowhere.

Words are looked for in whole files, alone or as a part of an identifier (snake_case, CamelCase),
also with an s; several words in a row across line breaks and comment stars. FOREIGN lists where a
word is the term of another program.
"""

import re

import sources

TABLE = sources.ROOT / "docs" / "terminology.md"
TRANSLATED_TABLE = sources.ROOT / "docs" / "zh" / "terminology.zh-CN.md"
ROW = re.compile(r"^\| (?P<word>[^|]+) \| [^|]+ \|(?P<never>[^|]*)\|$")
PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
CHECKED = ("accel.h", "accel/", "accel_backends/", "bench/", "examples/", "tools/", "docs/",
           "README.md", "CONTRIBUTING.md")  # fmt: skip
SUFFIXES = (".c", ".h", ".py", ".sh", ".build", ".md", "")

# (word, a part of the path)
FOREIGN = [
    ("tenant", "bench/"),  # the tenants of tenant_cache_bench
    ("tenant", "docs/benchmarks"),
    ("tenant", "docs/performance-engineering-playbook.md"),
    ("repetition", "tools/gate/forms/"),  # keys of Google Benchmark's JSON
    ("override", "meson.build"),  # of meson
    ("aspect", "tools/gate/page/svg.c"),  # preserveAspectRatio
    ("aspect", "accel/observer_page.c"),  # the same
    ("grace", "examples/08_two_files_users.c"),  # Hopper
    ("purge", "tools/stack.sh"),  # the option --purge, as apt-get has it
    ("purge", "docs/local-stack-integration.md"),
    ("node", "tools/stack"),  # the program that runs the OTLP receiver
    ("node", "docs/local-stack-integration.md"),
    ("bulk", "docs/coherence.md"),  # proto-max-bulk-len
    ("node", "docs/coherence.md"),  # cluster-node-timeout
    ("node", "tools/gate/"),  # of XML
    ("node", "bench/local_engine/"),  # of other libraries' lists and trees
    ("strategy", "accel_backends/otlp/gzip.c"),  # of zlib
    ("bulk", "accel_backends/redis/"),  # bulk strings, and the same
]


def forbidden():
    """{words in a row: what to write instead}"""
    found = {}
    for _, line in sources.lines(TABLE):
        match = ROW.match(line)
        if not match or match["word"].strip() == "word":
            continue
        for never in match["never"].split(","):
            if never.strip():
                found[tuple(never.split())] = match["word"].strip()
    return found


def parts(path):
    """[(lower-case word, line number)] of a file, with the parts of identifiers apart."""
    return [
        (part.lower(), number)
        for number, line in sources.lines(path)
        for part in PARTS.findall(line)
    ]


def is_known(words, name):
    text = " ".join(words)
    return any(text == word and place in name for word, place in FOREIGN)


def matches(word, never):
    return word in (never, never + "s")


def check(path, never_words):
    name = path.relative_to(sources.ROOT).as_posix()
    name = name.replace("docs/zh/", "docs/").replace(".zh-CN", "")  # a translation has its words
    words = parts(path)
    by_first = {}
    for never in never_words:
        by_first.setdefault(never[0], []).append(never)
    for i, (word, number) in enumerate(words):
        for first in {word, word.removesuffix("s")}:
            for never in by_first.get(first, ()):
                following = [each for each, _ in words[i : i + len(never)]]
                if len(following) < len(never):
                    continue
                is_there = following[:-1] == list(never[:-1]) and matches(following[-1], never[-1])
                if is_there and not is_known(never, name):
                    said = " ".join(never)
                    sources.report(path, number, f"{said!r}: write {never_words[never]!r}")


words_never_used = forbidden()
checked = [
    path
    for path in sources.files(sources.PROJECT, *SUFFIXES)
    if path.relative_to(sources.ROOT).as_posix().startswith(CHECKED)
    and path not in (TABLE, TRANSLATED_TABLE)
]
for file in checked:
    check(file, words_never_used)
sources.finish(f"{len(checked)} files, {len(words_never_used)} words that are not used")
