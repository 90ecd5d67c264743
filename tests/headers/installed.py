"""The library as installed files that pkg-config finds, and as a meson subproject.

usage: installed.py ROOT BUILD
"""

import os
import pathlib
import shutil
import sys
import tempfile

import sources
import toolchain

IMPLEMENTATION = '#define ACCEL_IMPLEMENTATION\n#include <accel.h>\n'
PROJECT = """\
project('user', 'c', default_options: ['c_std=gnu11'])
accel_dep = dependency('accel', fallback: ['accel', 'accel_dep'], version: '>=0.1.0')
executable('user', 'user.c', 'implementation.c', dependencies: accel_dep)
"""
USER = sources.ROOT / "tests" / "headers" / "user.c"


def expect(result, what):
    print(f"{'not ok' if result.returncode else 'ok'}: {what}")
    if result.returncode:
        sys.exit(result.stdout + result.stderr)
    return result


def check_installed(folder, compiler):
    build = pathlib.Path(sys.argv[2])
    install = ["meson", "install", "-C", str(build), "--destdir", str(folder), "--no-rebuild"]
    expect(toolchain.run(install), "meson install")
    os.environ["PKG_CONFIG_PATH"] = str(next(folder.rglob("accel.pc")).parent)
    os.environ["PKG_CONFIG_SYSROOT_DIR"] = str(folder)
    query = ["pkg-config", "--cflags", "--libs", "accel"]
    flags = expect(toolchain.run(query), " ".join(query)).stdout.split()
    sourcefile = folder / "implementation.c"
    sourcefile.write_text(IMPLEMENTATION, encoding="utf-8")
    binary = folder / "user"
    # From another folder, so that nothing but the flags leads to the headers.
    shutil.copy(USER, folder)
    command = [compiler, str(folder / "user.c"), str(sourcefile), "-o", str(binary), *flags]
    expect(toolchain.run(command), "a program built with the flags of pkg-config")
    expect(toolchain.run([str(binary)]), "that program")
    if toolchain.has_hiredis():
        check_installed_backend(folder, compiler, "redis")
    if toolchain.has_otlp():
        check_installed_backend(folder, compiler, "otlp")


def check_installed_backend(folder, compiler, backend):
    query = ["pkg-config", "--cflags", "--libs", f"accel-{backend}"]
    flags = expect(toolchain.run(query), " ".join(query)).stdout.split()
    text = f"{IMPLEMENTATION}#include <accel_backends/{backend}.h>\n"
    text += "int main(void) { return 0; }\n"
    command = [compiler, "-std=gnu11", "-x", "c", "-", "-x", "none", "-o", str(folder / backend)]
    what = f"a program with {backend}.h, by pkg-config's flags"
    expect(toolchain.run([*command, *flags], text), what)


def check_subproject(folder):
    (folder / "meson.build").write_text(PROJECT, encoding="utf-8")
    (folder / "implementation.c").write_text(IMPLEMENTATION, encoding="utf-8")
    shutil.copy(USER, folder)
    (folder / "subprojects").mkdir()
    (folder / "subprojects" / "accel").symlink_to(sources.ROOT)
    expect(toolchain.run(["meson", "setup", str(folder / "build"), str(folder)]), "a subproject")
    expect(toolchain.run(["ninja", "-C", str(folder / "build")]), "a program built with it")
    expect(toolchain.run([str(folder / "build" / "user")]), "that program")


with tempfile.TemporaryDirectory() as name:
    for part in ("subproject", "installed"):
        (pathlib.Path(name) / part).mkdir()
    check_subproject(pathlib.Path(name) / "subproject")
    check_installed(pathlib.Path(name) / "installed", toolchain.c_compilers()[0])
