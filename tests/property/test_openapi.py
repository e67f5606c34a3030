"""What docs/openapi.json says of an event, and what the checks of the layer say: the same."""

import json
from typing import Any

import pytest
from hypothesis import event as note
from hypothesis import given, reject
from hypothesis import strategies as st

from relay.domain.kinds import Kind
from relay.exact_json import UnwritableError, dumps
from relay.rules.fields import is_no_value
from relay.rules.leniency import is_absent
from relay.rules.names import fold
from relay.rules.prepare import prepare
from tests.property.strategies import apps, near_valid_events
from tests.support.builders import NOW
from tests.support.openapi import event_validator

_LOOKED_AT_WITH_A_PHONE = {"phone_region", "phoneRegion"}
"""H5: silent where no phone is read."""


def without_absent(value: Any) -> Any:
    """What the document is about: a field that is null or blank is not there."""
    if not isinstance(value, dict):
        return value
    return {name: without_absent(one) for name, one in value.items() if not is_absent(one)}


def _as_told(event: dict[str, Any]) -> Any:
    """The event without what may be wrong silently: no value (M3), a region without a phone."""
    told = {
        name: value
        for name, value in event.items()
        if name not in _LOOKED_AT_WITH_A_PHONE
        and not (fold(name) == "eventvalue" and is_no_value(value))
    }
    return without_absent(told)


@pytest.mark.parametrize("kind", list(Kind))
@given(data=st.data())
def test_event_that_breaks_the_document_is_told_of(kind: Kind, data: st.DataObject) -> None:
    event = data.draw(near_valid_events(kind))
    app = data.draw(apps(kind))
    try:
        given_in = json.loads(dumps(event))
    except UnwritableError:
        reject()
    is_valid = event_validator(kind).is_valid(_as_told(given_in))
    note(f"valid: {is_valid}")

    findings = prepare(kind, app, event, NOW).findings

    assert is_valid or findings
