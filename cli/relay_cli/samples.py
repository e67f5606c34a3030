"""The samples in `events/`: the Lambda event, and the expected result."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from relay.exact_json import InvalidJsonError, dumps, loads
from relay.instants import mobile_form, to_milliseconds
from relay_cli.terminal.errors import CliError
from relay_cli.terminal.files import MIB, read_bytes

FORWARD_MOBILE: Final = "forward_mobile"
FORWARD_WEB: Final = "forward_web"
ACCEPT: Final = "accept"
RECEIVE_INSTALL: Final = "receive_install"
RECEIVE_PAYMENT: Final = "receive_payment"
MAP_PAYMENT: Final = "map_payment"
_MAX_FILE_BYTES: Final = 16 * MIB
_ENTRIES: Final = (
    RECEIVE_INSTALL,  # first, because other samples look up these installs
    FORWARD_MOBILE,
    FORWARD_WEB,
    ACCEPT,
    RECEIVE_PAYMENT,
    MAP_PAYMENT,
)


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected result of one event."""

    outcome: str
    recorded: str | None
    rule: str | None
    findings: tuple[str, ...]
    """Such as "warn M5". The order does not matter."""


@dataclass(frozen=True, slots=True)
class ResultingEvent:
    """The event that results from a webhook, or an event after its lookups."""

    app_id: str
    kind: str
    event_id: str
    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample file."""

    name: str
    entry: str
    description: str
    age_seconds: float | None
    status: int | None
    """The expected HTTP status; None if the sample is not an HTTP request."""
    expect: tuple[Expected, ...]
    becomes: tuple[ResultingEvent, ...]
    """One for each expected result, if it differs from the event in the file."""
    signed_by: str | None
    """The provider whose signature must be made at the time of sending."""
    event: Mapping[str, Any]


def read_samples(folder: Path) -> list[Sample]:
    """All samples of a folder, sorted by entry and name; raises `CliError`."""
    paths = [path for path in sorted(folder.glob("*.json")) if _entry(path)]
    if not paths:
        raise CliError(f"{folder} holds no samples (<entry>_<situation>.json)")
    samples = [_read(path) for path in paths]
    return sorted(samples, key=lambda sample: (_ENTRIES.index(sample.entry), sample.name))


def _entry(path: Path) -> str | None:
    return next((entry for entry in _ENTRIES if path.stem.startswith(f"{entry}_")), None)


def _read(path: Path) -> Sample:
    try:
        event = json.loads(read_bytes(path, _MAX_FILE_BYTES))
        sample = event["sample"]
        return Sample(
            name=path.stem,
            entry=_entry(path) or "",
            description=sample["about"],
            age_seconds=sample.get("age_seconds"),
            status=sample.get("status"),
            expect=tuple(_expected(one) for one in sample["expect"]),
            becomes=tuple(ResultingEvent(**one) for one in sample.get("becomes", ())),
            signed_by=sample.get("signed_by"),
            event=event,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CliError(f"{path} is no sample: {type(error).__name__}: {error}") from error


def _expected(one: Mapping[str, Any]) -> Expected:
    return Expected(one["outcome"], one["recorded"], one["rule"], tuple(one["findings"]))


def with_age(body: str, age_seconds: float | None, now: datetime) -> str:
    """A record's body with the event's own time set to `age_seconds` ago, in AppsFlyer's form."""
    if age_seconds is None:
        return body
    try:
        envelope = loads(body)
        event = envelope["event"]
        moment = now - timedelta(seconds=age_seconds)
        if "eventTime" in event:
            event["eventTime"] = mobile_form(moment)
        if "timestamp" in event:
            event["timestamp"] = to_milliseconds(moment)
        return dumps(envelope).decode()
    except (InvalidJsonError, KeyError, TypeError):
        return body
