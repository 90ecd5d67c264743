"""tools/gdb/accel.py on a real program: stopped in the middle of its work, and as a core file."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PROGRAM, SCRIPT = sys.argv[1], sys.argv[2]

COMMANDS = [
    "accel cache users",
    "accel table users",
    "accel flights users",
    "accel redis redis",
    "accel cache &pages",
    "accel table pages 1",
    "accel table pages 60",
    "accel redis &redis",
    "print redis.state->route.endpoints[0]->lanes[REDIS_LANE_DATA].connection.queued",
]

# What every run says, in this order; expressions.
WANTED = [
    r'cache "user", area "people"\n  L1: flat, capacity 64\n',
    r'L2: redis, channel "accel:invalidation:people" (up|down)\n  2 flights, 0 jobs pending',
    r"2 of \d+ slots are in use\n",
    r"2 flights; the cache counts 2\n",
    r"accel_redis 0x[0-9a-f]+: 1 endpoints, the main one is 0; 1 caches attached",
    r'endpoint 0: "127.0.0.1" "\d+"\n    data: REDIS_CONNECTION_UP, fd \d+, breaker '
    r"REDIS_BREAKER_CLOSED after 0 failures in a row",
    r"(\d+) requests, [1-9] in flight; \d+ bytes queued, \d+ being written\n",
    r"      \d+: read for 0x[0-9a-f]+: 1 of 1 replies due",
    r'cache "page", area "pages"\n.*\n  L2: none',
    r"54 of \d+ slots are in use\n  set .*\n  53 more: accel table CACHE 54",
    r"54 of \d+ slots are in use\n(  set .*\n){54}>>>",
    r"\$1 = \d+ bytes \"",
]

# What stands somewhere: entries lie where their hashes lead them.
ANYWHERE = [
    r"  7007: running, 1 wait, \d+ hold it",
    r"  8008: running, 1 wait, \d+ hold it",
    r'set \d+ way \d+ tag 0x[0-9a-f]+: 1001 = {id = 1199, name = "ada"[^}]*}, ',
    r"404 = does not exist \(negative\), ",
    r'"home" = {count = 5}, never expires\n',
    r'"a key that has more bytes than its place in the table" = {count = 6}, never expires\n',
    r'"old" = {count = 4}, never expires, of an earlier epoch\n',
    r"tag 0x01: removed pinned\n",
]

WHOLE = " of 600000 ms, of an earlier epoch"
LIVE = [r'"ada".*, (599|60\d)\d+ ms left' + WHOLE, r"run by thread \d+ \("]
CORE = [r'"ada".*, expires at \d+ ms,' + WHOLE, r"run by (thread \d+ \(|0x)"]


def gdb(arguments, commands):
    """What gdb says of the commands; each begins with a line that names it."""
    script = ["set pagination off", "set confirm off", "set width 0"]
    for command in commands:
        script += [f"echo >>> {command}\\n", command]
    call = ["gdb", "--batch", "--nx"]
    for line in script[:3] + [f"source {SCRIPT}"] + script[3:]:
        call += ["-ex", line]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(
        call + arguments, **streams, text=True, errors="replace", timeout=300, check=False
    )
    return done.stdout


def check(title, said, wanted, anywhere):
    place, missing = 0, []
    for expression in wanted:
        found = re.compile(expression).search(said, place)
        if found:
            place = found.end()
        else:
            missing.append(expression)
    missing += [each for each in anywhere if not re.search(each, said)]
    if re.search(r"Python Exception|Error occurred|Traceback", said):
        missing.append("no exception")
    if missing:
        print(f"---- {title} ----\n{said}")
        for expression in missing:
            print(f"{title}: not found: {expression}")
    return not missing


WRONG = ["accel table", "accel cache 1 +", "accel cache 1", "accel cache (void *)8"]


def check_refusals():
    """A program that has not begun has nothing to show: a sentence, and no exception."""
    said = gdb([PROGRAM], ["break main", "run"] + COMMANDS + WRONG)
    wanted = [r"accel cache users\naccel: the cache is closed\n"]
    wanted += [r"accel redis redis\naccel: the accel_redis is closed\n"]
    wanted += [r"usage: accel table CACHE \[COUNT\]", r"accel: A syntax error in expression"]
    wanted += [r"accel: the expression names no object", r"accel: Cannot access memory"]
    return check("before the start", said, wanted, [])


def main():
    if shutil.which("gdb") is None:
        print("gdb is not installed")
        sys.exit(77)
    probe = subprocess.run([PROGRAM], capture_output=True, text=True, timeout=300, check=False)
    if probe.returncode == 77:
        print(probe.stderr)
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        core = str(pathlib.Path(folder) / "core")
        start = ["set disable-randomization off", "break stopped", "run"]
        live = gdb([PROGRAM], start + COMMANDS + [f"gcore {core}", "finish", "kill"])
        is_right = check("alive", live, WANTED, ANYWHERE + LIVE)
        dead = gdb([PROGRAM, core], COMMANDS)
        is_right = check("from a core file", dead, WANTED, ANYWHERE + CORE) and is_right
    is_right = check_refusals() and is_right
    sys.exit(0 if is_right else 1)


main()
