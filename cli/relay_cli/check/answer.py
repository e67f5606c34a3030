"""What is said of one event as JSON: by `--ndjson` and by `--json`. Pure."""

from collections.abc import Sequence
from typing import Any

from relay.domain.findings import Finding
from relay.instants import iso_form
from relay.rules.prepare import Prepared


def described(prepared: Prepared, findings: Sequence[Finding]) -> dict[str, Any]:
    """Verdict, URL, exact payload, findings, recorded time and deadline."""
    body = None if prepared.body is None else prepared.body.decode()
    return {
        "verdict": prepared.verdict,
        "url": None if body is None else prepared.url,
        "body": body,
        "findings": [finding.as_dict() for finding in findings],
        "recorded": _recorded_time(prepared),
        "deadline": iso_form(prepared.deadline) if prepared.deadline else None,
    }


def rejected(findings: Sequence[Finding]) -> dict[str, Any]:
    """The same of what is no event."""
    return {
        "verdict": "reject",
        "url": None,
        "body": None,
        "findings": [finding.as_dict() for finding in findings],
        "recorded": None,
        "deadline": None,
    }


def _recorded_time(prepared: Prepared) -> dict[str, str] | None:
    recorded = prepared.recorded
    if recorded is None:
        return None
    return {
        "time": iso_form(recorded.time),
        "source": recorded.source,
        "rule": recorded.rule,
    }
