"""Words that are notes to oneself, or that only make sense on the machine where they were typed."""

import re

import sources

# Written so that this file does not find itself.
NOTES = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
PLACES = re.compile(r"(?<![\w.])/(home|work|root|Users)/\w")
ISSUES = re.compile(r"\b(?:issue|PR|pull request|ticket) #?\d+\b|(?<![\w&/])#\d{1,4}\b(?![\w-])")
SUFFIXES = (".c", ".h", ".py", ".sh", ".build", ".md", ".patch", ".txt", "")

checked = [path for path in sources.files(sources.PROJECT, *SUFFIXES)]
for file in checked:
    for number, line in sources.lines(file):
        if NOTES.search(line):
            sources.report(file, number, "a note to oneself; do it, or write an issue")
        if PLACES.search(line):
            sources.report(file, number, "the path of one machine; use a relative one")
        if ISSUES.search(line):
            sources.report(file, number, "the number of an issue; say what it says")
sources.finish(f"{len(checked)} files")
