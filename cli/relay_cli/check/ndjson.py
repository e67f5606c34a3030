"""`relay check --ndjson`: what would be sent of each line, and what is wrong with it."""

from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from relay.domain.findings import Finding
from relay.exact_json import (
    DoubledObject,
    InvalidJsonError,
    NameTwiceError,
    UnwritableError,
    dumps,
    loads_once,
)
from relay.instants import iso_form
from relay.rules.prepare import Prepared
from relay_cli.input.event import Defaults, InputEvent, InvalidInput, from_line
from relay_cli.input.ndjson import MAX_LINE_BYTES, answer_lines, encode

_TOO_LONG: Final = InvalidInput.with_reason(
    "E3", "line", f"is longer than {MAX_LINE_BYTES:,} bytes: no queue would take it"
)
_NOT_AN_OBJECT: Final = InvalidInput.with_reason(
    "E3", "line", "must be a JSON object: kind, app_id, event"
)
_BLANK: Final = InvalidInput.with_reason(
    "E3", "line", "is blank: one JSON object is expected on each"
)
_BAD_ID: Final = Finding(
    *InvalidInput.with_reason("E3", "id", "must be text or a number").findings[0]
)
_NAME_TWICE: Final = InvalidInput.with_reason(
    "E3", "line", "holds a name twice, and which value is meant cannot be told: send it once"
)
_UNCHECKED: Final = InvalidInput.with_reason(
    "E3", "line", "could not be checked: this is a fault of relay's own, please report it"
)


def check_stream(path: Path, defaults: Defaults) -> None:
    """Checks each line of a file (`-`: standard input) and writes one result per line.

    Raises `CliError` if the file cannot be read.
    """
    answer_lines(path, lambda line: answer(line, defaults))


def answer(line: bytes | None, defaults: Defaults) -> bytes:
    """The result for one line; None stands for a line that was too long. Never raises."""
    identity: object = None
    try:
        identity, parsed = _parse(line, defaults)
        return encode({"id": identity, **_describe(parsed)})
    except Exception:  # noqa: BLE001 - one line must not fail the others; the error's text is never shown
        return encode({"id": identity, **_describe(_UNCHECKED)})


def _parse(line: bytes | None, defaults: Defaults) -> tuple[object, InputEvent | InvalidInput]:
    """The line's id and its event."""
    if line is None:
        return None, _TOO_LONG
    if not line.strip():
        return None, _BLANK
    try:
        content = loads_once(line)
    except NameTwiceError as error:
        content = error.rest
        if not isinstance(content, DoubledObject) or content.own:
            return None, _NAME_TWICE
    except InvalidJsonError as error:
        return None, InvalidInput.with_reason("E3", "line", f"is {error}")
    if not isinstance(content, dict):
        return None, _NOT_AN_OBJECT
    parsed = from_line(content, defaults)
    identity = content.get("id")
    if _is_id(identity):
        return identity, parsed
    findings = parsed.findings if isinstance(parsed, InvalidInput) else ()
    return None, InvalidInput((*findings, _BAD_ID))


def _is_id(value: object) -> bool:
    if isinstance(value, Decimal):
        with suppress(UnwritableError):
            return bool(dumps(value))
        return False
    return value is None or (isinstance(value, str | int) and not isinstance(value, bool))


def _describe(parsed: InputEvent | InvalidInput) -> dict[str, Any]:
    if isinstance(parsed, InvalidInput):
        return _rejected(parsed.findings)
    prepared = parsed.prepare()
    body = None if prepared.body is None else prepared.body.decode()
    return {
        "verdict": prepared.verdict,
        "url": None if body is None else prepared.url,
        "body": body,
        "findings": [finding.as_dict() for finding in prepared.findings],
        "recorded": _recorded_time(prepared),
        "deadline": iso_form(prepared.deadline) if prepared.deadline else None,
    }


def _rejected(findings: tuple[Finding, ...]) -> dict[str, Any]:
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
