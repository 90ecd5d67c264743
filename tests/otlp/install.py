"""Installs the decoder of receiver.js into the build folder, as the lock file says.

usage: install.py FOLDER STAMP

Where there is no npm, or no registry answers, it says so in the stamp and on stderr, and the tests
that need the decoder are skipped with that reason. Packages come from the registry that npm is set
up for; the lock file names what they must contain, and other contents are a failure.
"""

import pathlib
import re
import shutil
import subprocess
import sys

UNREACHABLE = re.compile(r"\b(E50[234]|E429|EAI_AGAIN|ECONN\w+|EHOSTUNREACH|ENETUNREACH|"
                         r"ENOTFOUND|ERR_SOCKET_TIMEOUT|ETIMEDOUT|EIDLETIMEOUT)\b")  # fmt: skip

folder, stamp = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
source = pathlib.Path(__file__).resolve().parent
npm, node = shutil.which("npm"), shutil.which("node")
if npm is None or node is None:
    stamp.write_text("npm and node are not installed\n", encoding="utf-8")
    sys.exit(0)
folder.mkdir(parents=True, exist_ok=True)
for name in ("package.json", "package-lock.json"):
    shutil.copy(source / name, folder)
command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"]
done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
said = f"{' '.join(command)} failed in {folder}:\n{done.stdout}{done.stderr}"
if done.returncode == 0:
    stamp.write_text("", encoding="utf-8")
elif UNREACHABLE.search(done.stderr):
    shutil.rmtree(folder / "node_modules", ignore_errors=True)
    stamp.write_text("no npm registry can be reached\n", encoding="utf-8")
    print(said, file=sys.stderr)
else:
    sys.exit(said)
