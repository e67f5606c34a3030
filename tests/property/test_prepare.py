"""What holds for every event, whoever made it up."""

import json
from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from relay.domain.kinds import App, Kind
from relay.exact_json import dumps
from relay.messages.envelope import Envelope, write_envelope
from relay.messages.reader import parse_envelope
from relay.rules.prepare import Prepared, prepare
from tests.property.strategies import (
    any_text,
    apps,
    kinds,
    moments,
    near_valid_events,
    python_values,
)
from tests.support.builders import MOBILE_APP, NOW


def is_whole(prepared: Prepared) -> bool:
    """Whether verdict, body, time and findings say the same."""
    rejected = any(item.severity == "reject" for item in prepared.findings)
    return (
        (prepared.verdict == "reject") == rejected
        and (prepared.body is None) == rejected
        and (prepared.recorded is None)
        == any(item.rule == "E3" and item.field == "event" for item in prepared.findings)
        and prepared.body != b""
    )


@given(kinds, any_text, python_values, moments, st.none() | any_text)
def test_prepare_of_anything_at_all_never_raises(
    kind: Kind, app_id: str, event: Any, now: datetime, event_id: str | None
) -> None:
    assert is_whole(prepare(kind, App(app_id), event, now, event_id))


@given(st.data(), kinds, moments)
def test_prepare_of_an_event_with_odd_fields_never_raises(
    data: st.DataObject, kind: Kind, now: datetime
) -> None:
    event = data.draw(near_valid_events(kind, python_values))

    assert is_whole(prepare(kind, data.draw(apps(kind)), event, now, "order-1"))


@given(st.data(), st.integers(0, 1_100))
def test_body_of_a_mobile_event_is_json_of_at_most_1024_bytes(
    data: st.DataObject, filling: int
) -> None:
    """E5, M3, M23. The filling brings many of them close to the limit."""
    event = data.draw(near_valid_events(Kind.MOBILE_EVENT))
    event["custom_dimension"] = data.draw(st.sampled_from('xé✓"')) * filling

    body = prepare(Kind.MOBILE_EVENT, data.draw(apps(Kind.MOBILE_EVENT)), event, NOW).body

    if body is not None:
        assert len(body) <= 1024
        assert isinstance(json.loads(body.decode("utf-8"))["eventValue"], str)


@given(st.data(), kinds)
def test_event_that_is_sent_and_kept_gives_the_same_payload_again(
    data: st.DataObject, kind: Kind
) -> None:
    """Also after it has been through a queue as text."""
    app = data.draw(apps(kind))
    first = prepare(kind, app, data.draw(near_valid_events(kind)), NOW, "order-1")
    if first.body is None:
        return

    envelope = Envelope(app_id=app.id, kind=kind, event=None, event_id="order-1")
    read = parse_envelope(write_envelope(envelope, first.event))

    again = prepare(kind, app, first.event, NOW, "order-1")

    assert again.body == first.body
    assert "repair" not in {item.severity for item in again.findings}
    assert prepare(kind, app, read.event, NOW, "order-1").body == first.body


@given(st.data(), kinds)
def test_event_of_any_verdict_can_be_queued_and_is_kept_as_it_is_from_then_on(
    data: st.DataObject, kind: Kind
) -> None:
    app = data.draw(apps(kind))
    first = prepare(kind, app, data.draw(near_valid_events(kind)), NOW, "order-1")

    again = prepare(kind, app, first.event, NOW, "order-1")

    assert dumps({"event": first.event})
    assert again.event == first.event


# No raw identity leaves

NAME = "Qzvxname"
EMAIL = f"{NAME}@example.com"
PHONE = "2025550147"

raw_values = st.sampled_from(
    [
        *(EMAIL, EMAIL.upper(), f"  {EMAIL}\n", f"{NAME}@@example.com"),
        *(NAME, f"{NAME} O'Neil", f"{NAME}\ud800"),
        *(PHONE, f"+1{PHONE}", f"{PHONE}000000000", PHONE[3:] + PHONE, int(PHONE)),
        *([EMAIL], {"value": EMAIL}, [[NAME]], {"name": NAME}),
    ]
)
places_of_identity = st.sampled_from(
    [
        *("email", "email_hashed", "e_mail", "Email", "emial", "mail"),
        *("phone", "phone_number_hashed", "phone_number_e164_hashed"),
        *("phoneNumber", "phnoe", "mobile_number", "msisdn"),
        *("first_name", "last_name", "first_name_hashed", "last_name_hashed"),
        *("firstName", "lastname", "full_name"),
    ]
)
other_places = st.sampled_from(
    ["contact", "user", "event", "ip", "idfa", "att", "aie", "consent_data", "app_set_id"]
)


def everything_shown(prepared: Prepared) -> str:
    """All of it that is sent, queued, kept or told, as one text."""
    return f"{prepared.body!r} {prepared.findings!r} {prepared.event!r}".lower()


def holds_raw_identity(text: str) -> bool:
    return NAME.lower() in text or PHONE in text


@given(st.data(), kinds, st.dictionaries(places_of_identity, raw_values, min_size=1, max_size=4))
def test_raw_identity_in_its_field_or_beside_it_is_neither_sent_nor_kept_nor_told(
    data: st.DataObject, kind: Kind, raw: dict[str, Any]
) -> None:
    event = data.draw(st.one_of(st.just({}), near_valid_events(kind)))

    prepared = prepare(kind, data.draw(apps(kind)), {**event, **raw}, NOW, "order-1")

    assert not holds_raw_identity(everything_shown(prepared))


@given(
    kinds,
    st.dictionaries(
        other_places, st.sampled_from([EMAIL, [EMAIL], {"a": {"email": NAME}}]), min_size=1
    ),
)
def test_email_address_in_a_field_of_another_kind_is_neither_sent_nor_kept_nor_told(
    kind: Kind, raw: dict[str, Any]
) -> None:
    prepared = prepare(kind, App(MOBILE_APP), raw, NOW)

    assert not holds_raw_identity(everything_shown(prepared))


@given(
    kinds,
    st.dictionaries(
        st.sampled_from(["email", "phone", "name", "contact"]), st.just(EMAIL), min_size=1
    ),
)
def test_raw_identity_inside_the_user_is_neither_sent_nor_kept_nor_told(
    kind: Kind, raw: dict[str, Any]
) -> None:
    event = {"user_id": {"customer_user_id": "u-1", **raw}, "event_name": "x"}

    prepared = prepare(kind, App(MOBILE_APP), event, NOW)

    assert prepared.verdict == "reject"
    assert not holds_raw_identity(everything_shown(prepared))
