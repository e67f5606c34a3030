"""The check that the alarms ring at somebody."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from relay_cli.clients.aws import translate_errors
from relay_cli.doctor.check import Case, Check, Fault, bad, check_of

_HOW = "docs/operations.md, Alarms: a topic with a confirmed subscription"


def alarms(case: Case) -> Check:
    """Every alarm rings at somebody, by itself or by a composite alarm that looks at it."""
    found = case.alarms
    if not found:
        return bad("alarms", f"the stack {case.stack} has no alarm", "make deploy")
    faults = [*_faults(case, found)]
    ringing = sorted(one["AlarmName"] for one in found if one.get("StateValue") == "ALARM")
    now = f"; ringing now: {', '.join(ringing)}" if ringing else ""
    return check_of("alarms", f"{len(found)} alarms, each rings at somebody{now}", faults)


def _faults(case: Case, found: list[Any]) -> Iterator[Fault]:
    hears = cache(lambda target: _is_heard(case, target))
    loud = [one for one in found if _rings(one, hears)]
    rules = [one["AlarmRule"] for one in loud if "AlarmRule" in one]
    names = {one["AlarmName"] for one in loud}
    deaf = [
        one["AlarmName"]
        for one in found
        if one["AlarmName"] not in names and not any(one["AlarmName"] in rule for rule in rules)
    ]
    if len(deaf) == len(found):
        yield Fault(f"all {len(found)} alarms ring at nobody", _HOW)
    else:
        yield from (Fault(f"{name} rings at nobody", _HOW) for name in deaf)


def _rings(alarm: Any, hears: Any) -> bool:
    return bool(alarm.get("ActionsEnabled")) and any(map(hears, alarm.get("AlarmActions", [])))


def _is_heard(case: Case, target: str) -> bool:
    """Whether somebody gets what is sent there; of other targets than topics it is believed."""
    if ":sns:" not in target:
        return True
    with translate_errors("SNS"):
        answer = case.client("sns").list_subscriptions_by_topic(TopicArn=target)
    return any(one["SubscriptionArn"].startswith("arn:") for one in answer["Subscriptions"])
