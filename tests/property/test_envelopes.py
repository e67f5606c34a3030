import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from relay.errors import NotAnEnvelopeError
from relay.exact_json import UnwritableError, dumps
from relay.messages.envelope import Envelope, write_envelope
from relay.messages.reader import parse_envelope
from tests.property.strategies import any_text, json_values
from tests.support.builders import make_envelope

NAMES = [*Envelope.model_fields, "reason", "status", "eventName"]
REFUSED_BY_SQS = {*map(chr, [*range(9), 11, 12, *range(14, 32)]), "\ufffe", "\uffff"}


@given(st.one_of(any_text, st.dictionaries(st.sampled_from(NAMES), json_values)))
def test_parse_envelope_of_any_text_is_an_envelope_or_its_own_error(content: Any) -> None:
    try:
        body = content if isinstance(content, str) else dumps(content).decode()
        parse_envelope(body)
    except (NotAnEnvelopeError, UnwritableError):
        return


@given(st.dictionaries(st.sampled_from(NAMES), json_values, max_size=2))
def test_parse_envelope_with_odd_fields_is_an_envelope_or_its_own_error(
    changes: dict[str, Any],
) -> None:
    try:
        parse_envelope(dumps({**make_envelope(), **changes}).decode())
    except (NotAnEnvelopeError, UnwritableError):
        return


@given(st.dictionaries(any_text, json_values, max_size=4))
def test_write_envelope_of_any_event_is_text_that_sqs_takes_and_reads_back(
    event: dict[str, Any],
) -> None:
    envelope = parse_envelope(json.dumps(make_envelope()))
    try:
        written = write_envelope(envelope, event)
    except UnwritableError:
        return

    assert REFUSED_BY_SQS.isdisjoint(written)
    assert written.encode("utf-8")
    assert parse_envelope(written).event == event
