"""The checks of the queues and of what takes events from them."""

import json
from collections.abc import Iterator
from typing import Any

from relay_cli.clients.aws import translate_errors
from relay_cli.clients.targets import QUEUES
from relay_cli.doctor.check import Case, Check, Fault, check_of

_DEPLOY = "make deploy: the template sets it"
_STARTED = frozenset({"Enabled", "Enabling", "Creating", "Updating"})


def queues(case: Case) -> Check:
    """Each queue gives up to its dead-letter queue, and takes nothing that is not encrypted."""
    return check_of("queues", "six queues, wired and closed to plain HTTP", [*_wiring(case)])


def _wiring(case: Case) -> Iterator[Fault]:
    for name in QUEUES:
        source = case.queue_attributes(f"{name}_queue")
        dead = case.queue_attributes(f"{name}_dlq")
        target = json.loads(source.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
        if target != dead.get("QueueArn"):
            what = "gives up to another queue" if target else "gives up to no dead-letter queue"
            yield Fault(f"the {name} queue {what}", _DEPLOY)
        for kind, attributes in (("queue", source), ("dead-letter queue", dead)):
            if not _denies_plain_http(json.loads(attributes.get("Policy") or "{}")):
                yield Fault(f"the policy of the {name} {kind} lets plain HTTP in", _DEPLOY)


def _denies_plain_http(policy: Any) -> bool:
    statements = policy.get("Statement", [])
    return any(
        one.get("Effect") == "Deny"
        and one.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport") in ("false", False)
        for one in (statements if isinstance(statements, list) else [statements])
    )


def mappings(case: Case) -> Check:
    """A function is started by each queue, and says which messages it could not handle.

    A sandbox polls its queues itself: there it is enough that there is a mapping.
    """
    return check_of("mappings", "a function takes from each queue", [*_mappings(case)])


def _mappings(case: Case) -> Iterator[Fault]:
    for name in QUEUES:
        arn = case.queue_attributes(f"{name}_queue").get("QueueArn", "")
        with translate_errors("Lambda"):
            answer = case.client("lambda").list_event_source_mappings(EventSourceArn=arn)
        found = answer.get("EventSourceMappings", [])
        if not found:
            yield Fault(f"no function takes from the {name} queue", _DEPLOY)
        for one in found:
            if case.stack and one.get("State") not in _STARTED:
                enable = f"aws lambda update-event-source-mapping --enabled --uuid {one['UUID']}"
                yield Fault(f"the mapping of the {name} queue is {one.get('State')}", enable)
            if "ReportBatchItemFailures" not in (one.get("FunctionResponseTypes") or ()):
                what = f"the mapping of the {name} queue ignores which messages failed"
                yield Fault(what, _DEPLOY)
