"""The money trail: how a provider's objects belong together, whose they are, and past decisions.

Refunds, disputes and adjustments name only a payment. So the trail keeps the links of all notices,
in whatever order they come. One item for each object (pk `<source>#<ref>`, sk `node`): the refs
that it leads to, customer hints, since when a return is held; of a subscription, its start, the end
of its trial and its first money; of a payment, what was promised; what else happened to it when,
also more than once. One item for each movement (sk `decision`), written once, so that a redelivery
yields the same event. For a payment that is reported net, or whose returns are its shares, one item
for each part given back (sk `part#0` ...). For money that two sorts of webhooks tell of, one item
for each telling and one for the money (sk `telling#<amount>#...`).

Every item names its customer, so that `forget` finds it. A link seen before its customer is known
leaves a back-reference at its target; the target's customer owns the link once known.

An item that a person has edited so that it cannot be read is an error, never absent: what was
decided once must not be decided again.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple, Self

from relay.aws.table import (
    LONGEST_PK_BYTES,
    Condition,
    Item,
    Key,
    StoredItem,
    Table,
    is_key_text,
)
from relay.domain.movements import (
    NO_HINTS,
    Amount,
    CustomerHints,
    Link,
    MovementKind,
    Ref,
    Telling,
)
from relay.errors import UnreadableItemError
from relay.instants import Clock, to_milliseconds, utc_now
from relay.stores.attributes import Attributes
from relay.stores.decision import Decision

_NODE: Final = "node"
_DECISION: Final = "decision"
_PART: Final = "part"
_TELLING: Final = "telling"
_TO: Final = "to_"
_BY: Final = "by_"
_AT: Final = "at_"
_PAID: Final = "paid_"
_STARTED: Final = "started"
_TRIAL_END: Final = "trial_end"
_OPENED_BY: Final = "opened_by"
_FIRST: Final = "first_payment"
_LATER: Final = "later_payment"
_PROMISED_GROSS: Final = "promised_gross"
_PROMISED_NET: Final = "promised_net"
_PROMISED_CURRENCY: Final = "promised_currency"
_HELD_SINCE: Final = "held_since"
_TOLD_AT: Final = "told_at_"
_EXPIRES_AT: Final = "expires_at"
_MOST_STEPS: Final = 8
_MOST_REFS: Final = 60
_MOST_PARTS: Final = 100
_DISTANCES: Final = {"subscription": 1, "customer": 2}
_HINTS: Final = tuple(one.name for one in fields(CustomerHints))


@dataclass(frozen=True, slots=True)
class History:
    """What is known of a subscription's money."""

    started: datetime | None = None
    """Its start, if it was seen."""
    trial_end: datetime | None = None
    first_payment: Ref | None = None
    """The money that was reported as its first."""
    later_payment: Ref | None = None
    """Money that was reported as a renewal although no first payment was known."""
    opened_by: Ref | None = None
    """The payment, perhaps of nothing, that began it."""
    payments: Mapping[Ref, datetime] = field(default_factory=dict)
    """Money of which it is not decided yet whether it is the first, and when it was paid."""

    @property
    def is_settled(self) -> bool:
        """Whether further money is known to be a renewal."""
        return self.first_payment is not None or self.later_payment is not None


@dataclass(slots=True)
class TrailLookup:
    """The result of following links from some refs to their customer, the nearest first."""

    hints: CustomerHints = NO_HINTS
    held_since: datetime | None = None
    """Since when a return that was met is held, as `note_hold` wrote it; of several, the latest."""
    decisions: dict[Ref, Decision] = field(default_factory=dict)
    told: dict[Ref, set[datetime]] = field(default_factory=dict)
    """The moments at which a thing happened (`Link.told_at`)."""
    seen: list[Ref] = field(default_factory=list)
    ownerless: list[Ref] = field(default_factory=list)
    """Refs of nodes without a known customer."""
    back_references: set[Ref] = field(default_factory=set)
    """Refs of recorded links that lead to one of the nodes."""
    moments: dict[str, datetime] = field(default_factory=dict)
    """`Link.moments` of all nodes; of one name, the nearest."""
    histories: dict[Ref, History] = field(default_factory=dict)
    """Of each node; only a subscription's has anything in it."""
    promises: dict[Ref, Amount] = field(default_factory=dict)
    """What was promised of the payments that were met: see `Link.promised`."""

    def add_node(self, ref: Ref, node: StoredItem | None, decision: StoredItem | None) -> set[Ref]:
        """Adds a node and its decision; returns the refs that the node leads to.

        Raises `UnreadableItemError`.
        """
        self.seen.append(ref)
        if decision is not None:
            self.decisions[ref] = Decision.of_item(decision)
        if node is None:
            return set()
        attributes = Attributes(_NODE, node)
        hints = CustomerHints(**{name: attributes.text(name) for name in _HINTS if name in node})
        self.hints = self.hints.or_else(hints)
        self.back_references |= _refs(node, _BY)
        if hints.customer_user_id is None:
            self.ownerless.append(ref)
        for name in node:
            if name.startswith(_AT):
                self.moments.setdefault(name.removeprefix(_AT), attributes.moment(name))
        if _HELD_SINCE in node:
            self._add_hold(attributes.moment(_HELD_SINCE))
        self.histories[ref] = _history(attributes)
        if _PROMISED_GROSS in node:
            self.promises[ref] = _promise(attributes)
        if told := {attributes.moment(name) for name in node if name.startswith(_TOLD_AT)}:
            self.told[ref] = told
        return _refs(node, _TO)

    def _add_hold(self, since: datetime) -> None:
        self.held_since = since if self.held_since is None else max(self.held_since, since)

    def first(self, kinds: Collection[MovementKind]) -> Decision | None:
        """The nearest decision of one of these kinds."""
        ref = self.first_ref(kinds)
        return None if ref is None else self.decisions[ref]

    def first_ref(self, kinds: Collection[MovementKind]) -> Ref | None:
        """The ref of the nearest decision of one of these kinds."""
        return next((ref for ref, one in self.decisions.items() if one.kind in kinds), None)


class Part(NamedTuple):
    """A part given back of a payment."""

    ref: Ref
    gross: Decimal
    """Below zero if it brings a part back."""
    at: int
    """When it was given back, in Unix milliseconds; 0 for one that release 0.1 kept."""
    is_rest: bool = False
    """Whether it is all that was left then."""

    @classmethod
    def of_item(cls, item: StoredItem) -> Self:
        """Raises `UnreadableItemError`."""
        attributes = Attributes(_PART, item)
        at = attributes.whole("at") if "at" in item else 0
        return cls(attributes.text("part"), attributes.amount("gross"), at, "rest" in item)

    def as_item(self, customer_user_id: str | None) -> Item:
        """The part as an item of a table, with its owner."""
        owner = {} if customer_user_id is None else {"customer_user_id": customer_user_id}
        rest = {"rest": 1} if self.is_rest else {}
        return {"part": self.ref, "gross": f"{self.gross:f}", "at": self.at, **rest, **owner}


Fit = Callable[[Sequence[Part]], Part | None]
"""A new part beside those that are there, in the order in which they came; None if it must wait."""


class Trail:
    """The table of the money trail. Every method blocks and raises `TableUnavailableError`.

    All but `learn`, the `note_...` methods, `add_back_references` and `forget` also raise
    `UnreadableItemError`.
    """

    def __init__(self, table: Table, keep_days: int, clock: Clock = utc_now) -> None:
        self._table = table
        self._keep = timedelta(days=keep_days)
        self._clock = clock

    def learn(self, source: str, links: Iterable[Link]) -> None:
        """Stores the links of a notice: one write unit for each link with any content."""
        for link in links:
            attributes = _attributes(link)
            if attributes:
                self._table.merge(_key(source, link.ref, _NODE), {**attributes, **self._expiry()})

    def note_hold(self, source: str, ref: Ref, since: datetime) -> None:
        """Notes since when a return is held for its payment: its reversal then waits with it."""
        noted: dict[str, str | int] = {_HELD_SINCE: to_milliseconds(since), **self._expiry()}
        self._table.merge(_key(source, ref, _NODE), noted)

    def note_payment(self, source: str, subscription: Ref, payment: Ref, at: datetime) -> None:
        """Notes money of a subscription, of which it is not decided whether it is the first."""
        noted: dict[str, str | int] = {_PAID + payment: to_milliseconds(at), **self._expiry()}
        self._table.merge(_key(source, subscription, _NODE), noted)

    def note_decided(self, source: str, subscription: Ref, payment: Ref, *, is_first: bool) -> None:
        """Notes the money that decides what a subscription's further money is."""
        noted: dict[str, str | int] = {_FIRST if is_first else _LATER: payment, **self._expiry()}
        self._table.merge(_key(source, subscription, _NODE), noted)

    def look_up(self, source: str, refs: Iterable[Ref]) -> TrailLookup:
        """Follows links from these refs to everything they lead to; one read for each step."""
        lookup, step = TrailLookup(), list(dict.fromkeys(refs))
        for _ in range(_MOST_STEPS):
            if not step:
                break
            items = self._read(source, step)
            onward = set[Ref]()
            for ref in step:
                onward |= lookup.add_node(
                    ref,
                    items.get(_key(source, ref, _NODE)),
                    items.get(_key(source, ref, _DECISION)),
                )
            step = sorted(onward - set(lookup.seen), key=_distance)[: _MOST_REFS - len(lookup.seen)]
        return lookup

    def read(self, source: str, refs: Iterable[Ref]) -> TrailLookup:
        """What is known of these refs alone; one read."""
        lookup, wanted = TrailLookup(), list(dict.fromkeys(refs))
        items = self._read(source, wanted)
        for ref in wanted:
            lookup.add_node(
                ref, items.get(_key(source, ref, _NODE)), items.get(_key(source, ref, _DECISION))
            )
        return lookup

    def decide(self, source: str, ref: Ref, decision: Decision) -> Decision:
        """Stores a decision, unless there is one already; returns the one that stands."""
        existing = self._put_once(_key(source, ref, _DECISION), decision.as_item())
        return decision if existing is None else Decision.of_item(existing)

    def part_before(
        self, source: str, whole: Ref, part: Ref, gross: Decimal, customer_user_id: str | None
    ) -> Decimal:
        """Stores one part given back of a payment; returns the sum of the parts before it.

        Each part keeps its position, also with concurrent calls, so the parts can be rounded to add
        up. A reversal of a part is a part with a negative amount.
        """
        before = Decimal(0)
        item = Part(part, gross, to_milliseconds(self._clock())).as_item(customer_user_id)
        for number in range(_MOST_PARTS):
            existing = self._put_once(_key(source, whole, f"{_PART}#{number}"), item)
            if existing is None:
                break
            attributes = Attributes(_PART, existing)
            if attributes.text("part") == part:
                break
            before += attributes.amount("gross")
        return before

    def place_part(
        self, source: str, whole: Ref, part: Ref, fit: Fit, customer_user_id: str | None
    ) -> list[Part]:
        """Stores a part given back of a payment, unless it is there; none if it must wait.

        Returns the parts up to this one, which keeps its place, also with concurrent calls.
        """
        parts = list[Part]()
        while not parts or parts[-1].ref != part:
            key = _key(source, whole, f"{_PART}#{len(parts)}")
            existing = self._standing([key]).get(key)
            if existing is None:
                new = fit(parts)
                if new is None:
                    return []
                item = new.as_item(customer_user_id)
                existing = self._put_once(key, item) or item
            parts.append(Part.of_item(existing))
        return parts

    def decisions(self, source: str, refs: Iterable[Ref]) -> dict[Ref, Decision]:
        """The decisions under these refs alone, in their order; no link is followed."""
        keys = {_key(source, ref, _DECISION): ref for ref in refs}
        found = self._standing(keys) if keys else {}
        return {ref: Decision.of_item(found[key]) for key, ref in keys.items() if key in found}

    def same_money(
        self, source: str, telling: Telling, ref: Ref, customer_user_id: str | None
    ) -> Ref:
        """The ref under which money goes of which two sorts of webhooks may tell.

        That is `ref`, unless the other sort's telling of the same money was here before; also with
        concurrent calls.
        """
        owner = {} if customer_user_id is None else {"customer_user_id": customer_user_id}
        item: dict[str, str | int] = {"ref": ref, **owner}
        for number in range(_MOST_PARTS):
            money = f"{_TELLING}#{telling.part}#{number}"
            told = self._put_once(_key(source, telling.whole, f"{money}#{telling.sort}"), item)
            if told is None or Attributes(_TELLING, told).text("ref") == ref:
                first = self._put_once(_key(source, telling.whole, money), item)
                return ref if first is None else Attributes(_TELLING, first).text("ref")
        return ref

    def add_back_references(self, source: str, links: Iterable[Link]) -> None:
        """Records a back-reference at the first target of each link without a known customer."""
        for link in links:
            if link.to and link.hints.customer_user_id is None:
                reference: dict[str, str | int] = {_BY + link.ref: link.ref, **self._expiry()}
                self._table.merge(_key(source, link.to[0], _NODE), reference)

    def assign(
        self,
        source: str,
        lookup: TrailLookup,
        customer_user_id: str | None,
        also: Iterable[Ref] = (),
    ) -> None:
        """Sets the customer on every ownerless node of a lookup, so that `forget` can find it.

        Does the same for ownerless links that lead to these nodes, and for `also`: refs of known
        nodes that the lookup did not reach.
        """
        if customer_user_id is None:
            return
        for ref in lookup.ownerless:
            self._set_customer(source, ref, customer_user_id)
        others = lookup.back_references.union(also).difference(lookup.seen)
        for _ in range(_MOST_STEPS):
            if not others:
                break
            others = self._assign_ownerless(source, others, customer_user_id)

    def _assign_ownerless(
        self, source: str, refs: Iterable[Ref], customer_user_id: str
    ) -> set[Ref]:
        """Sets the customer on the ownerless nodes of `refs`; returns their back-references."""
        keys = {_key(source, ref, _NODE): ref for ref in sorted(refs)[:_MOST_REFS]}
        nodes = self._table.get(keys)
        ownerless = {key: node for key, node in nodes.items() if "customer_user_id" not in node}
        for key in ownerless:
            self._set_customer(source, keys[key], customer_user_id)
        return {ref for node in ownerless.values() for ref in _refs(node, _BY)}

    def _set_customer(self, source: str, ref: Ref, customer_user_id: str) -> None:
        owner: dict[str, str | int] = {"customer_user_id": customer_user_id}
        self._table.merge(_key(source, ref, _NODE), {**owner, **self._expiry()})

    def forget(self, customer_user_id: str) -> int:
        """Erases all items of a customer; returns how many."""
        if not is_key_text(customer_user_id, LONGEST_PK_BYTES):
            return 0
        keys = self._table.of_customer(customer_user_id)
        self._table.delete(keys)
        return len(keys)

    def _put_once(self, key: Key, item: Item) -> StoredItem | None:
        """Writes an item, unless there is one that has not expired; returns that one."""
        absent = Condition(_EXPIRES_AT, _seconds(self._clock()))
        return self._table.put(key, {**item, **self._expiry()}, absent)

    def _read(self, source: str, refs: Iterable[Ref]) -> Mapping[Key, StoredItem]:
        """Nodes and decisions."""
        return self._standing(
            [_key(source, ref, sort) for ref in refs for sort in (_NODE, _DECISION)]
        )

    def _standing(self, keys: Collection[Key]) -> Mapping[Key, StoredItem]:
        """Items without expired ones: DynamoDB deletes those late."""
        now = _seconds(self._clock())
        items = self._table.get(keys).items()
        return {
            key: item for key, item in items if Attributes(key.sk, item).whole(_EXPIRES_AT) > now
        }

    def _expiry(self) -> dict[str, int]:
        return {_EXPIRES_AT: _seconds(self._clock() + self._keep)}


def _key(source: str, ref: Ref, sort: str) -> Key:
    return Key(f"{source}#{ref}", sort)


def _refs(node: StoredItem, prefix: str) -> set[Ref]:
    """Raises `UnreadableItemError`, which does not give the name: it holds an id."""
    values = [ref for name, ref in node.items() if name.startswith(prefix)]
    refs = {ref for ref in values if isinstance(ref, str)}
    if len(refs) < len(set(values)):
        raise UnreadableItemError(f"{_NODE}.{prefix}...: must be text")
    return refs


def _attributes(link: Link) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {_TO + ref.partition(":")[0]: ref for ref in link.to}
    hints = {name: getattr(link.hints, name) for name in _HINTS}
    attributes |= {name: value for name, value in hints.items() if value is not None}
    if not is_key_text(str(attributes.get("customer_user_id", "-")), LONGEST_PK_BYTES):
        del attributes["customer_user_id"]  # too long for the index
    for name, moment in ((_TRIAL_END, link.trial_end), (_STARTED, link.started)):
        if moment is not None:
            attributes[name] = to_milliseconds(moment)
    if link.opened_by is not None:
        attributes[_OPENED_BY] = link.opened_by
    if link.promised is not None:
        attributes |= _promise_attributes(link.promised)
    if link.told_at is not None:  # an attribute for each, so that none is overwritten
        told_at = to_milliseconds(link.told_at)
        attributes[f"{_TOLD_AT}{told_at}"] = told_at
    moments = {f"{_AT}{name}": to_milliseconds(at) for name, at in link.moments.items()}
    return attributes | moments


def _promise_attributes(promised: Amount) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {
        _PROMISED_CURRENCY: promised.currency,
        _PROMISED_GROSS: f"{promised.gross:f}",
    }
    if promised.net_of_tax is not None:
        attributes[_PROMISED_NET] = f"{promised.net_of_tax:f}"
    return attributes


def _promise(attributes: Attributes) -> Amount:
    net = attributes.amount(_PROMISED_NET) if _PROMISED_NET in attributes.item else None
    currency = attributes.text(_PROMISED_CURRENCY)
    return Amount(currency, attributes.amount(_PROMISED_GROSS), net)


def _history(attributes: Attributes) -> History:
    item = attributes.item

    def moment(name: str) -> datetime | None:
        return attributes.moment(name) if name in item else None

    def ref(name: str) -> Ref | None:
        return attributes.text(name) if name in item else None

    paid = (name for name in item if name.startswith(_PAID))
    return History(
        moment(_STARTED),
        moment(_TRIAL_END),
        ref(_FIRST),
        ref(_LATER),
        ref(_OPENED_BY),
        {name.removeprefix(_PAID): attributes.moment(name) for name in paid},
    )


def _distance(ref: Ref) -> tuple[int, Ref]:
    """Sort key: nearest to the money first, because a customer may have several subscriptions."""
    return _DISTANCES.get(ref.partition(":")[0], 0), ref


def _seconds(moment: datetime) -> int:
    return to_milliseconds(moment) // 1000
