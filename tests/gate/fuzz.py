"""Feeds the gate's readers what libFuzzer makes up, under ASan and UBSan: seconds per reader, 5
unless $FUZZ_SECONDS says otherwise. `fuzz.py PROJECT_ROOT`"""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(sys.argv[1]).resolve()
SECONDS = os.environ.get("FUZZ_SECONDS", "5")
OWN = """{"version":1,"schema":2,"run_id":"1","started":"2026-11-21T07:50:00Z",
"machine":{"cpu":"x"},"skipped":{"r":"no"},"benchmarks":{"a/b":{"mean_ns":1.5,"full_id":"a b",
"params":{"k":1},"metrics":{"time":{"unit":"ns","better":"lower","mean":1.5,"p50":1,"p95":2,"n":3,
"rounds":[1,2,3]}}}}}"""
RECORD = """{"bench_id":"a","metric":"duration_ms","unit":"ms","p50":1,"p95":2,"n":3,
"timestamp":"2026-11-21T07:50:00Z"}"""
GOOGLE = """{"context":{"date":"x"},"benchmarks":[{"name":"a","run_type":"iteration","real_time":5,
"time_unit":"us","items_per_second":7},{"name":"b","error_occurred":true}]}"""
HYPERFINE = '{"results":[{"command":"a","mean":1,"times":[1,2],"memory_usage_byte":[5]}]}'
GO = "pkg: x\nUnit a/s better=higher\nBenchmarkA-8 10 5 ns/op 3 MB/s 1 allocs/op\n"
LIBTEST = "test a ... bench: 1,234.5 ns/iter (+/- 6)\ntest b ... FAILED\n"
SEED = '{"version":1,"benchmarks":{"a":{"mean_ns":-1,"median_ns":2.0}}}'
ESTIMATES = """{"mean":{"point_estimate":5,"confidence_interval":{"lower_bound":4,"upper_bound":6}},
"median":{"point_estimate":5}}"""
READERS = {
    "any": [OWN, RECORD, GOOGLE, HYPERFINE, GO, SEED, LIBTEST],
    "seed": [SEED],
    "estimates": [ESTIMATES],
    "sample": ['{"sampling_mode":"Flat","iters":[1,2],"times":[5,9.5]}'],
    "benchmark": ['{"full_id":"a/b","throughput":{"Elements":3}}'],
}


def build(folder):
    program = folder / "fuzz_readers"
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "jansson"], check=True,
                           capture_output=True, text=True).stdout.split()  # fmt: skip
    sources = [
        path for path in sorted((ROOT / "tools/gate").rglob("*.c"))
        if path.stem.startswith(("base", "record", "read", "json", "file", "write"))
    ] + [ROOT / f"bench/harness/{name}.c" for name in ("arena", "file", "json", "stats", "host")]
    command = ["clang", "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-g",
               "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=undefined",
               "-I", str(ROOT / "tools/gate"), "-I", str(ROOT / "bench"),
               str(ROOT / "tests/gate/fuzz_readers.c"),
               *map(str, sources), *flags, "-lm", "-o", str(program)]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0 and "fuzzer" in result.stderr and "cannot find" in result.stderr:
        print(f"skipped: clang has no libFuzzer here: {result.stderr}")
        sys.exit(77)
    if result.returncode != 0:
        sys.exit(result.stderr)
    return program


def run(program, folder, reader):
    corpus = folder / reader
    corpus.mkdir()
    for i, text in enumerate(READERS[reader]):
        (corpus / str(i)).write_text(text, encoding="utf-8")
    return reader, subprocess.run(
        [program, f"-max_total_time={SECONDS}", "-max_len=4096", "-timeout=10", "-seed=1",
         "-rss_limit_mb=1024", "-print_final_stats=1", f"-artifact_prefix={folder}/", corpus],
        env=os.environ | {"FUZZ_READER": reader}, capture_output=True, text=True, errors="replace",
        check=False,
    )  # fmt: skip


def main():
    if not shutil.which("clang"):
        print("skipped: clang is not installed")
        sys.exit(77)
    failed = False
    with tempfile.TemporaryDirectory(prefix="accel-gate-fuzz-") as name:
        folder = pathlib.Path(name)
        program = build(folder)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for reader, result in pool.map(lambda reader: run(program, folder, reader), READERS):
                lines = result.stderr.splitlines()
                executed = [line for line in lines if "number_of_executed" in line]
                print(reader, result.returncode, *executed)
                if result.returncode != 0:
                    failed = True
                    print(result.stderr[-4000:])
                    for crash in folder.glob("*-*"):
                        print(crash.name, crash.read_bytes() if crash.is_file() else "")
    sys.exit(failed)


main()
