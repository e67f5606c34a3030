"""What docs/openapi.json says of an event, and what the checks of the layer say: the same."""

import json
from typing import Any

import pytest
from hypothesis import event as note
from hypothesis import given, reject
from hypothesis import strategies as st

from relay.domain.findings import Severity
from relay.domain.kinds import Kind
from relay.exact_json import UnwritableError, dumps
from relay.rules.leniency import is_absent
from relay.rules.prepare import prepare
from tests.builders import NOW
from tests.openapi import event_validator
from tests.property.strategies import apps, near_valid_events

TOLD = {Severity.REJECT, Severity.WARN}


def without_absent(value: Any) -> Any:
    """What the document is about: a field that is null or blank is not there."""
    if not isinstance(value, dict):
        return value
    return {name: without_absent(one) for name, one in value.items() if not is_absent(one)}


@pytest.mark.parametrize("kind", list(Kind))
@given(data=st.data())
def test_event_that_breaks_the_document_is_told_of(kind: Kind, data: st.DataObject) -> None:
    event = data.draw(near_valid_events(kind))
    app = data.draw(apps(kind))
    try:
        given_in = json.loads(dumps(event))
    except UnwritableError:
        reject()
    is_valid = event_validator(kind).is_valid(without_absent(given_in))
    note(f"valid: {is_valid}")

    findings = prepare(kind, app, event, NOW).findings

    assert is_valid or {finding.severity for finding in findings} & TOLD
