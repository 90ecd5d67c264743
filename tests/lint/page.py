"""accel/observer_page.c is what tools/observer_page/embed.py makes of the files beside it, within
its size. A tool that could not tell would be no check: a copy of the sources with one letter
changed is refused."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(sys.argv[1]).resolve()
FOLDER = pathlib.Path("tools", "observer_page")
TARGET = pathlib.Path("accel", "observer_page.c")


def check(root):
    call = [sys.executable, root / FOLDER / "embed.py", "--check"]
    return subprocess.run(call, capture_output=True, text=True, check=False)


project = check(ROOT)
print(project.stderr or "accel/observer_page.c is up to date")
with tempfile.TemporaryDirectory() as folder:
    copy = pathlib.Path(folder)
    shutil.copytree(ROOT / FOLDER, copy / FOLDER)
    (copy / TARGET).parent.mkdir()
    shutil.copy(ROOT / TARGET, copy / TARGET)
    style = copy / FOLDER / "page.css"
    style.write_text(style.read_text(encoding="utf-8").replace("#fbfbf9", "#fbfbf8"))
    is_seen = check(copy).returncode != 0
    if not is_seen:
        print("a changed colour was not noticed")
sys.exit(0 if project.returncode == 0 and is_seen else 1)
