"""What GitHub reads: workflows, dependabot, issue templates, CITATION.cff."""

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
TEMPLATES = sorted(
    path
    for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml")
    if path.name != "config.yml"
)

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
each_template = pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)


class Strict(yaml.SafeLoader):
    """YAML as GitHub reads it: `on` is a word, and no key may stand twice."""

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


def test_every_file_is_yaml():
    files = [path for path in GITHUB.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".yml"}
    for path in [*files, ROOT / "CITATION.cff"]:
        assert isinstance(read(path), dict), path


@each_workflow
def test_workflows_may_only_read_and_come_to_an_end(path):
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 90
    assert "pull_request_target" not in workflow["on"]


@each_workflow
def test_actions_are_pinned_by_major_version(path):
    used = [step["uses"] for step in steps(read(path)) if "uses" in step]
    assert used
    assert [
        action for action in used if not re.fullmatch(r"[\w.-]+/[\w.-]+@v\d+", action)
    ] == []


@each_workflow
def test_the_scripts_of_a_workflow_are_shell(path):
    for step in steps(read(path)):
        if "run" in step:
            subprocess.run(["bash", "-n"], input=step["run"], text=True, check=True)


@each_workflow
def test_what_a_workflow_calls_is_in_the_project(path):
    commands = [
        shlex.split(line)
        for step in steps(read(path))
        for line in step.get("run", "").splitlines()
    ]
    targets = set(re.findall(r"(?m)^([a-z]+):.*##", (ROOT / "Makefile").read_text()))
    for command in commands:
        if command[0] == "make":
            assert command[1] in targets
        for word in command:
            if word.startswith(("tools/", ".ci/")):
                assert (ROOT / word).is_file()


def test_the_tests_run_on_debian_and_in_conda_and_once_a_week_without_a_cache():
    workflow = read(GITHUB / "workflows" / "ci.yml")
    assert {"push", "pull_request", "schedule"} <= set(workflow["on"])
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", workflow["on"]["schedule"][0]["cron"])
    debian, conda = workflow["jobs"]["debian"], workflow["jobs"]["conda"]
    assert debian["container"].startswith("debian:")
    assert 12 in debian["strategy"]["matrix"]["release"]
    assert ".ci/run" in [step.get("run") for step in debian["steps"]]
    assert "make test" in [step.get("run") for step in conda["steps"]]
    [chosen] = [
        step["with"]
        for step in conda["steps"]
        if "setup-miniconda" in step.get("uses", "")
    ]
    name = read(ROOT / "environment.yml")["name"]
    assert (chosen["environment-file"], chosen["activate-environment"]) == (
        "environment.yml",
        name,
    )
    caches = [
        step
        for step in steps(workflow)
        if step.get("uses", "").startswith("actions/cache@")
    ]
    assert len(caches) == 2
    assert {step["if"] for step in caches} == {"github.event_name != 'schedule'"}
    # In a container the home is the host's user's, and root's pip keeps nothing there.
    assert debian["env"]["PIP_CACHE_DIR"].startswith("/root/")
    assert debian["env"]["PIP_CACHE_DIR"] in [step["with"]["path"] for step in caches]


def test_binders_image_is_made_and_its_notebooks_run_under_its_limits():
    run = " ".join(
        step.get("run", "")
        for step in read(GITHUB / "workflows" / "ci.yml")["jobs"]["binder"]["steps"]
    )
    assert "repo2docker --no-run" in run
    assert "--network none --memory 2g --memory-swap 2g" in run


def test_dependabot_looks_after_python_and_the_actions():
    settings = read(GITHUB / "dependabot.yml")
    assert str(settings["version"]) == "2"
    updates = {update["package-ecosystem"]: update for update in settings["updates"]}
    assert set(updates) == {"pip", "github-actions"}
    for update in updates.values():
        assert update["schedule"]["interval"] in ("daily", "weekly", "monthly")


def test_dependabot_does_not_propose_what_the_lists_forbid():
    """Pinned by hand in requirements.in for a reason, or chosen by tools/lock.py."""
    [update] = [
        u
        for u in read(GITHUB / "dependabot.yml")["updates"]
        if u["package-ecosystem"] == "pip"
    ]
    left_alone = {entry["dependency-name"] for entry in update["ignore"]}
    wanted = (ROOT / "requirements.in").read_text()
    assert {"rpy2-rinterface", "rpy2-robjects", "pandas", "numpy"} <= left_alone
    for name in left_alone - {"numpy"}:
        assert re.search(rf"(?m)^{name}(==|<)", wanted), (
            f"{name} is no longer held back in requirements.in"
        )


KINDS = {"markdown", "input", "textarea", "dropdown", "checkboxes"}


@each_template
def test_issue_templates_have_what_github_asks_for(path):
    form = read(path)
    assert all(form[key] for key in ("name", "description", "body"))
    asked = [part for part in form["body"] if part["type"] != "markdown"]
    assert {part["type"] for part in form["body"]} <= KINDS
    assert all(part["attributes"]["label"] for part in asked)
    ids = [part["id"] for part in asked]
    assert len(ids) == len(set(ids))
    assert any(part.get("validations", {}).get("required") for part in asked)


def test_there_is_a_form_for_a_number_and_one_for_a_timing():
    assert [read(path)["name"] for path in TEMPLATES] == [
        "A number I cannot reproduce",
        "A timing to contribute",
    ]


def test_who_cannot_reproduce_a_number_is_asked_for_machine_json_and_the_command_prints_it():
    form = read(GITHUB / "ISSUE_TEMPLATE" / "number.yml")
    [part] = [part for part in form["body"] if part.get("id") == "machine"]
    assert part["attributes"]["label"] == "machine.json"
    assert part["validations"]["required"] in (True, "true")
    command = re.search(
        "`(python3 tools/setup.py .*)`", part["attributes"]["description"]
    )[1]
    result = subprocess.run(
        shlex.split(command), cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert len(json.loads(result.stdout[result.stdout.index("{") :])) > 5


def test_the_command_to_contribute_a_timing_exists():
    text = (GITHUB / "ISSUE_TEMPLATE" / "timing.yml").read_text()
    command = shlex.split(
        re.search("python3 tools/setup.py --exec (python -m .* contribute)", text)[1]
    )
    result = subprocess.run(
        [*command, "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0
    assert "campaign" in result.stdout


def test_the_citation_has_the_version_of_both_companions():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors", "version", "license"} <= set(
        citation
    )
    assert citation["authors"] == [{"name": "Keras, side by side contributors"}]
    python = tomllib.loads((ROOT / "python" / "pyproject.toml").read_text())["project"][
        "version"
    ]
    r = re.search(r"(?m)^Version: (\S+)", (ROOT / "r" / "DESCRIPTION").read_text())[1]
    assert str(citation["version"]) == python == r
