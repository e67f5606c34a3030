"""`make deploy`: what it asks, what it keeps, and what it tells SAM CLI."""

import os
import pty
import re
import select
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import deploy
from scripts.deploy import Answers, DeployError, collect, command, keep, stages

ROOT = Path(__file__).parents[2]
SAMCONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
STAGES = ["dev", "staging", "prod"]
ALL = {"STAGE": "staging", "REGION": "eu-west-1", "EMAIL": "ops@example.com"}
STAGING = Answers("staging", "eu-west-1", "ops@example.com")


def asked(answers: str) -> tuple[list[str], deploy.Ask]:
    """What was asked so far, and somebody who gives these answers, one for each letter or word."""
    questions: list[str] = []
    lines = iter(answers.split("|"))

    def ask(question: str) -> str:
        questions.append(question)
        return next(lines)

    return questions, ask


def test_config_has_three_stages() -> None:
    assert stages(SAMCONFIG) == STAGES


def test_stages_differ_in_nothing_but_their_names() -> None:
    """SAM CLI inherits nothing from one environment to another, so each says everything."""
    stripped = [
        re.sub(rf"{stack}|AppsFlyerRelay(/{stack})?", "", str(SAMCONFIG[stage]["deploy"]))
        for stage in STAGES
        for stack in [deploy.deploy_settings(SAMCONFIG[stage])["stack_name"]]
    ]

    assert len(set(stripped)) == 1
    assert all(SAMCONFIG[stage]["global"] == SAMCONFIG["default"]["global"] for stage in STAGES)


def test_plain_sam_deploy_has_no_stack_to_change() -> None:
    assert "deploy" not in SAMCONFIG["default"]


def test_everything_given_is_asked_for_nowhere() -> None:
    assert collect(ALL, {}, STAGES, "", None) == STAGING


def test_nothing_given_asks_three_things_and_enter_will_do() -> None:
    questions, ask = asked("||")

    assert collect({}, {}, STAGES, "", ask) == Answers("dev", "us-east-1", "")
    assert len(questions) == 3


def test_region_of_the_aws_settings_is_proposed_and_used_where_nobody_can_be_asked() -> None:
    _, ask = asked("||")

    assert collect({}, {}, STAGES, "eu-central-1", ask).region == "eu-central-1"
    assert collect({"STAGE": "dev"}, {}, STAGES, "eu-central-1", None).region == "eu-central-1"


def test_what_was_kept_is_not_asked_for_again() -> None:
    questions, ask = asked("staging")

    assert collect({}, tomllib.loads(keep({}, STAGING)), STAGES, "", ask) == STAGING
    assert len(questions) == 1


def test_what_is_given_comes_before_what_was_kept() -> None:
    kept = {"staging": {"region": "us-east-1", "email": "dev@example.com"}}

    assert collect(ALL, kept, STAGES, "us-west-2", None) == STAGING


def test_stages_are_kept_apart() -> None:
    text = keep({"dev": {"region": "us-east-1", "email": ""}}, STAGING)

    assert tomllib.loads(text) == {
        "dev": {"region": "us-east-1", "email": ""},
        "staging": {"region": "eu-west-1", "email": "ops@example.com"},
    }


def test_wrong_answer_is_asked_for_again(capsys: pytest.CaptureFixture[str]) -> None:
    questions, ask = asked("production|prod|Ireland|eu-west-1|ops|ops@example.com")

    assert collect({}, {}, STAGES, "", ask) == Answers("prod", "eu-west-1", "ops@example.com")
    assert len(questions) == 6
    assert "dev, staging, prod" in capsys.readouterr().err


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"STAGE": ""},
        {"STAGE": "production", "REGION": "eu-west-1"},
        {"STAGE": "dev"},
        {"STAGE": "dev", "REGION": "Ireland"},
        {"STAGE": "dev", "REGION": "eu-west-1", "EMAIL": "ops"},
        {"STAGE": "dev", "REGION": "eu-west-1", "EMAIL": 'a"@example.com'},
    ],
)
def test_what_is_missing_or_wrong_without_a_terminal_deploys_nothing(given: dict[str, str]) -> None:
    with pytest.raises(DeployError):
        collect(given, {}, STAGES, "", None)


@pytest.mark.parametrize(
    ("email", "told"),
    [
        ("ops@example.com", ['AlarmEmail="ops@example.com"']),
        ("none", ['AlarmEmail=""']),
        ("", []),
    ],
)
def test_command_names_all_parameters_of_the_stage_and_the_address(
    email: str, told: list[str]
) -> None:
    """On the command line, parameters take the place of samconfig.toml's."""
    call = command(Answers("staging", "eu-west-1", email), SAMCONFIG, preview=False)
    at = call.index("--parameter-overrides")

    assert call[1:at] == ["deploy", "--config-env", "staging", "--region", "eu-west-1"]
    assert call[at + 1 :] == [
        *SAMCONFIG["staging"]["deploy"]["parameters"]["parameter_overrides"],
        *told,
    ]


def test_command_is_never_guided_and_never_stops_to_ask() -> None:
    settings = SAMCONFIG["prod"]["deploy"]["parameters"]

    assert "--guided" not in command(STAGING, SAMCONFIG, preview=True)
    assert command(STAGING, SAMCONFIG, preview=True)[-1] == "--no-execute-changeset"
    assert (settings["confirm_changeset"], settings["fail_on_empty_changeset"]) == (False, False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what `make deploy` is made of, with a SAM CLI that notes how it was called."""
    for name in ("Makefile", "samconfig.toml", "scripts/deploy.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"))
    (tmp_path / "scripts/setup").write_text("#!/bin/sh\n")
    (tmp_path / "scripts/setup").chmod(0o755)
    (tmp_path / ".venv-sam/bin").mkdir(parents=True)
    (tmp_path / ".venv-sam/bin/sam").write_text('#!/bin/sh\necho "$@" >>calls\n')
    (tmp_path / ".venv-sam/bin/sam").chmod(0o755)
    return tmp_path


def environment() -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "EMAIL": "git@example.com",
    }


def test_make_deploy_without_a_terminal_asks_nothing(project: Path) -> None:
    words = [f"{name}={value}" for name, value in ALL.items()]
    call = ["make", "deploy", f"PYTHON={sys.executable}", *words]
    done = subprocess.run(
        call,
        cwd=project,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert (project / "calls").read_text().splitlines() == [
        "build",
        " ".join(command(STAGING, SAMCONFIG, preview=False)[1:]),
    ]
    assert "ops@example.com" in done.stdout
    assert tomllib.loads((project / deploy.KEPT).read_text())["staging"]["region"] == "eu-west-1"


def test_make_deploy_on_a_terminal_asks_three_things(project: Path) -> None:
    """An address in the environment is git's, and is not taken."""
    call = ["make", "deploy", f"PYTHON={sys.executable}"]
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        call, cwd=project, env=environment(), stdin=terminal, stdout=terminal, stderr=terminal
    ) as process:
        os.close(terminal)
        os.write(controller, b"\n\n\n")
        screen = "".join(read_all(controller))
    os.close(controller)

    assert process.returncode == 0, screen
    assert screen.count("]: ") + screen.count("): ") == 3
    assert "git@example.com" not in (project / "calls").read_text()
    assert "--config-env dev --region us-east-1" in (project / "calls").read_text()


def test_failed_build_is_shown_and_nothing_is_deployed(project: Path) -> None:
    (project / ".venv-sam/bin/sam").write_text("#!/bin/sh\necho no wheel >&2\nexit 1\n")
    call = ["make", "deploy", f"PYTHON={sys.executable}", "STAGE=dev", "REGION=eu-west-1"]
    done = subprocess.run(
        call, cwd=project, env=environment(), capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "no wheel" in done.stderr
    assert "deployed in" not in done.stdout
    assert not (project / deploy.KEPT).exists()


def test_preview_does_not_say_where_the_next_deployment_goes(project: Path) -> None:
    call = ["make", "deploy", f"PYTHON={sys.executable}", "STAGE=dev", "REGION=eu-west-1"]
    subprocess.run([*call, "PREVIEW=1"], cwd=project, env=environment(), check=True)

    assert not (project / deploy.KEPT).exists()


def test_only_a_no_is_no_preview() -> None:
    assert not any(map(deploy.is_preview, ["", "0", "no", "No", "false", "off"]))
    assert all(map(deploy.is_preview, ["1", "yes", "true", "what?"]))


def test_no_address_is_asked_for_again() -> None:
    questions, ask = asked("dev|ops@example.com")
    kept = tomllib.loads(keep({}, Answers("dev", "eu-west-1", "")))

    assert collect({}, kept, STAGES, "", ask).email == "ops@example.com"
    assert len(questions) == 2


def read_all(terminal: int) -> Iterator[str]:
    """What is written to a terminal, until its last writer is gone."""
    while select.select([terminal], [], [], 30.0)[0]:
        try:
            yield os.read(terminal, 4096).decode()
        except OSError:  # how Linux tells that nobody has it open any more
            return


def test_what_was_told_is_no_change_to_what_git_tracks() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()

    assert deploy.KEPT in ignored
