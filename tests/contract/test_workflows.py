""".github/workflows: what runs there is pinned, may do little, and obeys no stranger."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.deploy import deploy_settings
from tests.contract.test_deploy import SAMCONFIG

Json = dict[str, Any]

FOLDER = Path(__file__).parents[2] / ".github" / "workflows"
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.y*ml"))}


class _Loader(yaml.SafeLoader):
    """Reads `on` as the word that it is on GitHub; YAML 1.1 takes it for true."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, regexp) for tag, regexp in found if tag != "tag:yaml.org,2002:bool"]
    for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
WORKFLOWS: dict[str, Json] = {
    name: yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    for name, text in TEXTS.items()
}
EVENTS = {"push", "pull_request", "schedule", "workflow_dispatch"}
"""None of which runs a stranger's code with this repository's rights."""


def jobs() -> Iterator[tuple[str, Json]]:
    for workflow in WORKFLOWS.values():
        yield from workflow["jobs"].items()


def steps() -> Iterator[Json]:
    for _, job in jobs():
        yield from job["steps"]


def test_workflows_check_test_audit_and_deploy() -> None:
    ran = "\n".join(step["run"] for step in steps() if "run" in step)

    assert WORKFLOWS.keys() == {"check", "audit", "deploy"}
    assert all(f"make {word}" in ran for word in ("check", "test", "audit", "deploy"))
    assert {"push", "pull_request"} <= WORKFLOWS["check"]["on"].keys()
    assert "schedule" in WORKFLOWS["audit"]["on"]


def test_every_action_is_pinned_by_its_commit_and_says_its_version() -> None:
    used = [line for text in TEXTS.values() for line in text.splitlines() if "uses:" in line]
    pinned = re.compile(r" *(- )?uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")

    assert used
    assert [line for line in used if not pinned.fullmatch(line)] == []


def test_an_action_is_pinned_to_one_commit_everywhere() -> None:
    used = {step["uses"] for step in steps() if "uses" in step}

    assert len({one.partition("@")[0] for one in used}) == len(used)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow_may_nothing_that_a_job_does_not_ask_for(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}
    assert WORKFLOWS[name]["on"].keys() <= EVENTS


def test_jobs_read_the_code_and_only_the_one_that_deploys_may_become_a_role() -> None:
    asked = {name: job["permissions"] for name, job in jobs()}

    assert asked.pop("deploy") == {"contents": "read", "id-token": "write"}
    assert all(permissions == {"contents": "read"} for permissions in asked.values())


def test_nothing_is_written_into_a_command() -> None:
    """A branch's name or an input could end one command and begin another; variables cannot."""
    assert [step["run"] for step in steps() if "${{" in step.get("run", "")] == []


def test_no_secret_is_used_and_no_token_stays_in_the_working_copy() -> None:
    checkouts = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]

    assert not any("secrets." in text for text in TEXTS.values())
    assert all(step["with"]["persist-credentials"] == "false" for step in checkouts)


def test_a_stage_is_deployed_by_hand_after_the_tests_and_an_approval() -> None:
    deploy = WORKFLOWS["deploy"]
    stages = [name for name, one in SAMCONFIG.items() if deploy_settings(one)]

    assert deploy["on"].keys() == {"workflow_dispatch"}
    assert deploy["on"]["workflow_dispatch"]["inputs"]["stage"]["options"] == stages
    assert deploy["jobs"]["deploy"]["environment"] == "${{ inputs.stage }}"
    assert deploy["jobs"]["deploy"]["needs"] == "check"


def test_every_job_ends_by_itself() -> None:
    assert [name for name, job in jobs() if int(job.get("timeout-minutes", 999)) > 60] == []
