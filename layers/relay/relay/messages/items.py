"""Reads one object that is, or was meant as, an envelope (Q2, Q4 to Q7). Pure."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from relay.domain.findings import Finding, Findings
from relay.domain.kinds import Kind
from relay.exact_json import DoubledObject, InvalidJsonError
from relay.instants import iso_form
from relay.messages.envelope import DEAD_LETTER_FIELDS, LONGEST_APP_ID, Envelope
from relay.messages.event_ids import LONGEST_EVENT_ID
from relay.messages.wrappers import is_envelope, name_of_unopened, name_twice, parsed
from relay.rules.leniency import id_of, is_blank, is_placeholder, trim
from relay.rules.names import another_spelling, fold, showable, slip_of
from relay.rules.times import read_time

FARTHEST_AHEAD: Final = timedelta(days=14)
"""A `not_before` further ahead is a mistake: no queue keeps a message for that long (Q5)."""

SENDERS_FIELDS: Final = ("app_id", "kind", "event", "event_id", "not_before")
"""The fields of an envelope that its sender sets; the others are the relay's own."""
_REQUIRED: Final = ("app_id", "kind", "event")
_OWN_FIELDS: Final = frozenset(Envelope.model_fields) - {*SENDERS_FIELDS}
_KNOWN: Final = frozenset(Envelope.model_fields) | DEAD_LETTER_FIELDS
_MARKS_OF_AN_EVENT: Final = ("appsflyer_id", "eventName", "event_name", "user_id")

_MOST_NAMED: Final = 20
_MOST_COMPARED: Final = 1_000
"""Unknown names that are compared with known ones; to compare all of a hostile body takes time."""
_PLAIN_ID: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_HALF_A_PAIR: Final = re.compile("[\ud800-\udfff]")
APP_ID_TO_KEEP: Final = re.compile(r"[A-Za-z0-9._-]+|[\sIDid0-9]+", re.ASCII)
"""What looks like an app id, or like one that E8 would mend; anything else may be a person's."""
_SILENT_FORMS: Final = frozenset({"offset", "milliseconds", "seconds"})


class Fault(NamedTuple):
    """Why an item cannot be handled, and what may be kept of it. Its event is not hashed yet."""

    finding: Finding
    is_envelope: bool = False
    """Whether it is an envelope at all: then only a value in it is wrong."""
    event: Mapping[str, Any] | None = None
    """None if it holds none, or nobody can tell which: then only a digest is kept."""
    kind: Kind | None = None
    """The kind of that event, if it is known."""
    fields: Mapping[str, object] = MappingProxyType({})
    """What else it holds of an envelope, in its right form."""

    def envelope(self) -> Envelope:
        """What is known, as an envelope without an event; the app id may be empty."""
        event_id = self.fields.get("event_id")
        return Envelope.model_construct(
            app_id=str(self.fields.get("app_id", "")),
            kind=self.kind or Kind.MOBILE_EVENT,
            event=None,
            event_id=None if event_id is None else str(event_id),
        )


class Item(NamedTuple):
    """One event of a body, or what is there in its place."""

    envelope: Envelope
    findings: tuple[Finding, ...] = ()
    """Repairs and warnings of its reading; what the envelope carries is not among them."""
    fault: Fault | None = None
    position: int | None = None
    """Its place in an array, from 0."""
    has_own_id: bool = True
    """Whether its sender gave it an event id."""


def is_good_id(value: object) -> bool:
    """Whether an event id is absent, or a text that is used as it stands (Q4)."""
    return value is None or (
        isinstance(value, str)
        and _PLAIN_ID.fullmatch(value) is not None
        and not is_placeholder(value)
    )


def read_item(
    content: Any, findings: Findings, faults: Findings, now: datetime, given_id: str | None
) -> Item:
    """The envelope in `content`, any parsed JSON, or what is wrong with it.

    `given_id` is the event id of what has none of its own. Adds what it finds to `findings`; what
    stands in `faults` already is a fault of the item, too.
    """
    return _Reading(content, findings, faults, now).item(given_id)


class _Reading:
    """Collects what there is to say about one object."""

    def __init__(self, content: Any, findings: Findings, faults: Findings, now: datetime) -> None:
        self._whole = content
        self._content: Mapping[str, Any] = content if isinstance(content, dict) else {}
        self._findings = findings
        self._faults = faults
        self._now = now
        self._is_envelope = is_envelope(content)

    def item(self, given_id: str | None) -> Item:
        twice = name_twice(self._whole, beside="event")
        if twice is not None:
            self._faults.reject(
                "E3", showable(twice), "stands twice in the envelope: which value is meant cannot "
                "be told",
            )  # fmt: skip
        event, own_id, not_before = self._event(), self._event_id(), self._not_before()
        app_id, kind = self._app_id(), self._kind()
        self._check_names()
        fields = {
            "app_id": app_id,
            "kind": kind,
            "event_id": own_id or given_id,
            "not_before": not_before,
        }
        own = self._own_fields()
        if not self._faults.rejected:
            envelope = Envelope.model_validate({**own, **fields, "event": event})
            return Item(envelope, self._findings.as_tuple(), has_own_id=own_id is not None)
        fault = self._fault(event, kind, fields)
        findings = self._findings.as_tuple()
        return Item(fault.envelope(), findings, fault, has_own_id=own_id is not None)

    def _fault(self, event: Any, kind: Kind | None, fields: Mapping[str, Any]) -> Fault:
        held = self._held_event(event)
        kept = {name: value for name, value in fields.items() if value is not None}
        if isinstance(kept.get("app_id"), str) and not APP_ID_TO_KEEP.fullmatch(kept["app_id"]):
            del kept["app_id"]  # it may be anything
        near = self._content.get("kind")
        if kind is None and isinstance(near, str) and _near_kind(near):
            kept["kind"] = _HALF_A_PAIR.sub("\ufffd", near)  # like a kind, so no person's data
        if isinstance(not_before := kept.get("not_before"), datetime):
            kept["not_before"] = iso_form(not_before)
        found = self._faults.as_tuple()[0]
        return Fault(found, self._is_envelope and found.rule != "E3", held, kind, kept)

    def _held_event(self, event: Any) -> Mapping[str, Any] | None:
        """Q7: the event under `event`, or that is the object itself."""
        if isinstance(self._whole, DoubledObject) and "event" in self._whole.own:
            return None  # which of the two?
        if isinstance(event, dict):
            return event
        if any(name in self._content for name in _MARKS_OF_AN_EVENT):
            return {
                name: value for name, value in self._content.items() if name not in SENDERS_FIELDS
            }
        return None

    # Names

    def _check_names(self) -> None:
        """Q2, Q5: whether it is an envelope, and what else it holds."""
        unknown = [name for name, value in self._content.items() if _is_unknown(name, value)]
        absent = [name for name in SENDERS_FIELDS if self._is_absent(name)]
        meant = [
            (name, field)
            for name in unknown[:_MOST_COMPARED]
            if (field := another_spelling(name, absent) or slip_of(name, absent))
        ]
        if not self._is_envelope:
            self._faults.reject("Q2", "body", self._why_no_envelope(meant))
            return
        if meant:
            name, field = meant[0]
            self._is_envelope = False
            self._faults.reject("Q5", showable(name), f"no envelope: did you mean {field}?")
            return
        for name in unknown[:_MOST_NAMED]:
            self._findings.warn("Q5", showable(name), "is no field of an envelope: ignored")
        if more := len(unknown[_MOST_NAMED:]):
            self._findings.warn("Q5", "body", f"holds {more} more names of no field: ignored")

    def _is_absent(self, name: str) -> bool:
        value = self._content.get(name)
        is_none = isinstance(value, str) and (is_blank(value) or is_placeholder(trim(value)))
        return value is None or (name == "event_id" and is_none)

    def _why_no_envelope(self, meant: list[tuple[str, str]]) -> str:
        named = name_of_unopened(self._whole)
        if named is not None:
            return f"no envelope: {named}"
        if not isinstance(self._whole, dict):
            return "no envelope: must be a JSON object with app_id, kind and event"
        missing = [name for name in _REQUIRED if name not in self._content]
        hints = [f"did you mean {field} by {showable(name)}?" for name, field in meant]
        if "event" in missing and any(name in self._content for name in _MARKS_OF_AN_EVENT):
            hints.append("this looks like an event: put it under event, beside app_id and kind")
        return "; ".join([f"no envelope: without {', '.join(missing)}", *hints[:_MOST_HINTS]])

    # Values

    def _event(self) -> Any:
        """Q5: text that holds an object is read; anything else is for `prepare` to say."""
        event = self._content.get("event")
        if isinstance(event, str):
            try:
                read = parsed(event)
            except InvalidJsonError:
                return event
            if isinstance(read, dict):
                self._findings.repair("Q5", "event", "a text that holds JSON; read as its object")
                return read
        return event

    def _event_id(self) -> str | None:
        """Q4."""
        given = self._content.get("event_id")
        if given is None:
            return None
        text = given if isinstance(given, str) else id_of(given)
        if text is None or len(trim(text)) > LONGEST_EVENT_ID:
            self._is_envelope = False
            self._faults.reject(
                "Q4", "event_id", f"no envelope: must be text of 1 to {LONGEST_EVENT_ID} characters"
            )
            return None
        own = trim(text)
        if not own or is_placeholder(own):
            self._findings.warn(
                "Q4", "event_id", "stands for nothing, so the event has none: give each its own id"
            )
            return None
        if not isinstance(given, str):
            self._findings.repair("Q4", "event_id", "a number; read as the text of its digits")
        elif own != given:
            self._findings.repair("Q4", "event_id", "had white space around it; read without")
        return _HALF_A_PAIR.sub("\ufffd", own)

    def _not_before(self) -> datetime | None:
        """Q5."""
        given = self._content.get("not_before")
        if given is None or is_blank(given):
            return None
        value = trim(given) if isinstance(given, str) else given
        read = read_time(value)
        if read is None or read.form == "twelve_digits":
            self._faults.reject(
                "Q5", "not_before", "is no time that can be read: send ISO 8601 with an offset, "
                "like 2026-11-22T12:00:00Z",
            )  # fmt: skip
            return None
        if read.instant - self._now > FARTHEST_AHEAD:
            self._faults.reject(
                "Q5", "not_before", f"is more than {FARTHEST_AHEAD.days} days ahead, and no queue "
                "keeps a message for that long: send the event later",
            )  # fmt: skip
            return None
        if read.form == "naive":
            self._findings.repair("Q5", "not_before", "without an offset; read as UTC")
        elif read.form not in _SILENT_FORMS or value != given:
            self._findings.repair("Q5", "not_before", "in another form; read as a time in UTC")
        return read.instant

    def _app_id(self) -> str | None:
        """Q6."""
        given = self._content.get("app_id")
        if isinstance(given, str) and 1 <= len(given) <= LONGEST_APP_ID:
            return _HALF_A_PAIR.sub("\ufffd", given)
        if self._is_envelope:
            rule = "E8" if given == "" else "Q6"
            self._faults.reject(
                rule, "app_id", "is no AppsFlyer app id: send it as text, as the dashboard shows it"
            )
        return None

    def _kind(self) -> Kind | None:
        """Q6."""
        given = self._content.get("kind")
        if isinstance(given, str) and given in _KINDS:
            return Kind(given)
        if self._is_envelope:
            near = _near_kind(given) if isinstance(given, str) else None
            hint = f"; did you mean {near}?" if near else ""
            self._faults.reject("Q6", "kind", f"must be one of {', '.join(_KINDS)}{hint}")
        return None

    def _own_fields(self) -> dict[str, Any]:
        """Q5: the relay's own fields, as far as they are in their form and bounds."""
        given = {
            name: value
            for name, value in self._content.items()
            if name in _OWN_FIELDS and value is not None
        }
        if not given:
            return {}
        bad = _bad_fields(given)
        for name in sorted(bad):
            self._findings.warn("Q5", name, "is the relay's own, and none of its form: ignored")
        return {name: value for name, value in given.items() if name not in bad}


def _bad_fields(own: Mapping[str, Any]) -> set[str]:
    try:
        Envelope.model_validate({"app_id": "-", "kind": Kind.MOBILE_EVENT, "event": None, **own})
    except ValidationError as error:
        faults = error.errors(include_input=False, include_context=False, include_url=False)
        return {str(fault["loc"][0]) for fault in faults}
    return set()


def _is_unknown(name: str, value: object) -> bool:
    return name not in _KNOWN and value is not None and not is_blank(value)


def _near_kind(given: str) -> str | None:
    """The kind that a text seems to mean, for a hint."""
    folded = fold(trim(given))
    if folded in _OTHER_WORDS:
        return _OTHER_WORDS[folded]
    return slip_of(trim(given), _KINDS)


_MOST_HINTS: Final = 5
_KINDS: Final = tuple(kind.value for kind in Kind)
_OTHER_WORDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("mobile", "app", "inapp", "inappevent"), Kind.MOBILE_EVENT.value),
    **dict.fromkeys(("ios", "android", "mobileevents"), Kind.MOBILE_EVENT.value),
    **dict.fromkeys(("web", "webevents", "website"), Kind.WEB_EVENT.value),
    **dict.fromkeys(("visit", "pageview", "webvisits"), Kind.WEB_VISIT.value),
}
