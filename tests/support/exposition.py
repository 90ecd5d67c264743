"""Reads Prometheus' text format, and finds what promtool and the server accept though it is wrong.

faults(text) names: a name with two HELP or TYPE lines, or with neither; samples outside their
group; a series twice; labels twice; buckets out of order, falling, without +Inf, or another count
than _count; a sum without a count; values that are no numbers; bytes that are not UTF-8; a last
line without a line feed.
"""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)$")
META = re.compile(rf"# (HELP|TYPE) ({NAME}) (.*)$")
KINDS = ("counter", "gauge", "histogram")
SUFFIXES = ("_bucket", "_sum", "_count")


class Group:
    """All lines of one metric."""

    def __init__(self, name):
        self.name, self.help, self.kind, self.samples = name, None, None, []


def labels_of(text):
    """[(name, value)] of what stands between the braces; None: it is malformed."""
    found, at = [], 0
    while at < len(text):
        match = LABEL.match(text, at)
        if not match:
            return None
        found.append((match[1], match[2]))
        at = match.end()
        if at < len(text):
            if text[at] != "," or at + 1 == len(text):
                return None
            at += 1
    return found


def number(text):
    try:
        return float(text)
    except ValueError:
        return None


class Reader:
    def __init__(self):
        self.groups, self.current, self.found = {}, None, []

    def fault(self, text):
        self.found.append(text)

    def group(self, name):
        if name not in self.groups:
            self.groups[name] = Group(name)
        elif self.current is not self.groups[name]:
            self.fault(f"{name}: its lines are not in one group")
        self.current = self.groups[name]
        return self.current

    def meta(self, what, name, text):
        group = self.group(name)
        if group.samples:
            self.fault(f"{name}: {what} stands behind its samples")
        if what == "HELP":
            if group.help is not None:
                self.fault(f"{name}: two HELP lines")
            group.help = text
        else:
            if group.kind is not None:
                self.fault(f"{name}: two TYPE lines")
            if text not in KINDS:
                self.fault(f"{name}: type {text}")
            group.kind = text

    def sample(self, name, labels, value):
        base = name
        for suffix in SUFFIXES:
            stem = name.removesuffix(suffix)
            if stem != name and getattr(self.groups.get(stem), "kind", None) == "histogram":
                base = stem
        pairs = labels_of(labels or "")
        if pairs is None:
            self.fault(f"{name}: malformed labels {labels}")
            pairs = []
        if len({key for key, _ in pairs}) < len(pairs):
            self.fault(f"{name}: a label twice: {labels}")
        if number(value) is None:
            self.fault(f"{name}: {value} is no number")
        self.group(base).samples.append((name, tuple(sorted(pairs)), value))

    def line(self, text):
        if match := META.match(text):
            self.meta(*match.groups())
        elif match := SAMPLE.match(text):
            self.sample(*match.groups())
        else:
            self.fault(f"no line of this format: {text[:80]!r}")


def without(pairs, name):
    return tuple(pair for pair in pairs if pair[0] != name)


def check_histogram(group):
    """Yields what is wrong with the buckets of each series."""
    buckets, others = {}, {}
    for name, pairs, value in group.samples:
        if name == f"{group.name}_bucket":
            bound = dict(pairs).get("le", "")
            buckets.setdefault(without(pairs, "le"), []).append((bound, number(value)))
        else:
            others.setdefault(pairs, {})[name.removeprefix(group.name)] = number(value)
    for pairs, parts in others.items():
        if set(parts) != {"_sum", "_count"} or pairs not in buckets:
            yield f"{group.name}{dict(pairs)}: parts are missing: {sorted(parts)}"
    for pairs, bounded in buckets.items():
        where = f"{group.name}{dict(pairs)}"
        bounds = [number(bound) for bound, _ in bounded]
        counts = [count for _, count in bounded]
        if None in bounds:
            yield f"{where}: a bucket without le"
            continue
        if bounds != sorted(set(bounds)):
            yield f"{where}: buckets out of order"
        if counts != sorted(counts):
            yield f"{where}: counts fall"
        if bounds[-1] != float("inf"):
            yield f"{where}: no +Inf at the end"
        elif others.get(pairs, {}).get("_count") != counts[-1]:
            yield f"{where}: _count is not the last bucket's"


def check_group(group):
    if not group.help:
        yield f"{group.name}: no HELP"
    if group.kind is None:
        yield f"{group.name}: no TYPE"
    if not group.samples:
        yield f"{group.name}: no samples"
    seen = set()
    for name, pairs, _ in group.samples:
        if (name, pairs) in seen:
            yield f"{name}{dict(pairs)}: this series is there twice"
        seen.add((name, pairs))
    if group.kind == "counter" and not group.name.endswith("_total"):
        yield f"{group.name}: a counter whose name does not end in _total"
    if group.kind != "histogram" and group.name.endswith(SUFFIXES):
        yield f"{group.name}: the name is one of a histogram's parts"
    if group.kind == "histogram":
        yield from check_histogram(group)


def read(data):
    """Of bytes: (the groups by their names, what is wrong)."""
    reader = Reader()
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return {}, [f"not UTF-8: {error}"]
    if not text.endswith("\n"):
        reader.fault("the last line does not end with a line feed")
    for line in text.removesuffix("\n").split("\n"):
        reader.line(line)
    for group in reader.groups.values():
        reader.found.extend(check_group(group))
    return reader.groups, reader.found


def faults(data):
    return read(data)[1]
