"""The one reader of envelopes: for the queues, and for `relay check` (section 8, Q1 to Q7). Pure.

A body holds an envelope, alone or in wrappers, or an array of them. What can be read in one way
only is repaired, and a finding says so. What cannot be handled is an item with a fault, and with
its event where it holds one, so that it can be mended and sent again.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from relay.domain.findings import Finding, Findings, Severity
from relay.errors import NotAnEnvelopeError
from relay.exact_json import MOST_VALUES, InvalidJsonError
from relay.messages.envelope import DEAD_LETTER_FIELDS, Envelope
from relay.messages.items import Fault, Item, is_good_id, read_item
from relay.messages.wrappers import Opened, is_test_event, name_of_unopened, opened, parsed
from relay.rules.leniency import trim
from relay.rules.names import showable

_SHORTEST_ENVELOPE: Final = 100
"""Characters of one whose event may be sent, nearly. An array of shorter elements is none of
envelopes, and each of its elements would become a message."""
FEW_ELEMENTS: Final = 100
"""An array of so many is looked at in any case."""

_KNOWN: Final = frozenset(Envelope.model_fields) | DEAD_LETTER_FIELDS
_LONGEST_REPEATED_ID: Final = 128


def read_body(body: str, now: datetime, message_id: str | None = None) -> Sequence[Item]:
    """What a body holds; nothing if it is only S3's test message. Never raises.

    `message_id` is that of the SQS message: the id of elements that have none, with a position.
    """
    try:
        content = parsed(body if body.startswith("{") else trim(body))
    except InvalidJsonError as error:
        named = name_of_unopened(trim(body))
        return [_no_item("Q2", named) if named else _no_item("E3", str(error))]
    if type(content) is dict and (item := _in_good_form(content)) is not None:
        return [item]
    most = max(FEW_ELEMENTS, len(body) // _SHORTEST_ENVELOPE)
    return _read_opened(opened(content), now, message_id, most)


def read_content(content: Any, now: datetime) -> Sequence[Item]:
    """The same of a body that is parsed already."""
    return _read_opened(opened(content), now, None, MOST_VALUES)


def _in_good_form(content: dict[str, Any]) -> Item | None:
    """The quick way of nearly all messages: an envelope about which there is nothing to say."""
    if not (
        content.keys() <= _KNOWN
        and type(content.get("event")) is dict
        and content.get("not_before") is None
        and is_good_id(content.get("event_id"))
    ):
        return None
    try:
        envelope = Envelope.model_validate(content)
    except ValidationError:
        return None
    return Item(envelope, has_own_id=envelope.event_id is not None)


def _read_opened(
    around: Opened, now: datetime, message_id: str | None, most_elements: int
) -> Sequence[Item]:
    content, given_id = around.content, _repeated_id(around) or message_id
    if around.is_too_deep:
        return [_no_item("Q2", f"wrapped too deep: {_ALONE}")]
    if is_test_event(content):
        return []
    if not isinstance(content, list):
        return [_one(content, around, now, _repeated_id(around))]
    if not content:
        return [_no_item("Q3", f"no envelope: an empty array; {_ALONE}")]
    if len(content) > most_elements:
        return [_no_item("Q3", f"no envelope: an array of more and shorter things; {_ALONE}")]
    return [
        _element(element, position, around, now, given_id)
        for position, element in enumerate(content)
    ]


def _element(
    element: Any, position: int, around: Opened, now: datetime, given_id: str | None
) -> Item:
    """Q3."""
    own_id = None if given_id is None else f"{given_id}:{position}"
    item = _one(element, around, now, own_id)
    return item._replace(findings=(*item.findings, _ONE_A_MESSAGE), position=position)


def _one(content: Any, around: Opened, now: datetime, given_id: str | None) -> Item:
    findings = Findings(around.findings)
    faults = Findings()
    if around.twice is not None:
        faults.reject("E3", showable(around.twice), "stands twice in what is around the envelope")
    return read_item(content, findings, faults, now, given_id)


def _repeated_id(around: Opened) -> str | None:
    """Q4: the id of the innermost wrapper that keeps it when it comes again."""
    for one in reversed(around.ids):
        if one and is_good_id(one) and len(one) <= _LONGEST_REPEATED_ID:
            return one
    return None


def _no_item(rule: str, message: str) -> Item:
    """What holds no event, or none that is looked for."""
    fault = Fault(Finding(rule, Severity.REJECT, "body", message))
    return Item(fault.envelope(), fault=fault, has_own_id=False)


_ALONE: Final = "send one envelope a message, {app_id, kind, event}"
_ONE_A_MESSAGE: Final = Finding(
    "Q3",
    Severity.WARN,
    "body",
    "is an array, whose elements are queued again one by one: send one envelope a message",
)


def parse_envelope(body: str) -> Envelope:
    """The one envelope of a body that the relay has written, or that is as good.

    Raises `NotAnEnvelopeError`, which never quotes the body.
    """
    items = read_body(body, _LAST_MOMENT)
    if len(items) != 1 or items[0].position is not None:
        message = "not one envelope alone"
        raise NotAnEnvelopeError(message)
    if (fault := items[0].fault) is not None:
        message = f"{fault.finding.field}: {fault.finding.message}"
        raise NotAnEnvelopeError(message)
    return items[0].envelope


_LAST_MOMENT: Final = datetime.max.replace(tzinfo=UTC)
