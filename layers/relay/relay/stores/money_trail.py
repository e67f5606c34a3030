"""The money trail: how a provider's objects belong together, whose they are, and past decisions.

Refunds, disputes and adjustments name only a payment. So the trail keeps the links of all notices,
in whatever order they come. One item for each object (pk `<source>#<ref>`, sk `node`): the refs
that it leads to, customer hints, the end of a trial, since when a return is held, and the moments
at which it happened, for what may happen more than once. One item for each
movement (sk `decision`), written once, so that a redelivery yields the same event. For a payment
that is reported net, one item for each part given back (sk `part#0` ...).

Every item names its customer, so that `forget` finds it. A link seen before its customer is known
leaves a back-reference at its target; the target's customer owns the link once known.

An item that a person has edited so that it cannot be read is an error, never absent: what was
decided once must not be decided again.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from relay.aws.table import (
    LONGEST_PK_BYTES,
    Condition,
    Item,
    Key,
    StoredItem,
    Table,
    is_key_text,
)
from relay.domain.movements import NO_HINTS, CustomerHints, Link, MovementKind, Ref
from relay.errors import UnreadableItemError
from relay.instants import Clock, to_milliseconds, utc_now
from relay.stores.attributes import Attributes
from relay.stores.decision import Decision

_NODE: Final = "node"
_DECISION: Final = "decision"
_PART: Final = "part"
_TO: Final = "to_"
_BY: Final = "by_"
_HELD_SINCE: Final = "held_since"
_HAPPENED: Final = "told_"
_EXPIRES_AT: Final = "expires_at"
_MOST_STEPS: Final = 8
_MOST_REFS: Final = 60
_MOST_PARTS: Final = 100
_DISTANCES: Final = {"subscription": 1, "customer": 2}
_HINTS: Final = tuple(one.name for one in fields(CustomerHints))


@dataclass(slots=True)
class TrailLookup:
    """The result of following links from some refs to their customer, the nearest first."""

    hints: CustomerHints = NO_HINTS
    trial_end: datetime | None = None
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
        if self.trial_end is None and "trial_end" in node:
            self.trial_end = attributes.moment("trial_end")
        if _HELD_SINCE in node:
            self._add_hold(attributes.moment(_HELD_SINCE))
        if told := {attributes.moment(name) for name in node if name.startswith(_HAPPENED)}:
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


class Trail:
    """The table of the money trail. Every method blocks and raises `TableUnavailableError`.

    All but `learn`, `note_hold`, `add_back_references` and `forget` also raise
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
        owner = {} if customer_user_id is None else {"customer_user_id": customer_user_id}
        item: dict[str, str | int] = {"part": part, "gross": f"{gross:f}", **owner}
        for number in range(_MOST_PARTS):
            existing = self._put_once(_key(source, whole, f"{_PART}#{number}"), item)
            if existing is None:
                break
            attributes = Attributes(_PART, existing)
            if attributes.text("part") == part:
                break
            before += attributes.amount("gross")
        return before

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
        """Nodes and decisions, without expired ones: DynamoDB deletes those late."""
        keys = [_key(source, ref, sort) for ref in refs for sort in (_NODE, _DECISION)]
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
    if link.trial_end is not None:
        attributes["trial_end"] = to_milliseconds(link.trial_end)
    if link.told_at is not None:
        moment = to_milliseconds(link.told_at)
        # An attribute for each, so that none is overwritten.
        attributes[f"{_HAPPENED}{moment}"] = moment
    return attributes


def _distance(ref: Ref) -> tuple[int, Ref]:
    """Sort key: nearest to the money first, because a customer may have several subscriptions."""
    return _DISTANCES.get(ref.partition(":")[0], 0), ref


def _seconds(moment: datetime) -> int:
    return to_milliseconds(moment) // 1000
