"""What is told of a dead letter: its ids, why it is one, and by which rules. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from relay.domain.findings import Finding, Severity
from relay.instants import iso_form
from relay_cli.dlq.dead_letter import DeadLetter
from relay_cli.terminal.findings_view import parse_findings


def rejections(dead_letter: DeadLetter) -> list[Finding]:
    """The findings that rejected its event; none if something else is the reason."""
    findings = parse_findings(dead_letter.fields.get("findings"))
    return [one for one in findings if one.severity is Severity.REJECT]


def rules_of(dead_letter: DeadLetter) -> list[str]:
    """The rules that rejected its event, each once."""
    return list(dict.fromkeys(one.rule for one in rejections(dead_letter)))


def facts_of(dead_letter: DeadLetter, queue: str) -> dict[str, Any]:
    """What `relay dlq list --letters --json` says of it: all but the event."""
    envelope, found = dead_letter.envelope, rejections(dead_letter)
    return {
        "queue": queue,
        "letter_id": dead_letter.message_id,
        "event_id": dead_letter.event_id,
        "app_id": dead_letter.app_id or None,
        "kind": envelope.kind.value if envelope else None,
        "reason": dead_letter.reason,
        "outcome": dead_letter.fields.get("outcome"),
        "rules": rules_of(dead_letter),
        "fields": list(dict.fromkeys(one.field for one in found)),
        "findings": list(_findings(dead_letter)),
        "message": dead_letter.fields.get("message"),
        "attempts": dead_letter.attempts,
        "first_seen": _iso(dead_letter.first_seen),
        "dead_since": _iso(dead_letter.dead_since),
        "deadline": _iso(dead_letter.deadline),
    }


def _findings(dead_letter: DeadLetter) -> Iterator[dict[str, str]]:
    return (one.as_dict() for one in parse_findings(dead_letter.fields.get("findings")))


def _iso(moment: datetime | None) -> str | None:
    return iso_form(moment) if moment else None
