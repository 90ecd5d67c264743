"""Translated documents say the same: what is not prose is equal in both languages.

Section by section, a translation has the headings, code blocks, tables, links and names in
backticks of the English document. Prose is not compared.
"""

import posixpath
import re

import sources

TRANSLATED = (
    "cache-ops-runbook",
    "code-flattening-guideline",
    "local-stack-integration",
    "multi-level-cache-capability-model",
    "performance-engineering-playbook",
    "terminology",
)
PAIRS = {
    "README.md": "README.zh-CN.md",
    **{f"docs/{name}.md": f"docs/zh/{name}.zh-CN.md" for name in TRANSLATED},
}

LINK = re.compile(r"\]\(([^)\s]+)\)")
NAME = re.compile(r"`([^`]+)`")


class Section:
    """What stands between two headings."""

    def __init__(self, number, level):
        self.number, self.level = number, level
        self.blocks, self.tables, self.links, self.names = [], [], [], set()

    def take(self, text, folder, pair):
        self.links += [normal(link, folder, pair) for link in LINK.findall(text)]
        self.names |= set(NAME.findall(text))


def normal(link, folder, pair):
    """A link from the root; of a translated document the English name, without its anchor."""
    target, _, _ = link.partition("#")
    if "://" in target:
        return link
    if target == "":
        return pair
    path = posixpath.normpath(posixpath.join(folder, target))
    english = {value: key for key, value in PAIRS.items()}
    return english.get(path, path)


def unwrapped(path):
    """Numbered lines, with the code blocks as one line each and paragraphs joined."""
    block, paragraph, start = None, [], 1
    for number, line in sources.lines(path):
        if line.lstrip().startswith("```"):
            if block is None:
                yield start, " ".join(paragraph)
                block, paragraph, start = [], [], number
            else:
                yield start, ("block", "\n".join(block))
                block, start = None, number + 1
        elif block is not None:
            block.append(line)
        elif line.startswith(("#", "|")) or not line.strip():
            yield start, " ".join(paragraph)
            yield number, line
            paragraph, start = [], number + 1
        else:
            paragraph.append(line.strip())
    yield start, " ".join(paragraph)


def sections(path, pair):
    folder = posixpath.dirname(sources.name(path))
    found = [Section(1, 0)]
    table = None  # columns and rows of the one that is open
    for number, text in unwrapped(path):
        if isinstance(text, tuple):
            found[-1].blocks.append(text[1])
        elif text.startswith("#"):
            found.append(Section(number, len(text) - len(text.lstrip("#"))))
            found[-1].take(text, folder, pair)
        else:
            found[-1].take(text, folder, pair)
        if isinstance(text, str) and text.startswith("|"):
            columns = len(re.findall(r"(?<!\\)\|", text)) - 1
            if table is None:
                table = [columns, 0]
                found[-1].tables.append(table)
            table[1] += 1
        elif text != "":
            table = None
    return found


def check_pair(english, chinese):
    wanted = sections(sources.ROOT / english, english)
    path = sources.ROOT / chinese
    have = sections(path, english)
    levels = [section.level for section in wanted]
    if [section.level for section in have] != levels:
        sources.report(path, 1, f"its headings are not those of {english}")
        return
    for ours, theirs in zip(have, wanted):
        place = f"the section at {english}:{theirs.number}"
        if ours.blocks != theirs.blocks:
            sources.report(path, ours.number, f"other code blocks than {place}")
        if ours.tables != theirs.tables:
            sources.report(path, ours.number, f"other tables (columns, rows) than {place}")
        if sorted(ours.links) != sorted(theirs.links):
            sources.report(path, ours.number, f"other links than {place}")
        for name in sorted(ours.names ^ theirs.names):
            has = "does not have" if name in theirs.names else "alone has"
            sources.report(path, ours.number, f"{has} `{name}`; compare {place}")


for one, other in PAIRS.items():
    check_pair(one, other)
for file in sorted((sources.ROOT / "docs" / "zh").glob("*")):
    if sources.name(file) not in PAIRS.values():
        sources.report(file, 1, "is no translation of a document; name both in this check")
sources.finish(f"{len(PAIRS)} documents in two languages")
