import json
from datetime import UTC, datetime
from typing import Any

import pytest

from relay.domain.kinds import Kind
from relay.errors import NotAnEnvelopeError
from relay.exact_json import UnwritableError, loads
from relay.messages.envelope import (
    DEAD_LETTER_FIELDS,
    Envelope,
    dead_letter_of_no_envelope,
    money_without_id,
    parse_envelope,
    stamped,
    write_envelope,
)
from tests.builders import NOW, make_envelope, make_event
from tests.hostile_values import SURROGATE, nested


def parsed(**fields: Any) -> Envelope:
    return parse_envelope(json.dumps(make_envelope(**fields)))


def problem(body: str) -> str:
    with pytest.raises(NotAnEnvelopeError) as caught:
        parse_envelope(body)
    return str(caught.value)


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


@pytest.mark.parametrize("event", [None, 5, "x", [], {}], ids=repr)
def test_parse_envelope_with_any_json_as_event_is_one(event: object) -> None:
    """What is wrong with an event is for `prepare` to say."""
    assert parsed(event=event).event == event


def test_parse_envelope_keeps_numbers_exact() -> None:
    envelope = parse_envelope(body_with("event", '{"eventValue":{"af_revenue":0.10}}'))

    assert str(envelope.event["eventValue"]["af_revenue"]) == "0.10"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ('"2026-11-22T12:00:00Z"', datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ('"2026-11-22T12:00:00+05:30"', datetime(2026, 11, 22, 6, 30, tzinfo=UTC)),
        ('"2026-11-22T12:00:00.123-08:00"', datetime(2026, 11, 22, 20, 0, 0, 123_000, tzinfo=UTC)),
        ("1795348741", datetime(2026, 11, 22, 11, 59, 1, tzinfo=UTC)),
        ("null", None),
    ],
)
def test_parse_envelope_reads_a_moment_of_any_offset_in_utc(
    text: str, moment: datetime | None
) -> None:
    not_before = parse_envelope(body_with("not_before", text)).not_before

    assert not_before == moment
    assert not_before is None or not_before.tzinfo is UTC


@pytest.mark.parametrize("name", sorted(DEAD_LETTER_FIELDS))
def test_parse_envelope_of_a_dead_letter_leaves_its_marks_aside(name: str) -> None:
    """SQS itself can move a dead letter back."""
    assert parsed(**{name: "x"}) == parsed()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "jane@example.com",
        "null",
        "[]",
        "[{}]",
        "5",
        '"{}"',
        "{}",
        '{"email":"jane@example.com"}',
        "[" * 100_000,
        "1e99999999999999999999",
        '{"app_id":"id1","kind":"mobile_event"}',
        '{"app_id":"id1","event":{}}',
        '{"kind":"mobile_event","event":{}}',
        '{"app_id":"id1","kind":"mobile_event","event":{},"jane@example.com":1}',
        '{"app_id":"id1","kind":"mobile_event","event":{},"eventName":"jane@example.com"}',
    ],
    ids=lambda value: f"{value:.72}",
)
def test_parse_envelope_of_what_is_none_raises_and_never_quotes_it(body: str) -> None:
    assert "jane" not in problem(body)


def test_parse_envelope_names_what_is_missing_and_what_is_unknown() -> None:
    assert problem('{"kind":"mobile_event","eventName":"x"}') == (
        "not an envelope (missing: app_id, event; unknown: eventName)"
    )


def test_parse_envelope_names_no_more_than_five_unknown_fields() -> None:
    fields = {f"field_{number}": 1 for number in range(1_000)}

    assert problem(json.dumps(fields)).count("field_") == 5


HUGE = "1e999999999999999999"  # an integer made of it would need all memory there is


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("app_id", text) for text in ("null", "5", "true", '""', "[]", '"\\ud800"')),
        ("app_id", json.dumps("x" * 256)),
        *(("kind", text) for text in ("null", '"mobile"', "5", '"MOBILE_EVENT"', "[]")),
        *(("event_id", text) for text in ("5", '""', "[]", '"\\ud800"', json.dumps("x" * 257))),
        *(("not_before", text) for text in ('"x"', '"2026-11-22"', '"2026-11-22T12:00:00"')),
        *(("not_before", text) for text in ("[]", '"9999-12-31T23:59:59-01:00"')),
        ("not_before", '"0001-01-01T00:00:00+01:00"'),
        *(("first_seen", text) for text in ('"2026-11-22T12:00:00"', "{}")),
        *(("held_since", text) for text in ('"2026-11-22T12:00:00"', "{}")),
        *(("attempts", text) for text in ("-1", "1001", "1.5", '"3"', "true", "null", HUGE)),
        *(("findings", text) for text in ("5", "[5]", '[{"rule":5}]', '"x"')),
    ],
    ids=lambda value: f"{value:.30}",
)
def test_parse_envelope_field_of_a_wrong_form_is_named(name: str, text: str) -> None:
    assert problem(body_with(name, text)).startswith(f"{name}: ")


def test_parse_envelope_fault_never_quotes_the_value() -> None:
    assert "jane" not in problem(body_with("not_before", '"jane@example.com"'))
    assert "jane" not in problem(body_with("kind", '"jane@example.com"'))


@pytest.mark.parametrize("name", ["not_before", "first_seen", "held_since"])
def test_parse_envelope_number_beyond_all_time_is_no_crash(name: str) -> None:
    assert problem(body_with(name, "1e400")).startswith(name)


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


@pytest.mark.parametrize("character", ["\ufffe", "\uffff"], ids=ascii)
def test_write_envelope_character_that_sqs_refuses_is_escaped(character: str) -> None:
    event = {f"a{character}": [f"{character}b", "\ufffd\U0001f600é"]}

    written = write_envelope(parsed(), event)

    assert character not in written
    assert json.loads(written)["event"] == event


@pytest.mark.parametrize("code", [0x00, 0x08, 0x0B, 0x1F])
def test_write_envelope_control_character_is_escaped(code: int) -> None:
    """SQS takes tab, newline and carriage return, and no other of them."""
    written = write_envelope(parsed(), {"a": chr(code)})

    assert chr(code) not in written
    assert json.loads(written)["event"] == {"a": chr(code)}


def test_write_envelope_keeps_numbers_exact() -> None:
    event = loads('{"a":49.90,"b":1e3,"c":123456789012345678901234567890}')

    written = write_envelope(parsed(), event)

    assert '{"a":49.90,"b":1000,"c":123456789012345678901234567890}' in written


@pytest.mark.parametrize("event", [{"a": SURROGATE}, nested(300)], ids=["surrogate", "deep"])
def test_write_envelope_event_without_a_json_form_raises(event: dict[str, Any]) -> None:
    with pytest.raises(UnwritableError):
        write_envelope(parsed(), event)


# At the door


@pytest.mark.parametrize("given", [{}, {"eventTime": None}, {"eventTime": " "}], ids=str)
def test_stamped_mobile_event_without_a_time_has_that_of_its_coming(given: dict[str, Any]) -> None:
    assert stamped(Kind.MOBILE_EVENT, given, NOW) == {"eventTime": "2026-03-02 12:00:00.000"}


@pytest.mark.parametrize("kind", [Kind.WEB_EVENT, Kind.WEB_VISIT])
@pytest.mark.parametrize("given", [{}, {"timestamp": None}], ids=str)
def test_stamped_web_event_without_a_time_has_that_of_its_coming(
    kind: Kind, given: dict[str, Any]
) -> None:
    assert stamped(kind, given, NOW) == {"timestamp": 1_772_452_800_000}


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (Kind.MOBILE_EVENT, {"eventTime": "2026-03-02"}),
        (Kind.MOBILE_EVENT, {"eventTime": 0}),
        (Kind.WEB_EVENT, {"timestamp": "x"}),
        (Kind.WEB_EVENT, {"timestamp": 0}),
        (Kind.WEB_VISIT, {"timestamp": ""}),
        (Kind.MOBILE_EVENT, None),
        (Kind.MOBILE_EVENT, []),
        (Kind.WEB_EVENT, "x"),
    ],
)
def test_stamped_event_with_a_time_and_what_is_no_event_are_left_alone(
    kind: Kind, given: object
) -> None:
    assert stamped(kind, given, NOW) is given


def test_stamped_event_is_another_one_and_the_given_stays_as_it_was() -> None:
    given: dict[str, Any] = {}

    stamped(Kind.MOBILE_EVENT, given, NOW)

    assert given == {}


def test_money_without_id_is_a_warning_of_s6() -> None:
    finding = money_without_id()

    assert (finding.rule, finding.severity, finding.field) == ("S6", "warn", "event_id")


# What is no envelope


@pytest.mark.parametrize(
    ("body", "size", "digest"),
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
    assert json.loads(dead_letter_of_no_envelope(body, "m-1", "not JSON", NOW)) == {
        "reason": "not_an_envelope",
        "outcome": "rejected",
        "message": "not JSON",
        "message_id": "m-1",
        "bytes": size,
        "sha256": digest,
        "dead_since": "2026-03-02T12:00:00.000Z",
    }


@pytest.mark.parametrize("findings", [[1] * 10_000, [{}] * 1_001], ids=["none are", "too many"])
def test_parse_envelope_with_findings_that_are_none_or_too_many_stops_at_the_first(
    findings: list[Any],
) -> None:
    """What is wrong with each of half a million would take a quarter of a gigabyte."""
    said = problem(json.dumps({**make_envelope(), "findings": findings}))

    assert said.count("findings: ") == 1
