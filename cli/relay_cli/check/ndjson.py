"""`relay check --ndjson`: what would be sent of each line, and what is wrong with it."""

from collections.abc import Sequence
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
from relay_cli.check.answer import described, rejected
from relay_cli.input.event import Defaults, InputEvent, InvalidInput, from_line
from relay_cli.input.ndjson import MAX_LINE_BYTES, answer_lines, encode
from relay_cli.terminal.errors import ExitCode
from relay_cli.terminal.files import each_file

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


def check_streams(
    paths: Sequence[Path], defaults: Defaults, *, stamped: bool, fails: bool
) -> ExitCode:
    """Checks each line of some files (`-`: standard input) and writes one result per line.

    With `fails` the exit code is 1 if an event is rejected. Raises `CliError` if the file cannot be
    read; one of several is named on standard error.
    """
    verdicts: set[str] = set()

    def answer_one(line: bytes | None) -> bytes:
        told = _result(line, defaults, stamped=stamped)
        verdicts.add(told["verdict"])
        return encode(told)

    code = each_file(paths, lambda path: answer_lines(path, answer_one))
    return ExitCode.FAILED if code is ExitCode.OK and fails and "reject" in verdicts else code


def answer(line: bytes | None, defaults: Defaults) -> bytes:
    """The result for one line; None stands for a line that was too long. Never raises."""
    return encode(_result(line, defaults))


def _result(line: bytes | None, defaults: Defaults, *, stamped: bool = False) -> dict[str, Any]:
    identity: object = None
    try:
        identity, parsed = _parse(line, defaults)
        told = {"id": identity, **_describe(parsed, stamped=stamped)}
        encode(told)
    except Exception:  # noqa: BLE001 - one line must not fail the others; the error's text is never shown
        return {"id": identity, **rejected(_UNCHECKED.findings)}
    return told


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
    if identity is None and _is_id(content.get("event_id")):
        identity = content.get("event_id")
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


def _describe(parsed: InputEvent | InvalidInput, *, stamped: bool) -> dict[str, Any]:
    if isinstance(parsed, InvalidInput):
        return rejected(parsed.findings)
    prepared = parsed.prepare_stamped() if stamped else parsed.prepare()
    return described(prepared, prepared.findings)
