"""The files for continuous integration: well-formed, every script in them is a script, nothing that
strangers write gets into one, what they call is there, a check that may be required always comes,
and all tests are run. workflows_run.py runs them.

usage: workflows.py ROOT [ACCEL_GATE]
"""

import pathlib
import re
import subprocess
import sys

try:
    import yaml
except ImportError:
    print("python3-yaml is not installed")
    sys.exit(77)

ROOT = pathlib.Path(sys.argv[1])
GATE = sys.argv[2] if len(sys.argv) > 2 else None
findings = []


def report(path, text):
    findings.append(f"{path.relative_to(ROOT)}: {text}")


class Strict(yaml.SafeLoader):
    """Refuses a key that stands twice."""


def construct_mapping(loader, node):
    keys = [loader.construct_object(key) for key, _ in node.value]
    twice = {str(key) for key in keys if keys.count(key) > 1}
    if twice:
        raise yaml.YAMLError(f"line {node.start_mark.line + 1}: twice: {', '.join(twice)}")
    return loader.construct_mapping(node, deep=True)


Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, construct_mapping)


def load(path):
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Strict)
    except yaml.YAMLError as error:
        report(path, f"is not YAML: {error}")
        return {}


def gate_options(command):
    """The options that `accel-gate COMMAND --help` names; None: it cannot be asked."""
    if GATE is None:
        return None
    done = subprocess.run([GATE, command, "--help"], capture_output=True, text=True, check=False)
    return set(re.findall(r"--[a-z][\w-]*", done.stdout)) if done.returncode == 0 else set()


def check_script(path, name, script):
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        report(path, f"{name}: {done.stderr.strip()}")
    if "${{" in script:
        report(path, f"{name}: an expression in a script; hand it over by env")
    joined = script.replace("\\\n", " ")
    for tool in re.findall(r"(?<![\w/])tools/[\w.-]+\.\w+", joined):
        if not (ROOT / tool).is_file():
            report(path, f"{name}: {tool} does not exist")
    for command in re.findall(r"tools/bench_ci\.sh ([a-z]+)", joined):
        if f"bench_{command}()" not in (ROOT / "tools/bench_ci.sh").read_text(encoding="utf-8"):
            report(path, f"{name}: bench_ci.sh has no command {command}")
    for command, rest in re.findall(r"tools/accel-gate ([a-z]+)([^|;]*)", joined):
        known = gate_options(command)
        for option in re.findall(r"(?<=\s)--[a-z][\w-]*", rest):
            if known is not None and option not in known:
                report(path, f"{name}: accel-gate {command} has no {option}")


def check_github(path):
    value = load(path)
    for key in ("name", "permissions", "jobs"):
        if key not in value:
            report(path, f"says nothing about {key}")
    if True not in value and "on" not in value:  # YAML 1.1 reads a bare `on` as true
        report(path, "says nothing about when it runs")
    events = value.get(True, value.get("on")) or {}
    if "pull_request" in events:
        if (events["pull_request"] or {}).get("paths"):
            report(path, "a required check that a path filter keeps away is waited for for ever")
        if "merge_group" not in events:
            report(path, "a merge queue waits for it for ever")
    for job_name, job in value.get("jobs", {}).items():
        if "timeout-minutes" not in job:
            report(path, f"{job_name} may run for ever")
        for number, step in enumerate(job.get("steps", []), 1):
            name = f"{job_name}, step {number}"
            if ("uses" in step) == ("run" in step):
                report(path, f"{name} needs either uses or run")
            if "uses" in step and not re.fullmatch(r"[\w-]+/[\w./-]+@v\d+", step["uses"]):
                report(path, f"{name}: {step['uses']} names no version")
            if step.get("continue-on-error"):
                report(path, f"{name}: hides every failure, also that nothing was judged")
            if "run" in step:
                check_script(path, name, step["run"])


def shell_list(script, pattern):
    """The words that a script of the project lists."""
    return set(re.search(pattern, (ROOT / script).read_text(encoding="utf-8"))[1].split())


def check_tests(path):
    """The tests run on every change, with both compilers, and every long form once a week."""
    value = load(path)
    events = value.get(True) or {}
    for event in ("push", "pull_request", "schedule"):
        if event not in events:
            report(path, f"does not run on {event}")
    jobs = value.get("jobs", {})
    compilers, forms, scripts = set(), set(), []
    for job in jobs.values():
        matrix = job.get("strategy", {}).get("matrix", {})
        script = "\n".join(step.get("run", "") for step in job["steps"])
        scripts += script.splitlines()
        if "tools/test.sh" in script:
            compilers |= set(matrix.get("compiler", ()))
        if "tools/soak.sh" in script:
            forms |= set(matrix.get("form", ()))
    if compilers != {"gcc", "clang"}:
        report(path, f"runs the first tier with {sorted(compilers)}, and not with gcc and clang")
    if ".ci/run" not in scripts:
        report(path, "does not run .ci/run as a whole")
    if not any(line.startswith("tools/coverage.sh") for line in scripts):
        report(path, "does not measure coverage")
    wanted = shell_list("tools/soak.sh", r"\|\| forms=\(([^)]*)\)")
    if forms != wanted:
        report(path, f"runs the long forms {sorted(forms)}, and not {sorted(wanted)}")


def check_gitlab(path):
    for name, job in load(path).items():
        for number, line in enumerate(job.get("script", []), 1):
            check_script(path, f"{name}, line {number}", line)


github = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
gitlab = [ROOT / "docs" / "benchmarks" / "gitlab-ci.yml"]
if len(github) < 5:
    findings.append(f"there are {len(github)} workflows")
for each in github:
    check_github(each)
check_tests(ROOT / ".github" / "workflows" / "ci.yml")
for each in gitlab:
    check_gitlab(each)
for finding in findings:
    print(finding)
asked = "asked" if GATE else "not built, so not asked for its options"
print(f"{len(findings)} findings; {len(github) + len(gitlab)} files; accel-gate: {asked}")
sys.exit(1 if findings else 0)
