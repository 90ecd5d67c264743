"""Installs the decoder of receiver.js into the build folder, as the lock file says.

usage: install.py FOLDER STAMP

Without npm it says so in the stamp, and the tests that need the decoder are skipped. Packages come
from the registry that npm is set up for; the lock file names what they must contain.
"""

import pathlib
import shutil
import subprocess
import sys

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
if done.returncode != 0:
    sys.exit(f"{' '.join(command)} failed in {folder}:\n{done.stdout}{done.stderr}")
stamp.write_text("", encoding="utf-8")
