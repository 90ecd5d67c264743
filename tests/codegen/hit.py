"""The machine code of a typed L1 hit: no indirect call, lock, read-modify-write or allocation.

Follows each `hit_...` function of hit.c into every function of its own file that it calls. What it
may call outside is cold by declaration (ACCEL_COLD or ACCEL_RARE in a header) or by section
(.text.unlikely), and what PROBES names: no allocation, no lock, no memcpy. A cache without
`.remote` needs no symbol of an L2.
"""

import dataclasses
import pathlib
import re
import sys
import tempfile

import sources
import toolchain

# The functions of hit.c, and what the hit of each may call besides the clock: strings are hashed
# and compared by functions that are too long to inline; another L1 engine is called.
CLOCK = {"accel_clock_read"}
PROBES = {
    "hit_user": set(),
    "hit_place": set(),
    "hit_page": {"accel_hash_string", "strcmp"},
    "hit_exact": {"accel_uthash_get"},
}
LEAST_INSTRUCTIONS = 30  # a hit that is shorter was not followed

HERE = pathlib.Path(__file__).resolve().parent
FUNCTION = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
INSTRUCTION = re.compile(r"^\s+[0-9a-f]+:\t(.*)$")
RELOCATION = re.compile(r"^\s+[0-9a-f]+: R_\w+\t([\w.]+)")
BRANCH = re.compile(r"^(?:notrack |bnd )?(?:call|j\w+)\s+(?:[0-9a-f]+ <([^>+]+)[^>]*>|(\*.*))")
# An exchange with memory locks without saying so.
LOCKED = re.compile(r"^lock\b|^xchg\b.*\(")
# Reads memory and writes it, but a thread's own stack; of x86-64.
MODIFYING = re.compile(
    r"^(?:adc|add|and|dec|inc|neg|not|or|sar|sbb|shl|shr|sub|xor)[bwlq]?\s+(?:.*,)?"
    r"[^,()]*\((?!%rsp)[^()]*\)$"
)


@dataclasses.dataclass
class Function:
    is_cold: bool
    instructions: list  # [text, relocation or None]


def disassemble(path):
    listing = toolchain.run(["objdump", "-dr", "--no-show-raw-insn", str(path)]).stdout
    functions, section, current = {}, "", None
    for line in listing.splitlines():
        if line.startswith("Disassembly of section"):
            section = line.split()[-1].rstrip(":")
        elif match := FUNCTION.match(line):
            current = Function(section.startswith(".text.unlikely"), [])
            functions[match[1]] = current
        elif match := RELOCATION.match(line):
            current.instructions[-1][1] = match[1]
        elif (match := INSTRUCTION.match(line)) and current:
            current.instructions.append([match[1].strip(), None])
    return functions


def cold_names():
    """Functions that a header declares cold or rare."""
    names = set()
    for path in sources.files(sources.LIBRARY, ".h"):
        text = path.read_text(encoding="utf-8")
        names |= set(re.findall(r"ACCEL_(?:COLD|RARE)\s[^;{]*?\b(accel_\w+)\(", text))
    return names


def target(text, relocation, name):
    """Where a branch leads: (a name or None within the function, whether it is indirect)."""
    match = BRANCH.match(text)
    if not match:
        return None, False
    if match[2]:
        return None, True
    if relocation:
        return relocation, False
    return (None if match[1] == name else match[1]), False


def faults(functions, start, allowed):
    """What stands in the way of `start` that may not, and how many instructions were read."""
    found, read, queue, seen = [], 0, [start], set()
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        read += len(functions[name].instructions)
        for text, relocation in functions[name].instructions:
            goal, is_indirect = target(text, relocation, name)
            if is_indirect:
                found.append(f"{name}: an indirect call: {text}")
            elif LOCKED.match(text):
                found.append(f"{name}: a locked instruction: {text}")
            elif MODIFYING.match(text):
                found.append(f"{name}: a read-modify-write instruction: {text}")
            elif goal in functions:
                if not functions[goal].is_cold:
                    queue.append(goal)
            elif goal and goal not in allowed and not goal.startswith(".text.unlikely"):
                found.append(f"{name}: calls {goal}, which is not declared ACCEL_COLD")
    return found, read


def check(compiler, level, folder):
    """Yields what is wrong with the code of one compiler at one level."""
    path = folder / f"{compiler}{level}.o"
    # Without jump tables every `jmp *` is a tail call.
    command = [compiler, "-std=gnu11", level, "-fno-jump-tables", "-I.", "-c", str(HERE / "hit.c")]
    built = toolchain.run([*command, "-o", str(path)])
    if built.returncode != 0:
        yield built.stderr
        return
    functions = disassemble(path)
    allowed = cold_names() | CLOCK
    for name, direct in PROBES.items():
        found, read = faults(functions, name, allowed | direct)
        yield from found
        if read < LEAST_INSTRUCTIONS:
            yield f"{name}: only {read} instructions; this check has gone blind"
    for name in functions:
        if name.startswith("broken_") and not faults(functions, name, allowed)[0]:
            yield f"{name}: not found out; this check has gone blind"
    symbols = toolchain.run(["nm", "-u", str(path)]).stdout.split()
    for needed in ("accel_cache_get_slow", "accel_uthash_get"):
        if needed not in symbols:
            yield f"{needed}: not called directly"
    for symbol in symbols:
        if re.search("redis|fake|remote", symbol):
            yield f"{symbol}: needed by caches that have no .remote"
        if re.search("observ|latenc|histogram|monotonic", symbol):
            yield f"{symbol}: a hit is neither timed nor observed"


def main():
    is_right = True
    with tempfile.TemporaryDirectory() as folder:
        for compiler in toolchain.c_compilers():
            for level in ("-O1", "-O2", "-O3"):
                found = list(check(compiler, level, pathlib.Path(folder)))
                print(f"{compiler} {level}: {len(found)} faults")
                for fault in found:
                    print(f"  {fault}")
                is_right = is_right and not found
    sys.exit(0 if is_right else 1)


main()
