"""A check and its result, and what every check is given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from threading import Lock
from typing import Any, Final, NamedTuple

from botocore.config import Config

from relay_cli.clients.aws import translate_errors
from relay_cli.clients.installation import Installation

QUICK: Final = Config(
    connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2}
)
"""AWS that hangs costs a check a quarter of a minute, and the others nothing."""
_MOST_TOLD: Final = 3


class Check(NamedTuple):
    """What was found: `what` in a line, and `do`, what to do about it (empty if it is `ok`)."""

    name: str
    ok: bool
    what: str
    do: str = ""


def good(name: str, what: str) -> Check:
    """A check that is ok."""
    return Check(name, ok=True, what=what)


def bad(name: str, what: str, do: str) -> Check:
    """A check that somebody must do something about."""
    return Check(name, ok=False, what=what, do=do)


class Fault(NamedTuple):
    """One thing that is wrong, and what to do about it."""

    what: str
    do: str


def check_of(name: str, what: str, faults: Sequence[Fault]) -> Check:
    """The check: ok, and `what`, if there is no fault, else the first few of them."""
    if not faults:
        return good(name, what)
    told = [fault.what for fault in faults[:_MOST_TOLD]]
    if more := len(faults) - len(told):
        told.append(f"and {more} more")
    return bad(name, "; ".join(told), faults[0].do)


@dataclass(frozen=True)
class Case:
    """The installation that is looked at, at a moment (UTC)."""

    installation: Installation
    now: datetime
    download: Callable[[str], bytes]
    """The end of the file at a URL (`layer.end_of_file`)."""

    _clients: dict[str, Any] = field(default_factory=dict)
    _queues: dict[str, dict[str, str]] = field(default_factory=dict)
    _making: Lock = field(default_factory=Lock)

    def client(self, service: str) -> Any:
        """A client that gives up soon: one a service, for to make one takes a tenth of a second."""
        with self._making:
            if service not in self._clients:
                self._clients[service] = self.installation.client(service, QUICK)
            return self._clients[service]

    @property
    def stack(self) -> str:
        """The stack's name; only of a stack."""
        return self.installation.stack or ""

    @property
    def option(self) -> str:
        """How to name the installation to another command."""
        return self.installation.option

    @cached_property
    def resources(self) -> dict[str, list[str]]:
        """The physical ids of a stack's resources, by type."""
        found: dict[str, list[str]] = {}
        with translate_errors("CloudFormation"):
            pages = self.client("cloudformation").get_paginator("list_stack_resources")
            for page in pages.paginate(StackName=self.stack):
                for one in page["StackResourceSummaries"]:
                    physical = one.get("PhysicalResourceId", "")
                    found.setdefault(one["ResourceType"], []).append(physical)
        return found

    @cached_property
    def alarms(self) -> list[Any]:
        """The stack's alarms, as CloudWatch describes them."""
        kinds = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
        names = [name.rpartition(":")[2] for kind in kinds for name in self.resources.get(kind, [])]
        found: list[Any] = []
        for start in range(0, len(names), 100):
            with translate_errors("CloudWatch"):
                answer = self.client("cloudwatch").describe_alarms(
                    AlarmNames=names[start : start + 100],
                    AlarmTypes=["MetricAlarm", "CompositeAlarm"],
                    MaxRecords=100,
                )
            found += [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
        return found

    def queue_attributes(self, queue: str) -> dict[str, str]:
        """What SQS says of a queue, by its name in a ready file; it is asked once."""
        if queue not in self._queues:
            with translate_errors("SQS"):
                answer = self.client("sqs").get_queue_attributes(
                    QueueUrl=self.installation.queues[queue], AttributeNames=["All"]
                )
            self._queues[queue] = answer.get("Attributes", {})
        return self._queues[queue]
