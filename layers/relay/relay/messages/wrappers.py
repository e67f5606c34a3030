"""What other services put around a message: opened where there is one right reading (Q2).

Opened are messages that were made text twice, and those of SNS, EventBridge and CloudEvents. What
else has a known form is named, so that whoever reads the dead letter knows what to change. Pure.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from relay.domain.findings import Finding, Severity
from relay.exact_json import (
    MOST_VALUES,
    DoubledObject,
    InvalidJsonError,
    NameTwiceError,
    loads,
    loads_once,
)
from relay.rules.leniency import trim

DEEPEST: Final = 4
"""How many wrappers are opened."""

_ENVELOPE: Final = frozenset({"app_id", "kind", "event"})
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}", re.ASCII)
_GZIP: Final = b"\x1f\x8b"
_LOOKED_AT: Final = 65_536
"""Characters of a text in base64 that are decoded to see what it holds."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What was in the wrappers."""

    content: Any
    findings: tuple[Finding, ...] = ()
    """A repair for each wrapper, the outermost first."""
    ids: tuple[str, ...] = ()
    """Of the wrappers that come again with the same id, the outermost first."""
    twice: str | None = None
    """A name that stands twice in a wrapper (G5)."""
    is_too_deep: bool = False
    """Whether a wrapper is left."""


def is_envelope(content: object) -> bool:
    """Q2: an object with app, kind and event, whatever else it holds."""
    return isinstance(content, dict) and content.keys() >= _ENVELOPE


def parsed(text: str | bytes, most_values: int = MOST_VALUES) -> Any:
    """The JSON of a text; objects with a name twice are without it. Raises `InvalidJsonError`."""
    try:
        return loads_once(text, most_values)
    except NameTwiceError as error:
        return error.rest


def opened(content: Any) -> Opened:
    """Takes the wrappers off, at most `DEEPEST`. `content` is parsed JSON."""
    findings: list[Finding] = []
    ids: list[str] = []
    twice: str | None = None
    while (step := _step(content)) is not None:
        if len(findings) == DEEPEST:
            return Opened(content, tuple(findings), tuple(ids), twice, is_too_deep=True)
        findings.append(_repair(step.what))
        if isinstance(content, dict):
            twice = twice or name_twice(content, beside=step.place)
            repeated = content.get(_REPEATED_IDS.get(step.what, ""))
            ids.extend([repeated] if isinstance(repeated, str) else [])
        content = step.content
    return Opened(content, tuple(findings), tuple(ids), twice)


def name_twice(content: Any, beside: str = "") -> str | None:
    """G5: a name that stands twice in an object, or in a value of it but the one `beside`."""
    pending, is_outermost = [content], True
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, DoubledObject):
            if item.own:
                return item.own[0]
            pending.extend(
                value for name, value in item.items() if not (is_outermost and name == beside)
            )
        is_outermost = False
    return None


class _Step(NamedTuple):
    """One wrapper, and what is in it."""

    what: str
    content: Any
    place: str = ""
    """The name under which it is."""


def _step(content: Any) -> _Step | None:
    """The wrapper around something; None if there is none that is opened."""
    if isinstance(content, str):
        return _text_step(_TEXT, content)
    if not isinstance(content, dict) or is_envelope(content):
        return None
    message, detail, data = (content.get(name) for name in ("Message", "detail", "data"))
    if content.get("Type") == "Notification" and isinstance(message, str):
        return _text_step(_SNS, message)
    if isinstance(detail, dict) and "detail-type" in content and "source" in content:
        return _Step(_EVENTBRIDGE, detail, "detail")
    if isinstance(data, dict | str) and "specversion" in content:
        return _Step(_CLOUDEVENTS, data, "data")
    return None


def _text_step(what: str, text: str) -> _Step | None:
    try:
        return _Step(what, parsed(trim(text)))
    except InvalidJsonError:
        return None


def _repair(what: str) -> Finding:
    return Finding("Q2", Severity.REPAIR, "body", f"{what}: opened; {_INSTEAD[what]}")


_TEXT: Final = "JSON within a JSON text"
_SNS: Final = "a notification of SNS"
_EVENTBRIDGE: Final = "an event of EventBridge"
_CLOUDEVENTS: Final = "a CloudEvent"
_INSTEAD: Final[Mapping[str, str]] = {
    _TEXT: "make it text once only, for instance with one json.dumps",
    _SNS: "with RawMessageDelivery on the subscription the envelope comes alone",
    _EVENTBRIDGE: "with InputPath $.detail on the target the envelope comes alone",
    _CLOUDEVENTS: "send its data alone",
}
_REPEATED_IDS: Final[Mapping[str, str]] = {_SNS: "MessageId", _EVENTBRIDGE: "id"}
"""Where the id is that stays the same when the service delivers twice. A CloudEvent's id is its
producer's, and says nothing of that."""


# What is not opened


def is_test_event(content: object) -> bool:
    """Whether S3 only tries out that it may send here: nothing is in it."""
    return (
        isinstance(content, dict)
        and content.get("Service") == "Amazon S3"
        and content.get("Event") == "s3:TestEvent"
    )


def name_of_unopened(content: object) -> str | None:
    """What a body is, and what to do, where its form is known and it is not opened (Q2).

    `content` is parsed JSON, or the text of a body that is no JSON.
    """
    if isinstance(content, str):
        return _IN_BASE64 if _is_base64(content) else None
    if not isinstance(content, dict):
        return None
    if "requestContext" in content and "responsePayload" in content:
        return _DESTINATION
    if isinstance(content.get("Records"), list):
        return _S3_NOTICE if _is_of_s3(content["Records"]) else _LAMBDA_EVENT
    source = content.get("eventSource")
    if isinstance(source, str) and source.startswith("aws:"):
        return _PIPES
    if any(content.keys() >= marks for marks in _TASK_MARKS):
        return _TASK
    return None


def _is_of_s3(records: list[Any]) -> bool:
    first = records[0] if records else None
    return isinstance(first, dict) and ("s3" in first or first.get("eventSource") == "aws:s3")


def _is_base64(text: str) -> bool:
    text = "".join(text.split())
    if not _BASE64.fullmatch(text):
        return False
    if len(text) > _LOOKED_AT:
        start = _decoded(text[:_LOOKED_AT])
        return start[:2] == _GZIP or start.lstrip()[:1] == b"{"
    decoded = _decoded(text)
    if decoded[:2] == _GZIP:
        return True
    try:
        return isinstance(loads(decoded), dict)
    except InvalidJsonError:
        return False


def _decoded(text: str) -> bytes:
    """Empty if it is no base64; the padding may be missing."""
    plain = text.rstrip("=").translate(_URL_SAFE)
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        return b""


_URL_SAFE: Final = str.maketrans("-_", "+/")
_TASK_MARKS: Final = (
    frozenset({"job", "data"}),
    frozenset({"job_class"}),
    frozenset({"headers", "properties", "body"}),
)
_ALONE: Final = "put the envelope alone on the queue"
_DESTINATION: Final = (
    "the record of a Lambda destination: what the function returned is in it, and is not looked "
    f"for there; {_ALONE}"
)
_S3_NOTICE: Final = (
    "an S3 notification: it names an object and holds no event; read the object and put an "
    "envelope on the queue for each event in it"
)
_LAMBDA_EVENT: Final = (
    "a whole Lambda event (Records): put the body of each record on the queue, and not the event "
    "that the function got"
)
_PIPES: Final = (
    "a record as EventBridge Pipes passes it on (eventSource): set the pipe's input template to "
    "<$.body>, so that the envelope comes alone"
)
_TASK: Final = f"the message of a task queue (Celery, Active Job, Laravel): {_ALONE}"
_IN_BASE64: Final = "text in base64: send the JSON itself"
