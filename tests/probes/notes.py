"""The probes of a binary that was compiled with ACCEL_USDT: the notes in it are those of the list
in accel/platform/probe.h, with as many arguments each; without ACCEL_USDT there are none; and the
code of a hit is the same, instruction by instruction, with and without. Without sys/sdt.h there is
nothing to compile: exit code 77.
"""

import pathlib
import re
import sys
import tempfile

import sources
import toolchain

HERE = pathlib.Path(__file__).resolve().parent
LISTED = re.compile(r"^  X\((\w+), (\d+), ", re.M)
NOTE = re.compile(r"Provider: accel\s+Name: (\w+)\s+.*?\n\s+Arguments: (.*)\n")
ADDRESS = re.compile(r"\b[0-9a-f]+ <|\+0x[0-9a-f]+|# [0-9a-f]+")
OPERAND = re.compile(r"-?\d+@")


def listed():
    text = (sources.ROOT / "accel" / "platform" / "probe.h").read_text(encoding="utf-8")
    return {name: int(count) for name, count in LISTED.findall(text)}


def compiled(compiler, source, flags, folder):
    path = folder / "probed.o"
    command = [compiler, "-std=gnu11", "-O2", "-I.", "-c", str(source), "-o", str(path)]
    built = toolchain.run([*command, *flags])
    if built.returncode != 0:
        sys.exit(built.stderr)
    return path


def notes(path):
    """The names of the probes, with the numbers of their arguments."""
    found = {}
    for name, arguments in NOTE.findall(toolchain.run(["readelf", "-n", str(path)]).stdout):
        found.setdefault(name, set()).add(len(OPERAND.findall(arguments)))
    return found


def hits(path):
    """The instructions of the typed hits, without addresses."""
    listing = toolchain.run(["objdump", "-d", "--no-show-raw-insn", str(path)]).stdout
    functions = re.findall(r"^[0-9a-f]+ <(hit_\w+)>:\n(.*?)\n\n", listing + "\n", re.M | re.S)
    return {name: [ADDRESS.sub("", line.split(":", 1)[1]) for line in body.splitlines()]
            for name, body in functions}  # fmt: skip


def faults(compiler, folder):
    expected = {name: {count} for name, count in listed().items()}
    found = notes(compiled(compiler, HERE / "traced.c", [], folder))
    if found != expected:
        yield f"the notes are {found}, the list is {expected}"
    hit = sources.ROOT / "tests" / "codegen" / "hit.c"
    flags = ["-DACCEL_IMPLEMENTATION"]
    without = compiled(compiler, hit, flags, folder)
    if notes(without):
        yield f"there are probes without ACCEL_USDT: {notes(without)}"
    plain = hits(without)
    probed = compiled(compiler, hit, [*flags, "-DACCEL_USDT"], folder)
    if not notes(probed):
        yield "there are no probes to compare with: this check has gone blind"
    for name, code in hits(probed).items():
        if len(code) < 30 or code != plain[name]:
            yield f"{name} has other code with ACCEL_USDT"


def main():
    probe = toolchain.run(["gcc", "-x", "c", "-fsyntax-only", "-"], "#include <sys/sdt.h>\n")
    if probe.returncode != 0:
        print("skipped: sys/sdt.h is not installed (Debian: systemtap-sdt-dev)")
        sys.exit(77)
    is_right = True
    with tempfile.TemporaryDirectory() as folder:
        for compiler in toolchain.c_compilers():
            found = list(faults(compiler, pathlib.Path(folder)))
            print(f"{compiler}: {len(listed())} probes, {len(found)} faults", *found, sep="\n  ")
            is_right = is_right and not found
    sys.exit(0 if is_right else 1)


main()
