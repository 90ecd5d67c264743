"""Runs an example beside the receiver, and checks what the receiver was sent.

usage: with_receiver.py DECODER PROGRAM

Exit status 77 without the decoder.
"""

import json
import os
import pathlib
import subprocess
import sys

PREFIX = "ACCELERATOR_CLICKSTACK_OTLP_"
SECRET = "Bearer key, 1"
decoder, program = pathlib.Path(sys.argv[1]), sys.argv[2]
modules = decoder / "node_modules"
if not modules.is_dir():
    why = decoder.with_name("decoder.stamp").read_text(encoding="utf-8").strip()
    print(f"skipped: there is no decoder of OTLP: {why}")
    sys.exit(77)


def environment(**more):
    bare = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return {**bare, "no_proxy": "*", **{PREFIX + name: value for name, value in more.items()}}


def run(**variables):
    return subprocess.run([program], env=environment(**variables), capture_output=True, text=True,
                          check=False, timeout=300)  # fmt: skip


def expect(is_right, what, shown):
    print(f"{'ok' if is_right else 'not ok'}: {what}")
    if not is_right:
        sys.exit(str(shown))


script = pathlib.Path(__file__).resolve().parent / "receiver.js"
with subprocess.Popen(
    ["node", script, "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    env={**os.environ, "NODE_PATH": str(modules)},
) as receiver:  # fmt: skip
    port = receiver.stdout.readline().split()[1]
    done = run(ENDPOINT=f"http://127.0.0.1:{port}", TRANSPORT="http", AUTHORIZATION=SECRET)
    lines, _ = receiver.communicate()

requests = [json.loads(line) for line in lines.splitlines()]
sent = json.dumps(requests)
expect(done.returncode == 0, "the example ends well", done)
expect(SECRET not in done.stdout + done.stderr, "it does not print the key", done)
expect("accelerator-example" in done.stdout, "it says where to look", done)
expect(all("wrong" not in each for each in requests), "no request was wrong", requests)
for path in ("/v1/metrics", "/v1/traces", "/v1/logs"):
    expect(any(each["path"] == path for each in requests), f"something came to {path}", sent)
expect(all(each["headers"]["authorization"] == SECRET for each in requests), "the key came", sent)
for name in ("accelerator-example", "accelerator_cache_local_hit_total", "cache.get", "cache.mget",
             "cache.load", "cache.del"):  # fmt: skip
    expect(f'"{name}"' in sent, f"{name} came", sent)

done = run(ENDPOINT=f"http://127.0.0.1:{port}", TRANSPORT="grpc")
told = done.returncode == 1 and "http" in done.stderr and f"{PREFIX}ENDPOINT" in done.stderr
expect(told, "grpc is told what to set instead", done)
done = run(ENDPOINT=f"http://127.0.0.1:{port}")
expect(done.returncode == 0 and "no receiver" in done.stdout, "without one it ends well", done)
done = run(ENDPOINT="localhost")
expect(done.returncode == 1 and "endpoint" in done.stdout + done.stderr, "what is no URL", done)
