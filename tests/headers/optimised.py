"""The implementation compiles without a warning as far as compilers optimise it.

What a compiler inlines it sees through, and warns of what it then cannot rule out: so this
compiles to objects, with assertions, which rule something out, and without them.
"""

import functools
import pathlib
import tempfile

import sources
import toolchain

IMPLEMENTATION = '#define ACCEL_IMPLEMENTATION\n#include "accel.h"\n'
IMPLEMENTATION += '#include "accel_backends/fake.h"\n'
if toolchain.has_hiredis():
    IMPLEMENTATION += '#include "accel_backends/redis.h"\n'
if toolchain.has_otlp():
    IMPLEMENTATION += '#include "accel_backends/otlp.h"\n'


def compile_optimised(compiler, flags, folder):
    output = folder / ("_".join([compiler, *flags]) + ".o")
    flags = ["-std=gnu11", *toolchain.STRICT_C, *flags]
    return toolchain.compile_object(compiler, flags, IMPLEMENTATION, output)


with tempfile.TemporaryDirectory() as name:
    kinds = [(compiler, flags) for compiler in toolchain.c_compilers()
             for flags in (["-O3"], ["-O3", "-DNDEBUG"])]  # fmt: skip
    jobs = [functools.partial(compile_optimised, *kind, pathlib.Path(name)) for kind in kinds]
    for (compiler, flags), result in zip(kinds, toolchain.run_all(jobs)):
        if result.returncode != 0:
            what = f"does not compile: {compiler} {' '.join(flags)}\n{result.stderr}"
            sources.report(sources.ROOT / "accel.h", 1, what)
    sources.finish(f"{len(kinds)} compilations")
