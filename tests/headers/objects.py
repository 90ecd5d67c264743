"""Several shared objects in one program: each has an accel of its own, or, if asked, shares one.

Two objects with the implementation, of which one counts what its own hooks allocate, are linked
into one program, into one that exports its own implementation, and opened by RTLD_GLOBAL. In all
of them the counted allocations are those of the object that counts. With ACCEL_API a plugin uses
the program's accel. A static library's caches are used by another file.
"""

import functools
import pathlib
import subprocess
import sys
import tempfile

import toolchain

IMPLEMENTATION = '#define ACCEL_IMPLEMENTATION\n#include "accel.h"\n'
HOOKS = """\
#include <stdlib.h>
static long made;
static void *count_alloc(size_t size) { made++; return malloc(size); }
static void *count_realloc(void *old, size_t size) { made++; return realloc(old, size); }
#define ACCEL_MALLOC count_alloc
#define ACCEL_REALLOC count_realloc
"""
USE = """\
ACCEL_DEFINE_STR(number, long)
long NAME(void);
long NAME(void)
{
  number_cache cache;
  accel_config config = {.area = "number", .capacity = 100};
  long value = 7, out = 0;
  if (number_cache_open(&cache, &config) != ACCEL_OK) return -1;
  accel_ignore(number_cache_set(&cache, "a key", &value));
  if (number_cache_get(&cache, "a key", &out) != ACCEL_OK) out = -2;
  number_cache_close(&cache);
  return out == 7 ? MADE : out;
}
"""
PLAIN = IMPLEMENTATION + "#define NAME plain\n#define MADE 1\n" + USE
COUNTED = HOOKS + IMPLEMENTATION + "#define NAME counted\n#define MADE made\n" + USE
# The plain object runs first, and would lend its functions to the other.
MAIN = """\
long plain(void);
long counted(void);
int main(void) { return plain() == 1 && counted() > 3 ? 0 : 1; }
"""
MAIN_WITH_OWN = IMPLEMENTATION + "#define NAME own\n#define MADE 1\n" + USE + MAIN.replace(
    "return plain()", "return own() == 1 && plain()")
OPENER = """\
#include <dlfcn.h>
int main(int count, char **paths)
{
  long sum = 0;
  for (int i = 1; i < count; i += 2) {
    void *object = dlopen(paths[i], RTLD_NOW | RTLD_GLOBAL);
    if (object == 0) return 2;
    long (*run)(void) = (long (*)(void))dlsym(object, paths[i + 1]);
    const long made = run();
    if (made < (i == 1 ? 1 : 4)) return 3;
    sum += made;
  }
  return sum > 4 ? 0 : 4;
}
"""
HOST = '#define ACCEL_API\n' + IMPLEMENTATION + """\
#include <dlfcn.h>
int main(int count, char **paths)
{
  void *object = count > 1 ? dlopen(paths[1], RTLD_NOW) : 0;
  if (object == 0) return 2;
  return ((long (*)(void))dlsym(object, "guest"))() == 1 ? 0 : 3;
}
"""
GUEST = '#define ACCEL_API\n#include "accel.h"\n#define NAME guest\n#define MADE 1\n' + USE
FLAGS = ["-std=gnu11", "-O1", "-Wno-pedantic", "-I."]


def build(compiler, text, output, *more):
    command = [compiler, *FLAGS, "-x", "c", "-", "-x", "none", *more, "-o", str(output)]
    return toolchain.run([*command, "-pthread", "-ldl"], text)


def run(command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False)  # fmt: skip


def cases(compiler, folder):
    """Yields (what, the process that did it)."""
    shared = ("-shared", "-fPIC")
    plain, counted = folder / "libplain.so", folder / "libcounted.so"
    yield "an object", build(compiler, PLAIN, plain, *shared)
    yield "one with other hooks", build(compiler, COUNTED, counted, *shared)
    program = folder / "program"
    yield "a program of both", build(compiler, MAIN, program, str(plain), str(counted),
                                     f"-Wl,-rpath,{folder}")
    yield "each uses its own", run([program])
    yield "a program with its own", build(compiler, MAIN_WITH_OWN, program, str(plain),
                                          str(counted), "-rdynamic", f"-Wl,-rpath,{folder}")
    yield "each uses its own, the program too", run([program])
    yield "a program that opens", build(compiler, OPENER, program)
    yield "RTLD_GLOBAL gives nothing away", run([program, plain, "plain", counted, "counted"])
    guest = folder / "guest.so"
    yield "a guest that brings none", build(compiler, GUEST, guest, *shared)
    yield "a host that exports", build(compiler, HOST, program, "-rdynamic")
    yield "the guest uses the host's", run([program, guest])
    archive = folder / "libone.a"
    yield "a file of an archive", build(compiler, IMPLEMENTATION, folder / "one.o", "-c")
    yield "an archive", run(["ar", "rcs", archive, folder / "one.o"])
    main = '#include "accel.h"\n#define NAME own\n#define MADE 1\n' + USE
    main += "int main(void) { return own() == 1 ? 0 : 1; }\n"
    yield "a program with it", build(compiler, main, program, str(archive))
    yield "that program", run([program])
    listing = run(["nm", "-D", "--defined-only", plain])
    exported = [line for line in listing.stdout.splitlines() if " accel_" in line]
    yield f"nothing is exported: {exported[:3]}", run(["test", str(len(exported)), "-eq", "0"])


def check(compiler):
    with tempfile.TemporaryDirectory() as name:
        for what, result in cases(compiler, pathlib.Path(name)):
            if result.returncode != 0:
                return f"not ok: {compiler}: {what}\n{result.stderr}"
    return f"ok: {compiler}"


answers = toolchain.run_all([functools.partial(check, one) for one in toolchain.c_compilers()])
print("\n".join(answers))
sys.exit(0 if all(answer.startswith("ok") for answer in answers) else 1)
