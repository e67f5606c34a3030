from decimal import Decimal
from typing import Any

import pytest

from relay.domain.findings import Findings, Severity
from relay.rules.payload import write


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_write_body_is_compact_utf8_in_its_order() -> None:
    findings = Findings()

    written = write({"b": "é", "a": Decimal("1E+3")}, {}, findings)

    assert written == b'{"b":"\xc3\xa9","a":1000}'
    assert findings.as_tuple() == ()


def test_write_field_without_a_json_form_is_rejected_under_its_own_rule() -> None:
    findings = Findings()

    write({"event_name": "x", "ua": "\ud800", "os": "\udfff"}, {"ua": "M19", "os": "M12"}, findings)

    assert [(item.rule, item.severity, item.field) for item in findings.as_tuple()] == [
        ("M19", Severity.REJECT, "ua"),
        ("M12", Severity.REJECT, "os"),
    ]


def test_write_field_without_a_rule_of_its_own_is_rejected_all_the_same() -> None:
    findings = Findings()

    write({"other": "\ud800"}, {}, findings)

    assert [item.rule for item in findings.as_tuple()] == ["E3"]


@pytest.mark.parametrize("levels", range(225, 265))
def test_write_body_of_any_depth_is_written_or_rejected(levels: int) -> None:
    """An empty body that nobody rejected would be sent."""
    findings = Findings()

    written = write({"event_value": nested(levels)}, {"event_value": "W5"}, findings)

    assert bool(written) is not findings.rejected
