"""The schemas of events, for each kind."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from relay.accept.bodies import MAX_EVENTS
from relay.domain.kinds import Kind
from relay.rules import mobile, web
from relay.rules.payload import FieldTable
from relay_cli.openapi import fields
from relay_cli.openapi.shapes import Components, Schema
from relay_cli.terminal.errors import CliError

_RULE: Final = re.compile(r"\b[EMHW][0-9]{1,2}\b")
_ROW: Final = re.compile(r"^\| ([EMHTWS][0-9]{1,2}) \| (.+?) \|")

_ABSENT: Final = "A field that is null, and a text that is blank, counts as absent."


class _Kind(NamedTuple):
    """What the schema of a kind of event is made of."""

    name: str
    description: str
    forms: Mapping[str, Schema]
    table: FieldTable[Any]
    required: Schema
    forbidden: frozenset[str] = frozenset()


_KINDS: Final[Mapping[Kind, _Kind]] = {
    Kind.MOBILE_EVENT: _Kind(
        "MobileEvent",
        "A mobile in-app event, in AppsFlyer's own field names. Without an `appsflyer_id` it is "
        "looked up by `customer_user_id`.",
        fields.MOBILE,
        mobile.FIELDS,
        {
            "required": ["eventName"],
            "anyOf": [{"required": ["appsflyer_id"]}, {"required": ["customer_user_id"]}],
        },
    ),
    Kind.WEB_EVENT: _Kind(
        "WebEvent",
        "A web event, in AppsFlyer's own field names.",
        fields.WEB,
        web.EVENT_FIELDS,
        {"required": ["event_name"]},
    ),
    Kind.WEB_VISIT: _Kind(
        "WebVisit",
        "A visit to a page, in AppsFlyer's own field names.",
        fields.WEB,
        web.EVENT_FIELDS,
        {"required": ["event_url"]},
        frozenset({"event_name", "event_revenue", "event_revenue_currency"}),
    ),
}


def read_rules(page: Path) -> dict[str, str]:
    """The text of each of AppsFlyer's rules, by its number; raises `CliError`."""
    try:
        lines = page.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise CliError(f"{page} cannot be read: {error.strerror}") from error
    return {row[1]: row[2] for line in lines if (row := _ROW.match(line))}


def events_of(kind: Kind, components: Components, rules: Mapping[str, str]) -> Schema:
    """The schema of a body: one event, or an array of events."""
    what = _KINDS[kind]
    event = components.add(what.name, _event(what, rules))
    array = {"type": "array", "items": event, "minItems": 1, "maxItems": MAX_EVENTS}
    return {"oneOf": [event, array]}


def _event(what: _Kind, rules: Mapping[str, str]) -> Schema:
    return {
        "description": f"{what.description} {_ABSENT}",
        "type": "object",
        **what.required,
        "properties": {
            name: {"description": _text_of(cited, rules), **form}
            for name, form, cited in _fields(what)
            if name not in what.forbidden
        },
        "additionalProperties": False,
    }


def _fields(what: _Kind) -> Iterator[tuple[str, Schema, Iterable[str]]]:
    """Each field, its schema, and the numbers of the rules that its check cites."""
    for row in what.table.rows:
        name, check = row.name, row.check
        if name not in what.forms:
            raise CliError(f"no form is known of the field {name}: add it to openapi/fields.py")
        yield name, what.forms[name], dict.fromkeys(_RULE.findall(check.__doc__ or ""))
    for name, form in fields.IDENTITY.items():
        yield name, form, fields.IDENTITY_RULES[name]


def _text_of(cited: Iterable[str], rules: Mapping[str, str]) -> str:
    return " ".join(f"{rules[rule].rstrip('.')} ({rule})." for rule in cited)
