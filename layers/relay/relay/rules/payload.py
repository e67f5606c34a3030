"""How one event is checked, field by field, and its body written: the same on both surfaces."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Generic, NamedTuple, TypeVar

from relay.domain.findings import Findings
from relay.exact_json import UnwritableError, dumps_with_room, without_lone_surrogates
from relay.rules.fields import is_no_value
from relay.rules.identity_fields import HASHED_FIELDS, ZERO_DIGEST
from relay.rules.leniency import (
    AS_IT_IS,
    FORMS,
    MAY_BE_A_PLACEHOLDER,
    Form,
    is_absent,
    read,
    trim,
)
from relay.rules.names import Resolved

Context = TypeVar("Context")
"""What the checks of one event share."""


class Content(NamedTuple):
    """What makes an event this one and no other: name, money, person, time. As it is sent."""

    name: str | None
    """`eventName` (M2), `event_name` (W2); of a visit its `event_url` (W6)."""
    revenue: object
    """`af_revenue` (M4), `event_revenue` (W3): text or number; where AppsFlyer would not see the
    money, the amount that was found. None without revenue."""
    currency: str | None
    """`eventCurrency` (M5), `event_revenue_currency` (W4)."""
    appsflyer_id: str | None
    """M1, W1. None if it was looked up: then it is not the sender's."""
    customer_user_id: str | None
    """M19, W1."""
    email_hashed: str | None
    """H1. Not the hashes of a phone number: they depend on the app's settings (H5)."""
    time: datetime | None
    """`eventTime` (M6), `timestamp` (W7), if it can be read."""


class CheckedEvent(NamedTuple):
    """A checked event. Rejected events have one too, because their hashes are needed."""

    body: bytes
    sent: dict[str, Any]
    """The fields of the body."""
    value: Mapping[str, Any] | None
    """The `eventValue` of a mobile event, which the body holds as text."""
    resolved: Resolved
    """The event's fields under their own names, as they came, and its other names."""
    hashes: Mapping[str, str]
    has_revenue: bool
    content: Content


class Field(NamedTuple, Generic[Context]):
    """One field of the payload: its rule, and what is sent of its value."""

    name: str
    rule: str
    check: Callable[[Any, str, Context], Any]
    """Gets the value after G1, G2 and G4, never None, and returns what is sent of it. Where that is
    None, it has reported why."""
    when_missing: Callable[[str, Context], Any] | None = None
    """Called if there is no value; returns what is sent in its place."""
    is_required: bool = False
    """A placeholder is then as no value (G4), without a warning of its own."""
    form: Form = AS_IT_IS
    """What its values are forgiven; from the table of `leniency`."""
    keeps_text: bool = True
    """Whether its form leaves a text a text (G2)."""


class FieldTable(Generic[Context]):
    """Every field of one kind of event that is sent, in the order of the payload."""

    def __init__(self, *rows: Field[Context]) -> None:
        """Gives each row its form."""
        forms = [FORMS.get(row.name, AS_IT_IS) for row in rows]
        self.rows = tuple(
            row._replace(form=form, keeps_text=form.keeps_text)
            for row, form in zip(rows, forms, strict=True)
        )
        self.to_check = lru_cache(maxsize=512)(self._to_check)
        """The rows to check of an event with fields of these names: most events of a sender have
        the same."""

    def _to_check(self, names: tuple[str, ...]) -> tuple[Field[Context], ...]:
        return tuple(row for row in self.rows if row.name in names or row.when_missing is not None)


def check_fields(
    table: FieldTable[Context],
    fields: Mapping[str, Any],
    context: Context,
    body: dict[str, Any],
    findings: Findings,
) -> None:
    """Adds what is sent of each field to the body; reports placeholders and repairs (G1, G2)."""
    to_check = table.to_check(tuple(fields))
    for name, rule, check, when_missing, is_required, form, keeps_text in to_check:
        value = fields.get(name)
        if value is None:
            sent = None if when_missing is None else when_missing(name, context)
        # Most values are read as they are, which is seen sooner than `read` finds it out.
        elif (
            keeps_text
            and value.isascii()
            and value.strip() is value
            and value[:2] not in MAY_BE_A_PLACEHOLDER
            if value.__class__ is str
            else value.__class__ is dict
        ):
            sent = check(value, name, context)
        else:
            meant, is_changed, is_placeholder = read(value, form)
            if meant is not None:
                sent = check(meant, name, context)
                if is_changed and sent is not None:
                    repair_of(rule, name, value, findings)
            elif is_placeholder and not is_required:
                warn_of_placeholder(rule, name, findings)
                continue
            else:
                sent = None if when_missing is None else when_missing(name, context)
        if sent is not None:
            body[name] = sent


def warn_of_placeholder(rule: str, field: str, findings: Findings) -> None:
    """G4 in an optional field."""
    findings.warn(rule, field, "holds a placeholder, which stands for nothing: left out")


def warn_of_placeholders(
    table: FieldTable[Context], fields: Collection[str], findings: Findings
) -> None:
    """G4 of fields in whose place another spelling is read (2.1, rule 5)."""
    for row in table.rows:
        if row.name in fields and row.name not in _VALUES and not row.is_required:
            warn_of_placeholder(row.rule, row.name, findings)
    for field in HASHED_FIELDS:
        if field in fields:
            warn_of_placeholder("H6", field, findings)


def repair_of(rule: str, field: str, value: object, findings: Findings) -> None:
    """G1 and G2: the value was sent in its one right form."""
    has_edges = isinstance(value, str) and trim(value) != value
    findings.repair(rule, field, _HAD_EDGES if has_edges else _HAD_ANOTHER_TYPE)


_HAD_EDGES: Final = "had white space or unseen characters around it; sent without"
_HAD_ANOTHER_TYPE: Final = "had another JSON type; sent in the right one"


def write(body: dict[str, Any], rules: Mapping[str, str], findings: Findings) -> bytes:
    """The body as it is sent (E5); a lone surrogate in it becomes U+FFFD (section 0).

    A field without a JSON form is rejected under its own rule, which is in `rules`.
    """
    try:
        return dumps_with_room(body)
    except UnwritableError:
        pass
    for field, value in body.items():
        try:
            body[field] = without_lone_surrogates(value)
            dumps_with_room(body[field])
        except UnwritableError as error:
            findings.reject(rules.get(field, "E3"), field, str(error))
            return b""
    return dumps_with_room(body)


def is_given(field: str, value: object) -> bool:
    """2.1: whether an event holds a field, with more in it than nothing.

    Nothing is `null`, blank text, a placeholder (G4), or a form of no value (M3).
    """
    if is_absent(value):
        return False
    if field in _VALUES:
        return not is_no_value(value)
    if field in HASHED_FIELDS:
        return not (isinstance(value, str) and trim(value) == ZERO_DIGEST)
    if field == "app_set_id":
        device = value.get("id") if isinstance(value, dict) else None
        return not read(device, FORMS["app_set_id.id"]).is_placeholder
    return read(value, FORMS.get(field, AS_IT_IS)).value is not None


_VALUES: Final = frozenset({"eventValue", "event_value"})
