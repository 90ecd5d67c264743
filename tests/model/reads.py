#!/usr/bin/env python3
"""Every execution of the flat engine's lock-free read beside one writer, in C11's memory model.

usage: reads.py [--verbose]

A store that releases carries what its thread has seen; a load that acquires takes that over, a
relaxed one does not; and every load may return any store that is not older than what its thread has
seen of that word. So a run of the writer is one list of stores, and all that a reader can see is
found by trying every store at every load. That is what ARM may do, and more than x86-64 does.

One key K, in a set of two ways, is overwritten, moved, replaced in its own slot, and its table is
retired, its pages emptied and used again, for the same key or another. A reader gets K once or
twice, starting whenever. Wrong is: a value that was never whole; another key's; an older one than
was read before; a miss of a key that is always there. Each mutant of the protocol must be found.
"""

import argparse
import sys

WRITTEN, REPLACING, ONE = 1, 2, 4
WORDS = ("version", "tag0", "tag1", "key0", "key1", "a0", "a1", "b0", "b1", "table")


class Writer:
    """Makes the stores. Each is (value, view that it carries)."""

    def __init__(self, mutant):
        self.mutant = mutant
        self.stores = {word: [] for word in WORDS}
        self.view = {}
        self.counter = 0  # the stripe's
        self.replacing = 0
        for word in WORDS:
            self.store(word, 0 if word == "version" else None)
        self.store("table", "first")

    def store(self, word, value, releases=True):
        stores = self.stores[word]
        self.view[word] = len(stores)
        carried = dict(self.view) if releases else {word: len(stores)}
        stores.append((value, carried))

    def set_version(self, bits):
        self.counter += ONE
        self.replacing = bits & REPLACING
        self.store("version", self.counter | bits | WRITTEN)

    def raise_version(self):
        if self.mutant != "the version is not raised":
            self.set_version(self.replacing)

    def write(self, way, key, value):
        if self.mutant != "the slot is written before the version is raised":
            self.raise_version()
        releases = self.mutant != "slots are stored relaxed"
        for word in ("key", "a", "b"):
            self.store(f"{word}{way}", key if word == "key" else value, releases)
        if self.mutant == "the slot is written before the version is raised":
            self.raise_version()

    def tag(self, way, key):
        self.store(f"tag{way}", key)

    def put(self, way, key, value):
        if self.mutant == "the tag is published first":
            self.tag(way, key)
            self.write(way, key, value)
        else:
            self.write(way, key, value)
            self.tag(way, key)

    def overwrite(self, way, old, value):
        """K gets a new version in a free way."""
        self.put(way, "K", value)
        if self.mutant != "the version is not raised before the old tag goes":
            self.raise_version()
        self.tag(old, None)

    def replace(self, way, value):
        """K gets its own slot again."""
        if self.mutant != "a replacement is not told":
            self.set_version(REPLACING)
        self.tag(way, None)
        self.put(way, "K", value)
        self.set_version(0)

    def retire(self):
        """The new table is published; then the old one's tags go and its versions are raised."""
        self.store("table", "other")
        if self.mutant == "a table is retired from its versions on":
            self.raise_version()
        self.tag(0, None)
        self.tag(1, None)
        if self.mutant != "a table is retired from its versions on":
            self.raise_version()

    def empty(self, sets=True):
        """Every processor has seen what came before: the pages read as zeros."""
        kept = ("table",) if sets else ("table", "version", "tag0", "tag1")
        for word in WORDS:
            if word not in kept:
                self.store(word, 0 if word == "version" else None)

    def use_again(self):
        if self.mutant == "versions start again":
            self.counter = 0

    def back_in_use(self):
        if self.mutant != "a filled table is not finished":
            self.raise_version()
        self.store("table", "first")


def overwrites(writer):
    writer.put(0, "K", 1)
    writer.overwrite(1, 0, 2)
    writer.overwrite(0, 1, 3)
    writer.put(1, "X", 9)  # another key, of the same tag to a reader
    writer.stores["tag1"][-1] = ("K", writer.stores["tag1"][-1][1])
    writer.tag(1, None)
    writer.overwrite(1, 0, 4)


def replacements(writer):
    writer.put(0, "K", 1)
    writer.replace(0, 2)
    writer.replace(0, 3)


def resizes(writer):
    writer.put(0, "K", 1)
    writer.retire()
    writer.empty()
    writer.use_again()
    writer.put(0, "K", 1)
    writer.back_in_use()
    writer.retire()
    writer.empty(sets=writer.mutant == "the sets of a table are emptied twice")


def resizes_to_another_key(writer):
    writer.put(0, "K", 1)
    writer.retire()
    writer.empty()
    writer.use_again()
    writer.put(1, "X", 9)
    writer.stores["tag1"][-1] = ("K", writer.stores["tag1"][-1][1])
    writer.put(0, "K", 1)
    writer.back_in_use()


def first_use(writer):
    """A reader that begins before anything was written; what it misses is no matter."""
    writer.put(0, "K", 1)
    writer.retire()
    writer.empty()


class Reader:
    """All results of one get, from a view on: a set of (result, view)."""

    def __init__(self, stores, mutant):
        self.stores, self.mutant = stores, mutant
        self.count = 0

    def load(self, view, word, acquires=True):
        for index in range(view.get(word, 0), len(self.stores[word])):
            value, carried = self.stores[word][index]
            seen = dict(view)
            seen[word] = index
            if acquires:
                for other, at_least in carried.items():
                    seen[other] = max(seen.get(other, 0), at_least)
            yield seen, value

    def get(self, start):
        for view, table in self.load(start, "table"):
            if table != "first":
                continue  # the other table, which is not part of this
            for seen, version in self.load(view, "version"):
                for first, tag0 in self.load(seen, "tag0"):
                    for second, tag1 in self.load(first, "tag1"):
                        yield from self.look(second, version, [w for w, t in
                                                               ((0, tag0), (1, tag1)) if t == "K"])

    def look(self, view, version, ways):
        if not ways:
            yield from self.miss(view, version)
            return
        for seen, key in self.load(view, f"key{ways[0]}"):
            if key != "K":
                yield from self.look(seen, version, ways[1:])
            else:
                yield from self.copy(seen, version, ways[0])

    def copy(self, view, version, way):
        wanted = version if self.mutant == "a version of 0 is believed" else version | WRITTEN
        acquires = self.mutant != "values are loaded relaxed"
        for half, a in self.load(view, f"a{way}", acquires):
            for whole, b in self.load(half, f"b{way}", acquires):
                for last, now in self.load(whole, "version", False):
                    self.count += 1
                    if now == wanted or self.mutant == "the version is not validated":
                        yield ("value", a, b), last

    def miss(self, view, version):
        settled = version & ~REPLACING
        for last, table in self.load(view, "table"):
            for end, now in self.load(last, "version", False):
                self.count += 1
                if table == "first" and now == settled:
                    yield ("miss",), end


def beginnings(stores):
    """A reader that starts later has seen what was there then: after the key's first version."""
    published = next(i for i, (value, _) in enumerate(stores["tag0"]) if value == "K")
    return dict(stores["tag0"][published][1])


def wrongs(scenario, mutant):
    writer = Writer(mutant)
    scenario(writer)
    reader = Reader(writer.stores, mutant)
    found, known = set(), set()
    begins_early = scenario is first_use
    for result, view in reader.get({} if begins_early else beginnings(writer.stores)):
        if not (begins_early and result[0] == "miss"):
            found |= judge(result)
        mark = (result, tuple(sorted(view.items())))
        if mark in known or result[0] != "value" or scenario not in (overwrites, replacements):
            continue
        known.add(mark)
        for again, _ in reader.get(view):
            found |= judge(again)
            if again[0] == "value" and None not in again + result and again[1] < result[1]:
                found.add("an older value after a newer one")
    return found, reader.count


def judge(result):
    if result[0] == "miss":
        return {"a miss of a key that is always there"}
    if result[1] != result[2] or result[1] is None:
        return {"a value that was never whole"}
    return {"another key's value"} if result[1] == 9 else set()


SCENARIOS = (overwrites, replacements, first_use, resizes, resizes_to_another_key)
MUTANTS = (
    "the version is not raised",
    "the slot is written before the version is raised",
    "slots are stored relaxed",
    "the tag is published first",
    "the version is not raised before the old tag goes",
    "a replacement is not told",
    "versions start again",
    "a table is retired from its versions on",
    "a filled table is not finished",
    "the sets of a table are emptied twice",
    "a version of 0 is believed",
    "values are loaded relaxed",
    "the version is not validated",
)


def main():
    parser = argparse.ArgumentParser(description="The flat engine's lock-free read, exhaustively.")
    parser.add_argument("--verbose", action="store_true", help="say what each mutant does")
    verbose = parser.parse_args().verbose
    failed, executions = [], 0
    for scenario in SCENARIOS:
        found, count = wrongs(scenario, None)
        executions += count
        failed += [f"{scenario.__name__}: {what}" for what in sorted(found)]
    for mutant in MUTANTS:
        found = {what for scenario in SCENARIOS for what in wrongs(scenario, mutant)[0]}
        if verbose:
            print(f"{mutant}: {'; '.join(sorted(found)) or 'nothing'}")
        if not found:
            failed.append(f"nobody notices that {mutant}")
    print(f"{executions} executions, {len(MUTANTS)} mutants")
    for line in failed:
        print(line, file=sys.stderr)
    return 1 if failed or executions == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
