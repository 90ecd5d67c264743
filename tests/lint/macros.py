"""Macros: those of define.h hold no control flow, and all are named so that nobody's collide.

In headers that users see a macro starts ACCEL_, or accel_ where it stands for a function. In the
others and in .c files, which all share one implementation file, it may also start with the name of
its module.
"""

import re

import sources

CONTROL_FLOW = re.compile(r"\b(if|else|for|while|do|switch|case|goto|break|continue)\b|\?")
# The one choice of a macro: a trait that was not given is its default. Only there the user's types
# are known.
CHOICE = "n_##_cache_traits_.trait_ ? n_##_cache_traits_.trait_ arguments_ : (default_)"
DEFINE = re.compile(r"\s*#\s*(?:define|undef)\s+(\w+)")
# Names that the included library asks for.
EXTERNAL = {"accel_backends/uthash/": re.compile(r"uthash_|HASH_")}


def macro_bodies(path):
    """Lines that belong to a macro's replacement text or parameters."""
    is_inside = False
    for number, line in sources.lines(path):
        if is_inside or re.match(r"\s*#\s*define\b", line):
            yield number, line
            is_inside = line.endswith("\\")


def check_control_flow(path):
    for number, line in macro_bodies(path):
        code = re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\])*"', "", line)
        match = CONTROL_FLOW.search(code.replace(CHOICE, ""))
        if match:
            text = f'"{match[0]}" in a macro; a macro declares and forwards, a function decides'
            sources.report(path, number, text)


def module_names(path):
    parts = path.relative_to(sources.ROOT).with_suffix("").parts[1:]
    return {word for part in parts for word in (part, *part.split("_"))}


def check_names(path):
    prefixes = {"ACCEL_", "accel_"}
    if path not in visible:
        prefixes |= {f"{module}_" for module in module_names(path)}
        prefixes |= {f"{module.upper()}_" for module in module_names(path)}
    external = [rule for place, rule in EXTERNAL.items() if sources.name(path).startswith(place)]
    for number, line in sources.lines(path):
        match = DEFINE.match(line)
        if not match or match[1].startswith(tuple(prefixes)):
            continue
        if not any(rule.match(match[1]) for rule in external):
            sources.report(path, number, f"{match[1]} should start {' or '.join(sorted(prefixes))}")


visible = sources.user_headers()
library = sources.c_files(sources.LIBRARY)
for file in library:
    check_names(file)
check_control_flow(sources.ROOT / "accel" / "define.h")
sources.finish(f"{len(library)} files")
