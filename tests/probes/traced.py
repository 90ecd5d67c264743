"""What bpftrace counts at the probes is what the program counts: of every probe, through uprobes of
the running kernel. Then the scripts of tools/bpf, over the same program.

usage: traced.py ROOT [PROGRAM]     without a program: it could not be compiled

Needs root, bpftrace, and a kernel that lets it attach; else it says what is missing and exits with
77, after it had bpftrace parse the scripts, where that is installed. tracefs is mounted in a mount
namespace of the test's own.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
PROGRAM = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None
SCRIPTS = sorted((ROOT / "tools" / "bpf").glob("*.bt"))
SHOWN = {"load_latency.bt": "probed", "waits.bt": "flight", "hottest_misses.bt": "probed"}
COUNTED = re.compile(r"^@(\w+): (\d+)$", re.M)
MOUNT = 'mount -t tracefs nodev /sys/kernel/tracing 2>/dev/null; exec "$@"'


def trace(*arguments):
    """bpftrace, its output as text. The program's is part of it."""
    command = ["unshare", "--mount", "sh", "-c", MOUNT, "sh", "bpftrace", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    return run.stdout, run.stderr


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def check_possible():
    if PROGRAM is None:
        skip("sys/sdt.h is not installed (Debian: systemtap-sdt-dev)")
    if not shutil.which("bpftrace"):
        skip("bpftrace is not installed")
    for script in SCRIPTS:
        parsed = subprocess.run(
            ["bpftrace", "-d", script, PROGRAM], capture_output=True, text=True, check=False
        )
        if os.geteuid() == 0 and "syntax error" in parsed.stderr:
            sys.exit(f"{script}: {parsed.stderr}")
    if os.geteuid() != 0:
        skip("only root may attach to probes")
    out, err = trace("-e", f"usdt:{PROGRAM}:accel:miss {{ @miss = count(); }}", "-c", str(PROGRAM))
    if not COUNTED.search(out):
        skip(f"the kernel does not let bpftrace attach: {err.strip().splitlines()[-1:]}")


def check_counts():
    names = ["miss", "hit_sample", "remote", "load_begin", "load_end", "wait", "evict", "epoch"]
    names += ["channel", "invalidate"]
    program = "".join(f"usdt:{PROGRAM}:accel:{name} {{ @{name} = count(); }}\n" for name in names)
    program += f"usdt:{PROGRAM}:accel:repair {{ @repair = sum(arg1); }}\n"
    out, err = trace("-e", program, "-c", str(PROGRAM))
    counted = {name: int(count) for name, count in COUNTED.findall(out)}
    expected = re.findall(r"^(\w+)([+<]?) (\d+)$", out, re.M)
    wrong = []
    if {name for name, _, _ in expected} != {*names, "repair"}:
        wrong.append(f"the program counted {expected}: {err}")
    for name, how, count in expected:
        seen = counted.get(name, 0)
        if not (0 < seen <= int(count) if how == "<" else seen == int(count)):
            wrong.append(f"{name}: bpftrace counted {seen}, the program {how} {count}")
    print(f"{len(expected)} probes, {len(wrong)} wrong", *wrong, sep="\n  ")
    return not wrong


def check_script(script):
    out, err = trace(str(script), str(PROGRAM), "-c", str(PROGRAM))
    is_shown = re.search(rf"^@.*\b{SHOWN[script.name]}\b", out, re.M) is not None
    print(f"{script.name}: {'shows what happened' if is_shown else f'shows nothing: {out}{err}'}")
    return is_shown


def main():
    check_possible()
    results = [check_counts(), *(check_script(script) for script in SCRIPTS)]
    sys.exit(0 if len(SCRIPTS) == len(SHOWN) and all(results) else 1)


main()
