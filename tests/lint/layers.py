"""The layer law: which file may include which, and where system headers are included.

A file's layer stands in its opening comment, "(layer 2)"; a .c file without one has the layer of
the first header it includes, its own. Modules include their own layer and lower ones, and those of
layer 3 never each other. A backend includes layers 0 to 2 and itself; within redis/ a directory
includes those before it in REDIS_DIRECTORIES. A header begins with its own name, and so does a .c
file that has no header of its name, or that begins with a comment.
"""

import re

import sources

LAYER = re.compile(r"\(layer (\d)")

UMBRELLAS = {"accel.h"}
# The default L1 is inlined into the path of a hit.
EXCEPTIONS = {("accel/cache.h", "accel_backends/flat/flat_hit.h")}

# A system header or a function, and the only place where it may appear.
OWNED = {
    r"hiredis/": "accel_backends/redis/",
    r"openssl/": "accel_backends/redis/wire/tls.",
    r"uthash\.h|utlist\.h": "accel_backends/uthash/",
    r"pthread\.h|time\.h|sys/time\.h|sys/mman\.h|sys/random\.h|sched\.h": "accel/platform/",
    r"curl/|zlib\.h": "accel_backends/otlp/",
    r"sys/un\.h|netdb\.h|netinet/.*|poll\.h|fcntl\.h": "accel_backends/redis/",
    r"sys/socket\.h": ("accel_backends/redis/", "accel_backends/otlp/transport.c"),
}
OWNED_CALLS = {
    "pthread_\\w+|clock_gettime|gettimeofday|nanosleep|usleep|mmap|getrandom": "accel/platform/",
    "malloc|calloc|realloc|free|strdup|strndup": "accel/base.h",
    "exit|abort|_exit|printf|fprintf|puts|perror": "no file of the library",
}
# Each includes those left of it, by the header that bears its name.
REDIS_DIRECTORIES = ["wire", "server", "routing", "operations", "channel"]
C11_HEADERS = {
    "assert.h", "float.h", "inttypes.h", "limits.h", "math.h", "stdarg.h", "stdbool.h",
    "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h",
}  # fmt: skip


def layer(path):
    text = path.read_text(encoding="utf-8")
    match = LAYER.search(text[: text.find("*/")])
    if match:
        return int(match[1])
    if path.suffix == ".c":
        for _, is_own, included in sources.includes(path):
            target = (path.parent / included).resolve()
            if is_own and target.is_file():
                return layer(target)
    return None


def backend(path):
    """`redis` for accel_backends/redis.h and everything in accel_backends/redis/."""
    parts = path.relative_to(sources.ROOT).parts
    return parts[1].removesuffix(".h") if parts[0] == "accel_backends" else None


def module(path):
    """`singleflight` for singleflight.c and for singleflight_runner.h."""
    return path.stem.split("_")[0]


def redis_directory(path):
    """`wire` for a file of accel_backends/redis/wire/."""
    parts = path.relative_to(sources.ROOT).parts
    inside = len(parts) == 4 and parts[:2] == ("accel_backends", "redis")
    return parts[2] if inside and parts[2] in REDIS_DIRECTORIES else None


def check_redis_directory(path, number, included, target):
    own, other = redis_directory(path), redis_directory(target)
    if other is None or own == other:
        return
    if own and REDIS_DIRECTORIES.index(other) > REDIS_DIRECTORIES.index(own):
        sources.report(path, number, f"{own}/ lies left of {other}/ and may not include {included}")
    if target.suffix == ".h" and target.stem != other:
        sources.report(path, number, f"include {other}/{other}.h in place of {included}")


def check_own(path, number, included):
    target = (path.parent / included).resolve()
    if not target.is_file():
        sources.report(path, number, f"{included} is not found beside this file")
        return
    if sources.name(path) in UMBRELLAS or (sources.name(path), sources.name(target)) in EXCEPTIONS:
        return
    target_layer = layer(target)
    check_redis_directory(path, number, included, target)
    if backend(path):
        if backend(target) == backend(path) or (target_layer is not None and target_layer <= 2):
            return
        sources.report(path, number, f"a backend includes layers 0 to 2 and itself, not {included}")
        return
    own_layer = layer(path)
    if own_layer is None:
        return  # said once, in check_file
    if backend(target) or target_layer is None or target_layer > own_layer:
        sources.report(path, number, f"layer {own_layer} may not include {included}")
    elif own_layer == target_layer == 3 and module(target) != module(path):
        sources.report(path, number, f"modules of layer 3 do not know each other: {included}")


def check_system(path, number, included):
    for pattern, owner in OWNED.items():
        if re.fullmatch(pattern + ".*" if pattern.endswith("/") else pattern, included):
            if not sources.name(path).startswith(owner):
                sources.report(path, number, f"<{included}> belongs to {owner}; call that module")


def check_calls(path):
    code = re.sub(
        r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"',
        lambda found: re.sub(r"[^\n]", " ", found[0]),
        path.read_text(encoding="utf-8"),
        flags=re.S,
    )
    for number, line in enumerate(code.splitlines(), 1):
        for pattern, owner in OWNED_CALLS.items():
            match = re.search(rf"(?<![.>])\b({pattern})\s*\(", line)
            if match and not sources.name(path).startswith(owner):
                sources.report(path, number, f"{match[1]} may be called in {owner} only")


def check_opening(path):
    opening = path.read_text(encoding="utf-8").partition("\n")[0]
    is_due = path.suffix == ".h" or not path.with_suffix(".h").is_file() or opening.startswith("/*")
    if is_due and not opening.startswith(f"/* {path.name}: "):
        sources.report(path, 1, f'it does not begin with "/* {path.name}: " and its purpose')


def check_file(path):
    check_opening(path)
    if sources.name(path) not in UMBRELLAS and not backend(path) and layer(path) is None:
        sources.report(path, 1, 'its opening comment does not say "(layer N)"')
    for number, is_own, included in sources.includes(path):
        if is_own:
            check_own(path, number, included)
        else:
            check_system(path, number, included)
    check_calls(path)


library = sources.c_files(sources.LIBRARY)
for file in library:
    check_file(file)
visible = sources.user_headers()
for file in visible:
    for line, is_ours, header in sources.includes(file, with_implementation=False):
        if not is_ours and header not in C11_HEADERS:
            sources.report(file, line, f"users include this file: <{header}> is not C11")
sources.finish(f"{len(library)} files, {len(visible)} of them seen by users")
