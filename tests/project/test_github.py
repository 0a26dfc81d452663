"""Files for GitHub: workflows, dependabot, issue templates, CITATION.cff."""

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


class Strict(yaml.SafeLoader):
    """YAML as GitHub reads it: `on` is a word, and no key may occur twice."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"twice in one mapping: {keys}"
        return super().construct_mapping(node, deep)


Strict.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:bool"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path):
    return yaml.load(path.read_text(), Strict)


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@each_workflow
def test_workflows_may_only_read_and_come_to_an_end(path):
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 90
    assert "pull_request_target" not in workflow["on"]


def test_actions_are_pinned_by_commit():
    """With the release behind it, which dependabot reads and updates."""
    lines = [x for path in WORKFLOWS for x in path.read_text().splitlines()]
    used = {re.split("uses: ", x)[1] for x in lines if "uses: " in x}
    pin = r"[\w.-]+/[\w.-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+"
    assert [action for action in used if not re.fullmatch(pin, action)] == []
    # The same action is the same commit everywhere.
    names = [action.partition("@")[0] for action in used]
    assert len(names) == len(set(names)) >= 5


def test_the_image_is_tested_as_binder_makes_and_limits_it():
    jobs = read(GITHUB / "workflows" / "ci.yml")["jobs"]
    for name in ("binder", "image"):
        assert jobs[name]["if"] == "github.event_name != 'pull_request'"
    build, notebooks = (step["run"] for step in jobs["binder"]["steps"][1:])
    assert "-r .github/requirements.txt" in build
    pins = (GITHUB / "requirements.txt").read_text()
    assert re.fullmatch(r"jupyter-repo2docker==[\d.]+\n", pins)
    for limit in ("--network none", "--memory 2g", "--memory-swap 2g"):
        assert limit in notebooks
    assert "make test-image" in [step.get("run") for step in jobs["image"]["steps"]]
    assert "--privileged" in jobs["image"]["container"]["options"]


@each_workflow
def test_what_a_workflow_calls_is_in_the_project(path):
    commands = [
        shlex.split(line)
        for step in steps(read(path))
        for line in step.get("run", "").splitlines()
    ]
    targets = set(re.findall(r"(?m)^([a-z-]+):.*##", (ROOT / "Makefile").read_text()))
    for command in commands:
        if command[0] == "make":
            assert command[1] in targets
        for word in command:
            if word.startswith(("tools/", ".ci/")):
                assert (ROOT / word).is_file()


def test_the_cache_of_a_workflow_is_where_set_up_keeps_packages():
    workflow = read(GITHUB / "workflows" / "ci.yml")
    debian = workflow["jobs"]["debian"]
    assert {12, 13} == set(debian["strategy"]["matrix"]["release"])
    assert ".ci/run" in [step.get("run") for step in debian["steps"]]
    [cache] = [step for step in debian["steps"] if "cache" in step.get("uses", "")]
    assert debian["env"]["UV_CACHE_DIR"] == cache["with"]["path"]
    assert "requirements*.txt" in cache["with"]["key"]
    # Once a week nothing is cached, to find problems that a cache hides.
    assert "schedule" in workflow["on"]
    assert cache["if"] == "github.event_name != 'schedule'"


def test_dependabot_does_not_propose_what_the_lists_forbid():
    """These are pinned by hand in a list, or chosen by tools/lock.sh."""
    updates = read(GITHUB / "dependabot.yml")["updates"]
    [update] = [u for u in updates if u["package-ecosystem"] == "pip"]
    left_alone = {entry["dependency-name"] for entry in update["ignore"]}
    lists = (ROOT / "requirements.in", ROOT / "requirements-jax.in")
    wanted = "".join(path.read_text() for path in lists)
    assert {"rpy2-rinterface", "rpy2-robjects", "pandas", "numpy"} <= left_alone
    for name in left_alone - {"numpy"}:
        assert re.search(rf"(?m)^{name}(==|<)", wanted), f"{name} is not held back"


def test_the_command_in_the_form_for_a_number_prints_machine_json():
    form = read(GITHUB / "ISSUE_TEMPLATE" / "number.yml")
    [part] = [part for part in form["body"] if part.get("id") == "machine"]
    text = part["attributes"]["description"]
    [command] = re.findall("`python3 tools/setup.py --exec (.*)`", text)
    result = subprocess.run(
        shlex.split(command), cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert len(json.loads(result.stdout)) > 5


def test_the_command_to_contribute_a_timing_exists():
    text = (GITHUB / "ISSUE_TEMPLATE" / "timing.yml").read_text()
    [command] = re.findall(r"setup.py --exec (python -m .* contribute)", text)
    result = subprocess.run(
        [*shlex.split(command), "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0
    assert "campaign" in result.stdout


def test_the_citation_has_the_version_of_both_companions():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    python = tomllib.loads((ROOT / "python" / "pyproject.toml").read_text())["project"][
        "version"
    ]
    r = re.search(r"(?m)^Version: (\S+)", (ROOT / "r" / "DESCRIPTION").read_text())[1]
    assert str(citation["version"]) == python == r
