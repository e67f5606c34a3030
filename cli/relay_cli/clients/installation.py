"""An installation of the relay: a sandbox that runs here, or a stack."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from relay_cli.clients import aws
from relay_cli.clients.http import call
from relay_cli.clients.targets import (
    DEFAULT_READY_FILE,
    QUEUES,
    Location,
    read_ready_file,
    ready_text,
)
from relay_cli.terminal.errors import CliError

if TYPE_CHECKING:
    from botocore.config import Config

_QUEUE_OUTPUTS: Final = {
    **{f"{name}_queue": f"{name.title()}QueueUrl" for name in QUEUES},
    **{f"{name}_dlq": f"{name.title()}DeadLetterQueueUrl" for name in QUEUES},
}
"""The queues' names in a ready file, and the outputs of a stack with their URLs."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What only a sandbox has: base URLs."""

    aws: str
    page: str
    stand_in: str

    def forget_settings(self) -> None:
        """Lets the functions read their settings anew; raises `CliError`."""
        self._post(f"{self.page}/api/settings/forget", {})

    def put_account(self, app_id: str, changes: Mapping[str, object]) -> None:
        """Sets up an app at the local AppsFlyer, or changes it; raises `CliError`."""
        self._post(f"{self.stand_in}/_standin/apps", {"app_id": app_id, **changes})

    def _post(self, url: str, content: Mapping[str, object]) -> None:
        body = json.dumps(content).encode()
        response = call("POST", url, {"Content-Type": "application/json"}, body)
        if response.status != 200:  # noqa: PLR2004 - OK
            raise CliError(f"{url} says: {response.json().get('error', response.status)}")


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the parts of an installation are.

    `origin` says for people which one it is, `option` how to name it to another command. `prefix`:
    of its names in Parameter Store. `queues` has URLs by the names in a ready file.
    """

    origin: str
    option: str
    prefix: str
    api: str
    queues: Mapping[str, str]
    sandbox: Sandbox | None = None
    stack: str | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    kms_key: str | None = None

    def client(self, service: str, config: "Config | None" = None) -> Any:
        """A client of AWS for it; raises `CliError`."""
        return aws.client(service, self.sandbox.aws if self.sandbox else None, config)


def find_installation(location: Location, config: "Config | None" = None) -> Installation:
    """The stack or sandbox that is named, or the sandbox that runs here; raises `CliError`."""
    if location.stack and location.ready_file:
        raise CliError("give --stack or --ready-file, not both")
    if location.stack:
        return _of_stack(location.stack, config)
    return _of_sandbox(location.ready_file)


def _of_sandbox(given: Path | None) -> Installation:
    path = given or DEFAULT_READY_FILE
    if given is None and not path.exists():
        raise CliError(
            "no sandbox is up here (.relay/ready.json is not there): start one with `relay "
            "sandbox`, or name a stack by --stack, or a sandbox by --ready-file"
        )
    ready = read_ready_file(path)
    return Installation(
        origin=f"the sandbox of {path}",
        option="" if given is None else f" --ready-file {path}",
        prefix=ready_text(ready, "parameter_prefix", path),
        api=ready_text(ready, "api", path),
        queues={name: ready_text(ready, name, path) for name in _QUEUE_OUTPUTS},
        sandbox=Sandbox(*(ready_text(ready, name, path) for name in ("aws", "page", "stand_in"))),
    )


def _of_stack(name: str, config: "Config | None") -> Installation:
    outputs, parameters = aws.describe_stack(name, config)
    needed = {"api": "ApiUrl", "prefix": "ParameterPrefix", **_QUEUE_OUTPUTS}
    missing = [output for output in needed.values() if output not in outputs]
    if missing:
        raise CliError(f"the stack {name} is no relay: its output {missing[0]} is missing")
    return Installation(
        origin=f"the stack {name}",
        option=f" --stack {name}",
        prefix=outputs["ParameterPrefix"],
        api=outputs["ApiUrl"].rstrip("/"),
        queues={queue: outputs[output] for queue, output in _QUEUE_OUTPUTS.items()},
        stack=name,
        outputs=outputs,
        kms_key=parameters.get("KmsKeyArn") or None,
    )
