"""`make deploy`: builds, and deploys the template as a stage of samconfig.toml.

    make deploy STAGE=staging REGION=eu-west-1 EMAIL=ops@example.com
    make deploy STAGE=staging PREVIEW=1     # what would change; nothing is changed

Asks for what neither the command line nor an earlier run told, and only on a terminal. What it was
told is kept in deploy.local.toml, which git ignores, once the deployment has succeeded.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError

ROOT = Path(__file__).parents[1]
SAM = str(ROOT / ".venv-sam/bin/sam")
KEPT = "deploy.local.toml"

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_EMAIL = re.compile(r"[^@\s\"\\]+@[^@\s\"\\]+\.[^@\s\"\\]+")
_KEPT_HEAD = (
    "# What `make deploy` was told, by stage. Git ignores it; change or delete it at will.\n"
)

Ask = Callable[[str], str]
Kept = Mapping[str, Mapping[str, str]]


class DeployError(Exception):
    """What was told cannot be used, or something is missing. The message says what to do."""


@dataclass(frozen=True)
class Answers:
    """What to deploy; `email` is "" to leave the stack's own as it is, "none" to take it away."""

    stage: str
    region: str
    email: str


def stages(config: Mapping[str, Any]) -> list[str]:
    """The environments of samconfig.toml that have a stack."""
    return [name for name, one in config.items() if "stack_name" in deploy_settings(one)]


def deploy_settings(environment: Any) -> Mapping[str, Any]:
    """What `sam deploy` reads of an environment; nothing if it is none."""
    if not isinstance(environment, dict):
        return {}
    found: Mapping[str, Any] = environment.get("deploy", {}).get("parameters", {})
    return found


def check_stage(value: str, known: Sequence[str]) -> str:
    """Return the stage; raises DeployError for one that samconfig.toml does not have."""
    if value in known:
        return value
    raise DeployError(f"samconfig.toml has no stage of that name. It has {', '.join(known)}.")


def check_region(value: str) -> str:
    """Return the region; raises DeployError if it has not the form of one."""
    if _REGION.fullmatch(value):
        return value
    raise DeployError("A region looks like eu-west-1.")


def check_email(value: str) -> str:
    """Return the address, "none" or ""; raises DeployError for anything else."""
    if value in ("", "none") or _EMAIL.fullmatch(value):
        return value
    raise DeployError("An e-mail address looks like ops@example.com; none takes it away.")


def collect(
    given: Mapping[str, str], kept: Kept, known: Sequence[str], default_region: str, ask: Ask | None
) -> Answers:
    """What was given, else kept, else asked for; `ask` is None where nobody can be asked.

    Raises DeployError if something given cannot be used, or a stage or region is missing.
    """
    stage = _stage(given, known, ask)
    of_stage = kept.get(stage, {})
    region = _region(given.get("REGION") or of_stage.get("region", ""), stage, default_region, ask)
    return Answers(stage, region, _email(given.get("EMAIL"), of_stage.get("email"), ask))


def _stage(given: Mapping[str, str], known: Sequence[str], ask: Ask | None) -> str:
    if value := given.get("STAGE"):
        return check_stage(value, known)
    if ask is None:
        raise DeployError(f"Which stage? make deploy STAGE={'|'.join(known)} REGION=eu-west-1")
    default = known[0]
    said = f"Stage, one of {', '.join(known)} [{default}]: "
    return _until_right(ask, said, default, lambda value: check_stage(value, known))


def _region(value: str, stage: str, default: str, ask: Ask | None) -> str:
    if value:
        return check_region(value)
    if ask is not None:
        default = default or "us-east-1"
        return _until_right(ask, f"AWS region [{default}]: ", default, check_region)
    if not default:
        raise DeployError(
            f"Which region? make deploy STAGE={stage} REGION=eu-west-1, or set AWS_REGION."
        )
    return check_region(default)


def _email(given: str | None, kept: str | None, ask: Ask | None) -> str:
    if given is not None:
        return check_email(given)
    if kept is not None or ask is None:
        return check_email(kept or "")
    said = "E-mail that alarms go to (Enter: none, or as it is): "
    return _until_right(ask, said, "", check_email)


def _until_right(ask: Ask, said: str, default: str, check: Callable[[str], str]) -> str:
    while True:
        try:
            return check(ask(said).strip() or default)
        except DeployError as error:
            print(error, file=sys.stderr)


def keep(kept: Kept, answers: Answers) -> str:
    """The text of deploy.local.toml with these answers in it."""
    told = {"region": answers.region} | ({"email": answers.email} if answers.email else {})
    sections = {**kept, answers.stage: told}
    return _KEPT_HEAD + "".join(
        f"\n[{stage}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in one.items())
        for stage, one in sections.items()
    )


def command(answers: Answers, config: Mapping[str, Any], *, preview: bool) -> list[str]:
    """The call of `sam deploy`. It asks nothing.

    A parameter that is not named keeps the value that the stack has. Those on the command line take
    the place of all that samconfig.toml names, so these are named again.
    """
    named = deploy_settings(config[answers.stage]).get("parameter_overrides", [])
    values = [named] if isinstance(named, str) else list(named)
    if answers.email:
        address = "" if answers.email == "none" else answers.email
        values.append(f'AlarmEmail="{address}"')
    return [
        *(SAM, "deploy", "--config-env", answers.stage, "--region", answers.region),
        *(["--parameter-overrides", *values] if values else []),
        *(["--no-execute-changeset"] if preview else []),
    ]


def told_next(answers: Answers, stack: str) -> str:
    """What to do once the stack is there."""
    clicked = "once the link that AWS sends to a new address is clicked"
    mail = (
        f"  Alarms go to {answers.email}, {clicked}.\n"
        if "@" in answers.email
        else "  Alarms go to nobody new: `make deploy EMAIL=ops@example.com` says to whom.\n"
    )
    relay = f"AWS_DEFAULT_REGION={answers.region} .venv/bin/relay"
    return (
        f"\n{stack} is deployed in {answers.region}. Next:\n{mail}"
        f"  {relay} setup app add --help\n"
        f"  {relay} doctor --stack {stack}\n"
    )


def read_kept(path: Path) -> dict[str, dict[str, str]]:
    """What was kept of each stage; nothing where there is no file."""
    found = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {
        stage: {key: str(value) for key, value in one.items()}
        for stage, one in found.items()
        if isinstance(one, dict)
    }


def is_preview(text: str) -> bool:
    """What `PREVIEW=` says. Any word but a no is a yes: a preview changes nothing."""
    return text.strip().lower() not in {"", "0", "no", "false", "off"}


def main(names: Sequence[str], environment: Mapping[str, str]) -> int:
    """Deploy; `names` are the words that `make` was given values for. Returns the exit code."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    kept = read_kept(ROOT / KEPT)
    given = {name: environment.get(name, "") for name in names}
    session = botocore.session.get_session()
    default = environment.get("AWS_REGION") or session.get_config_variable("region") or ""
    answers = collect(given, kept, stages(config), default, _asker())
    if session.get_credentials() is None:
        raise DeployError("AWS cannot know who you are: `aws configure sso`, or set AWS_PROFILE.")
    print(about(answers, config, kept), flush=True)
    preview = is_preview(given.get("PREVIEW", ""))
    code = _run(answers, config, preview=preview)
    if not (code or preview):  # what came to nothing is not where the next one goes
        (ROOT / KEPT).write_text(keep(kept, answers), encoding="utf-8")
    return code


def about(answers: Answers, config: Mapping[str, Any], kept: Kept) -> str:
    """What is going to be deployed, and where; and what stays behind if that is another region."""
    stack = deploy_settings(config[answers.stage])["stack_name"]
    said = f"Stage {answers.stage}: stack {stack} in {answers.region}."
    former = kept.get(answers.stage, {}).get("region", answers.region)
    if former == answers.region:
        return said
    return f"{said} Until now it was in {former}: what is there stays, and goes on running."


def _asker() -> Ask | None:
    return input if sys.stdin.isatty() and sys.stdout.isatty() else None


def _run(answers: Answers, config: Mapping[str, Any], *, preview: bool) -> int:
    try:
        code = _build() or _deploy(command(answers, config, preview=preview))
    except KeyboardInterrupt:
        _say("\nStopped watching. What CloudFormation has begun, it goes on with.")
        return 130
    if not (code or preview):
        print(told_next(answers, deploy_settings(config[answers.stage])["stack_name"]), end="")
    return code


def _deploy(call: Sequence[str]) -> int:
    return subprocess.run(call, cwd=ROOT, check=False).returncode


def _build() -> int:
    """Build, and show how only if it fails: SAM CLI ends with advice that is not ours."""
    print("Building ...", flush=True)
    done = subprocess.run([SAM, "build"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        _say(f"{done.stdout}{done.stderr}deploy: nothing was deployed, because the build failed.")
    return done.returncode


def _say(message: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(message, file=sys.stderr)


def guarded(names: Sequence[str], environment: Mapping[str, str]) -> int:
    """`main`, with a sentence and an exit code for what goes wrong before anything is deployed."""
    try:
        return main(names, environment)
    except (DeployError, BotoCoreError, tomllib.TOMLDecodeError) as error:
        _say(f"deploy: {error}")
        return 2
    except (EOFError, KeyboardInterrupt):
        _say("\nNothing was deployed.")
        return 130


if __name__ == "__main__":
    sys.exit(guarded(sys.argv[1:], os.environ))
