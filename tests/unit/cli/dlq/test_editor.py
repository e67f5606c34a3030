"""The event as an editor gets it."""

from relay.exact_json import dumps_sorted, loads_once
from relay_cli.dlq.editor import indented

TEXT = """{
  "a": 12345678901234567.890123456789,
  "b": [
    {
      "c": "\\u0000 \u00e9 \\"x\\""
    },
    [],
    {},
    null
  ],
  "d": 100000000000000000000000
}"""


def test_indented_json_is_the_event_to_the_digit() -> None:
    event = loads_once(TEXT)

    assert indented(event) == TEXT
    assert dumps_sorted(loads_once(indented(event))) == dumps_sorted(event)
