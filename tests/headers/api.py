"""docs/api.md names what the headers declare, and nothing else.

Its ```c blocks are compiled against the headers, as C11 under a user's flags:

- prototypes and typedefs are repeated as they stand, so that a difference is an error;
- structs are repeated under another name and compared field by field;
- a block after `<!-- program: NAME -->` is compiled by itself, after what PROGRAMS has for NAME.

And the other way round: every function and every field of a struct that a user fills in or reads
appears on the page.
"""

import re

import sources
import toolchain

PAGE = sources.ROOT / "docs" / "api.md"
HEADERS = (
    "accel/cache.h", "accel/config.h", "accel/error.h", "accel/executor.h", "accel/hash.h",
    "accel/log.h", "accel/observer.h", "accel/platform/clock.h", "accel/stats.h", "accel/status.h",
    "accel/trace.h", "accel/type.h",
    "accel_backends/redis.h", "accel_backends/fake/fake.h", "accel_backends/otlp.h",
)  # fmt: skip
STRUCTS = ("accel_config", "accel_metrics", "accel_redis_config", "accel_diagnostic", "accel_info")
STRUCTS += ("accel_read", "accel_write", "accel_executor_config", "accel_fake_config")
STRUCTS += ("accel_trace", "accel_observer_config", "accel_otlp_config")
# Visible only because inlined code, the struct of a cache or a module of the library needs them.
INTERNAL = re.compile(
    r"accel_stats_\w+|accel_tally_count|accel_cache_due|accel_cache_count_|accel_type_default_\w+"
    r"|accel_config_resolve|accel_clock_utc_text|accel_hash_fnv"
)

TYPES = """\
#include "accel.h"
#include "accel_backends/fake.h"
#include "accel_backends/redis.h"
#include "accel_backends/otlp.h"
typedef struct user_t { uint64_t id; char name[56]; } user_t;
"""
PROGRAMS = {
    "none": "#define _GNU_SOURCE\n",
    "types": TYPES + """\
typedef struct page_t { char text[100]; } page_t;
typedef struct place_t { int32_t x, y; } place_t;
uint64_t place_hash(const place_t *place, uint64_t seed);
bool place_equal(const place_t *a, const place_t *b);
""",
    "service": TYPES + """\
ACCEL_DEFINE(user, uint64_t, user_t)
typedef struct service { user_cache users; } service;
accel_status find_user(service *svc, uint64_t id, user_t *out);
accel_status find_users(service *svc, const uint64_t *ids, size_t count, user_t *found,
                        accel_status *statuses);
accel_status store_user(service *svc, const user_t *user);
accel_status remove_users(service *svc, const uint64_t *ids, size_t count);
""",
}  # fmt: skip

BLOCK = re.compile(r"(?:<!-- program: (\w+) -->\n)?```c\n(.*?)^```", re.S | re.M)
STRUCT = re.compile(r"^typedef struct (\w+) \{\n(.*?)^\} \1;\n", re.S | re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)
FIELD = re.compile(r"(\w+)(?:\[\w+\])?(?=[,;])")
PROTOTYPE = re.compile(r"^(?!typedef|static)\w[\w ]*[ *]((?:accel|user_cache)_\w+)\(", re.M)


def fields(body):
    """The names of a struct's fields, in order."""
    for declaration in COMMENT.sub("", body).split(";"):
        declaration = declaration.strip() + ";"
        pointer = re.search(r"\(\*(\w+)\)", declaration)
        yield from [pointer[1]] if pointer else FIELD.findall(declaration)


def compared(match):
    """A struct of the page under another name, and that it equals the header's."""
    name, body = match[1], match[2]
    yield match[0].replace(f"struct {name} {{", f"struct page_{name} {{").replace(
        f"}} {name};", f"}} page_{name};"
    )
    yield f'_Static_assert(sizeof({name}) == sizeof(page_{name}), "{name}");\n'
    for field in fields(body):
        real, page = (f"(({kind} *)0)->{field}" for kind in (name, f"page_{name}"))
        same_type = f"__builtin_types_compatible_p(__typeof__({real}), __typeof__({page}))"
        same_place = f"offsetof({name}, {field}) == offsetof(page_{name}, {field})"
        yield f'_Static_assert({same_type} && {same_place}, "{name}.{field}");\n'


def declarations(text):
    unit = [TYPES, "ACCEL_DECLARE(user, uint64_t, user_t)\n"]
    for match in BLOCK.finditer(text):
        if match[1]:
            continue
        number = text[: match.start(2)].count("\n") + 1
        unit.append(f'#line {number} "docs/api.md"\n')
        unit.append(STRUCT.sub(lambda found: "\n" * found[0].count("\n"), match[2]))
        for struct in STRUCT.finditer(match[2]):
            number_of_struct = number + match[2][: struct.start()].count("\n")
            unit.append(f'#line {number_of_struct} "docs/api.md"\n')
            unit.extend(compared(struct))
    return "".join(unit)


def programs(text):
    for match in BLOCK.finditer(text):
        if match[1]:
            number = text[: match.start(2)].count("\n") + 1
            yield PROGRAMS[match[1]] + f'#line {number} "docs/api.md"\n' + match[2]


def check_compiles(text):
    units = [declarations(text), *programs(text)]
    for compiler in toolchain.c_compilers():
        for unit in units:
            command = [compiler, "-std=c11", *toolchain.USER_C, "-I.", "-fsyntax-only", "-x", "c"]
            result = toolchain.run([*command, "-"], unit)
            if result.returncode:
                sources.report(PAGE, 1, f"{compiler} -std=c11: {result.stderr}")
    return len(units)


def check_functions(text):
    """Every function of the headers and every generated one has its place on the page."""
    command = ["gcc", "-std=c11", "-E", "-P", "-I.", "-x", "c", "-"]
    unit = toolchain.run(command, TYPES + "ACCEL_DECLARE(user, uint64_t, user_t)\n").stdout
    names = set(re.findall(r"\buser_cache_\w+(?=\()", unit))
    for header in HEADERS:
        code = COMMENT.sub("", (sources.ROOT / header).read_text(encoding="utf-8"))
        names |= set(PROTOTYPE.findall(code))
    for name in sorted(names):
        generated = name.replace("accel_cache_", "user_cache_")
        is_there = any(re.search(rf"\b{one}\(", text) for one in (name, generated))
        if not is_there and not INTERNAL.fullmatch(name):
            sources.report(PAGE, 1, f"{name} is declared in a header and not described here")
    for _, block in BLOCK.findall(text):
        for name in set(PROTOTYPE.findall(block)) - names:
            sources.report(PAGE, 1, f"{name} is described here and declared in no header")
    return len(names)


def check_fields(text):
    command = ["gcc", "-std=c11", "-E", "-P", "-I.", "-x", "c", "-"]
    unit = toolchain.run(command, TYPES).stdout
    for name in STRUCTS:
        body = re.search(rf"typedef struct {name} \{{(.*?)\}} {name};", unit, re.S)
        if body is None:
            sources.report(PAGE, 1, f"{name} is in no header")
            continue
        for field in fields(body[1]):
            if not re.search(rf"`[^`]*\b{field}\b[^`]*`|^  .*\b{field}[,;\[]", text, re.M):
                sources.report(PAGE, 1, f"{name}.{field} is not described")


page = PAGE.read_text(encoding="utf-8")
unit_count = check_compiles(page)
function_count = check_functions(page)
check_fields(page)
if function_count < 100:
    sources.report(PAGE, 1, f"only {function_count} functions were found; is this check blind?")
sources.finish(f"{function_count} functions, {unit_count} units")
