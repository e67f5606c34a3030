"""The search for people is able to fail: whatever form they are in, and whoever it is."""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from tests.faults.personas import personas, traces_in

CLEAN = (
    '{"email_hashed": "5fa2f6b5ee0c4e4ab8fe2df6cf65aa64c4f1e0f3d9f7f6c8a1b2c3d4e5f60718", '
    '"SentTimestamp": "1772452795000", "time": "2026-03-02 12:00:00.000", "status": 202, '
    '"at": "2025-05-01"}'
)
"""What there is anyhow, dates of 2025 included."""

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper case": str.upper,
    "lower case": str.lower,
    "percent-encoded": quote,
    "as a query": quote_plus,
    "percent-encoded twice": lambda text: quote(quote(text)),
    "to the last byte": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "JSON": json.dumps,
    "JSON in JSON": lambda text: json.dumps(json.dumps({"a": text})),
    "bytes": lambda text: repr(text.encode()),
    "hexadecimal": lambda text: text.encode().hex(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, amid others": lambda text: base64.b64encode(f'{{"a":"{text}"}}'.encode()).decode(),
    "base64, one further": lambda text: base64.b64encode(f'{{"ab":"{text}"}}'.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(f"x{text}y".encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("field", ["email", "phone", "first_name", "last_name"])
def test_search_finds_each_value_in_each_form(field: str, form: str) -> None:
    for person in personas(12):
        planted = FORMS[form](getattr(person, field))
        assert traces_in(f"{CLEAN} {planted} {CLEAN}"), (person.number, planted)


@pytest.mark.parametrize(
    "number", ["+1 202 555 0123", "(202) 555-0123", "202.555.0123", "12025550123", "1-202-555-0123"]
)
def test_search_finds_a_phone_number_however_it_is_formatted(number: str) -> None:
    assert traces_in(f'{{"phone": "{number}"}}')


def test_search_finds_nobody_where_nobody_is() -> None:
    assert traces_in(CLEAN * 3) == []


def test_search_finds_part_of_an_address() -> None:
    assert traces_in("the host of zyxaphora.quillfeather was not found")
