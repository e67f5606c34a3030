import json
from typing import Any

import pytest

from relay.domain.kinds import Kind
from relay.exact_json import UnwritableError, loads
from relay.messages.envelope import (
    DEAD_LETTER_FIELDS,
    Envelope,
    dead_letter_of_no_envelope,
    digest_of,
    money_without_id,
    stamped,
    write_envelope,
)
from relay.messages.reader import parse_envelope
from tests.support.builders import NOW, Json, make_envelope, make_event
from tests.support.every import every
from tests.support.hostile_values import SURROGATE, nested


def parsed(**fields: Any) -> Envelope:
    return parse_envelope(json.dumps(make_envelope(**fields)))


def body_with(name: str, json_text: str) -> str:
    """An envelope with this very text as the value of a field."""
    fields = {**make_envelope(), name: "PLACE"}
    return json.dumps(fields).replace('"PLACE"', json_text)


# Reading


def test_parse_envelope_of_a_producer_gives_what_it_holds() -> None:
    envelope = parsed()

    assert (envelope.app_id, envelope.kind, envelope.event_id) == (
        "id123456789",
        Kind.MOBILE_EVENT,
        "order-1",
    )
    assert envelope.event == make_event()
    assert (envelope.attempts, envelope.first_seen, envelope.held_since) == (0, None, None)


def test_parse_envelope_keeps_numbers_exact() -> None:
    envelope = parse_envelope(body_with("event", '{"eventValue":{"af_revenue":0.10}}'))

    assert str(envelope.event["eventValue"]["af_revenue"]) == "0.10"


@every("name", sorted(DEAD_LETTER_FIELDS))
def test_parse_envelope_of_a_dead_letter_leaves_its_marks_aside(name: str) -> None:
    """SQS itself can move a dead letter back."""
    assert parsed(**{name: "x"}) == parsed()


# Writing


def test_write_envelope_what_was_read_is_written_again() -> None:
    envelope = parsed(not_before="2026-11-22T12:00:00+05:30", attempts=3, event={"b": 1, "a": "é"})

    written = write_envelope(envelope, envelope.event)

    assert json.loads(written) == {
        "app_id": "id123456789",
        "kind": "mobile_event",
        "event": {"b": 1, "a": "é"},
        "event_id": "order-1",
        "not_before": "2026-11-22T06:30:00.000Z",
        "attempts": 3,
    }
    assert parse_envelope(written) == envelope


def test_write_envelope_changes_replace_fields_and_none_takes_them_out() -> None:
    envelope = parsed(attempts=3, held_since="2026-11-22T12:00:00Z")

    written = write_envelope(envelope, {}, attempts=4, held_since=None, reason="test")

    assert json.loads(written) == {
        "app_id": "id123456789",
        "kind": "mobile_event",
        "event": {},
        "event_id": "order-1",
        "attempts": 4,
        "reason": "test",
    }


def test_write_envelope_event_is_the_hashed_one_in_place_of_its_own() -> None:
    envelope = parsed(event={"email": "jane@example.com"})

    assert "jane" not in write_envelope(envelope, {"email_hashed": "0" * 64})


@every("character", ["\ufffe", "\uffff"], ids=ascii)
def test_write_envelope_character_that_sqs_refuses_is_escaped(character: str) -> None:
    event = {f"a{character}": [f"{character}b", "\ufffd\U0001f600é"]}

    written = write_envelope(parsed(), event)

    assert character not in written
    assert json.loads(written)["event"] == event


@every("code", [0x00, 0x08, 0x0B, 0x1F])
def test_write_envelope_control_character_is_escaped(code: int) -> None:
    """SQS takes tab, newline and carriage return, and no other of them."""
    written = write_envelope(parsed(), {"a": chr(code)})

    assert chr(code) not in written
    assert json.loads(written)["event"] == {"a": chr(code)}


def test_write_envelope_keeps_numbers_exact() -> None:
    event = loads('{"a":49.90,"b":1e3,"c":123456789012345678901234567890}')

    written = write_envelope(parsed(), event)

    assert '{"a":49.90,"b":1000,"c":123456789012345678901234567890}' in written


@every("event", [{"a": SURROGATE}, nested(300)], ids=["surrogate", "deep"])
def test_write_envelope_event_without_a_json_form_raises(event: dict[str, Any]) -> None:
    with pytest.raises(UnwritableError):
        write_envelope(parsed(), event)


# At the door


@every("given", [{}, {"eventTime": None}, {"eventTime": " "}], ids=str)
def test_stamped_mobile_event_without_a_time_has_that_of_its_coming(given: dict[str, Any]) -> None:
    assert stamped(Kind.MOBILE_EVENT, given, NOW) == {"eventTime": "2026-03-02 12:00:00.000"}


@every("kind", [Kind.WEB_EVENT, Kind.WEB_VISIT])
@every("given", [{}, {"timestamp": None}], ids=str)
def test_stamped_web_event_without_a_time_has_that_of_its_coming(
    kind: Kind, given: dict[str, Any]
) -> None:
    assert stamped(kind, given, NOW) == {"timestamp": 1_772_452_800_000}


@every(
    "kind, given",
    [
        (Kind.MOBILE_EVENT, {"eventTime": "2026-03-02"}),
        (Kind.MOBILE_EVENT, {"eventTime": 0}),
        (Kind.WEB_EVENT, {"timestamp": "x"}),
        (Kind.WEB_EVENT, {"timestamp": 0}),
        (Kind.WEB_VISIT, {"timestamp": ""}),
    ],
)
def test_stamped_event_with_a_time_is_left_alone(kind: Kind, given: Json) -> None:
    assert stamped(kind, given, NOW) is given


def test_stamped_event_is_another_one_and_the_given_stays_as_it_was() -> None:
    given: dict[str, Any] = {}

    stamped(Kind.MOBILE_EVENT, given, NOW)

    assert given == {}


def test_money_without_id_is_a_warning_of_s6() -> None:
    finding = money_without_id()

    assert (finding.rule, finding.severity, finding.field) == ("S6", "warn", "event_id")


# What is no envelope


@every(
    "body, size, digest",
    [
        ("jane", 4, "81f8f6dde88365f3928796ec7aa53f72820b06db8664f5fe76a7eb13e24546a2"),
        ("é", 2, "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c"),
        ("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (SURROGATE, 3, "91a681b998555fb475479817b126c94e57e52011fa1842c5d188795a4a05226b"),
    ],
    ids=ascii,
)
def test_dead_letter_of_no_envelope_keeps_size_and_digest_alone(
    body: str, size: int, digest: str
) -> None:
    """Of a body that is no envelope nobody knows what it holds. Digests by sha256sum."""
    assert json.loads(dead_letter_of_no_envelope(digest_of(body), "m-1", "not JSON", NOW)) == {
        "reason": "not_an_envelope",
        "outcome": "rejected",
        "message": "not JSON",
        "message_id": "m-1",
        "bytes": size,
        "sha256": digest,
        "dead_since": "2026-03-02T12:00:00.000Z",
    }
