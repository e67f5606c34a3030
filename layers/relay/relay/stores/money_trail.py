"""The money trail: what at a provider belongs to what, whose it is, and what was decided about it.

Refunds, disputes and adjustments name nothing but a payment. So what is told of links is kept, from
the notices that tell it, in whichever order they come. One item for each thing (pk
`<source>#<ref>`, sk `node`): the refs that it leads to, clues, the end of a trial. And one for each
movement (sk `decision`), written once: a retelling gives the very same event. Of a payment that is
told net, one for each part given back (sk `part#0` ...).

Every item says whose it is, so that `forget` finds it. A link that is told before that is known
leaves word at what it leads to, and becomes his who is found there later.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from relay.aws.table import LONGEST_PK_BYTES, Condition, Item, Key, Table, is_key_text
from relay.domain.movements import NO_HINTS, CustomerHints, Link, MovementKind, Ref
from relay.instants import Clock, from_milliseconds, to_milliseconds, utc_now
from relay.stores.decision import Decision

_NODE: Final = "node"
_DECISION: Final = "decision"
_PART: Final = "part"
_TO: Final = "to_"
_BY: Final = "by_"
_EXPIRES_AT: Final = "expires_at"
_MOST_STEPS: Final = 8
_MOST_REFS: Final = 60
_MOST_PARTS: Final = 100
_FARTHEST: Final = {"subscription": 1, "customer": 2}
_CLUES: Final = tuple(one.name for one in fields(CustomerHints))


@dataclass(slots=True)
class TrailLookup:
    """What is found on the way from some refs to their customer, the nearest first."""

    hints: CustomerHints = NO_HINTS
    trial_end: datetime | None = None
    decisions: dict[Ref, Decision] = field(default_factory=dict)
    seen: list[Ref] = field(default_factory=list)
    ownerless: list[Ref] = field(default_factory=list)
    """Known things of which it is not known whose they are."""
    back_references: set[Ref] = field(default_factory=set)
    """What left word that it leads to one of these things."""

    def add_node(self, ref: Ref, node: Item | None, decision: Item | None) -> set[Ref]:
        """Notes what is known of one thing; gives what it leads to."""
        self.seen.append(ref)
        if decision is not None:
            self.decisions[ref] = Decision.of_item(decision)
        if node is None:
            return set()
        hints = CustomerHints(**{name: str(node[name]) for name in _CLUES if name in node})
        self.hints = self.hints.or_else(hints)
        self.back_references |= _refs(node, _BY)
        if hints.customer_user_id is None:
            self.ownerless.append(ref)
        if self.trial_end is None and "trial_end" in node:
            self.trial_end = from_milliseconds(int(node["trial_end"]))
        return _refs(node, _TO)

    def first(self, kinds: Collection[MovementKind]) -> Decision | None:
        """The nearest decision of one of these kinds."""
        ref = self.first_ref(kinds)
        return None if ref is None else self.decisions[ref]

    def first_ref(self, kinds: Collection[MovementKind]) -> Ref | None:
        """What that is a decision about."""
        return next((ref for ref, one in self.decisions.items() if one.kind in kinds), None)


class Trail:
    """The table of the money trail. Every method blocks and raises `TableUnavailableError`."""

    def __init__(self, table: Table, keep_days: int, clock: Clock = utc_now) -> None:
        self._table = table
        self._keep = timedelta(days=keep_days)
        self._clock = clock

    def learn(self, source: str, links: Iterable[Link]) -> None:
        """Keeps what a notice says of links. A write unit for each fact that says something."""
        for link in links:
            attributes = _attributes(link)
            if attributes:
                self._table.merge(_key(source, link.ref, _NODE), {**attributes, **self._expiry()})

    def look_up(self, source: str, refs: Iterable[Ref]) -> TrailLookup:
        """Goes from these refs to all that they lead to; a read for each step outwards."""
        lookup, step = TrailLookup(), list(dict.fromkeys(refs))
        for _ in range(_MOST_STEPS):
            if not step:
                break
            found = self._read(source, step)
            onward = set[Ref]()
            for ref in step:
                onward |= lookup.add_node(
                    ref,
                    found.get(_key(source, ref, _NODE)),
                    found.get(_key(source, ref, _DECISION)),
                )
            step = sorted(onward - set(lookup.seen), key=_distance)[: _MOST_REFS - len(lookup.seen)]
        return lookup

    def decide(self, source: str, ref: Ref, decision: Decision) -> Decision:
        """Keeps a decision, unless one was made before; gives the one that stands."""
        there = self._put_once(_key(source, ref, _DECISION), decision.as_item())
        return decision if there is None else Decision.of_item(there)

    def part_before(
        self, source: str, whole: Ref, part: Ref, gross: Decimal, customer_user_id: str | None
    ) -> Decimal:
        """How much of a payment was given back before this part of it, which takes its place.

        A part keeps its place, whoever else takes one at the same moment: so the parts can be
        rounded to add up. What reverses a part is one below zero.
        """
        before = Decimal(0)
        whose = {} if customer_user_id is None else {"customer_user_id": customer_user_id}
        item: dict[str, str | int] = {"part": part, "gross": f"{gross:f}", **whose}
        for number in range(_MOST_PARTS):
            there = self._put_once(_key(source, whole, f"{_PART}#{number}"), item)
            if there is None or there["part"] == part:
                break
            before += Decimal(str(there["gross"]))
        return before

    def add_back_references(self, source: str, links: Iterable[Link]) -> None:
        """Notes at what things lead to that they do: it is not known yet whose they are."""
        for link in links:
            if link.to and link.hints.customer_user_id is None:
                word: dict[str, str | int] = {_BY + link.ref: link.ref, **self._expiry()}
                self._table.merge(_key(source, link.to[0], _NODE), word)

    def assign(
        self,
        source: str,
        lookup: TrailLookup,
        customer_user_id: str | None,
        also: Iterable[Ref] = (),
    ) -> None:
        """Says whose the things are of which a lookup did not find that, so that `forget` does.

        `also`: known things to which the lookup did not lead.
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
        """Those of these things that are nobody's become a customer's; gives what is behind."""
        keys = {_key(source, ref, _NODE): ref for ref in sorted(refs)[:_MOST_REFS]}
        found = self._table.get(keys)
        ownerless = {key: node for key, node in found.items() if "customer_user_id" not in node}
        for key in ownerless:
            self._set_customer(source, keys[key], customer_user_id)
        return {ref for node in ownerless.values() for ref in _refs(node, _BY)}

    def _set_customer(self, source: str, ref: Ref, customer_user_id: str) -> None:
        whose: dict[str, str | int] = {"customer_user_id": customer_user_id}
        self._table.merge(_key(source, ref, _NODE), {**whose, **self._expiry()})

    def forget(self, customer_user_id: str) -> int:
        """Erases all that is a customer's; tells how many items that were."""
        if not is_key_text(customer_user_id, LONGEST_PK_BYTES):
            return 0
        keys = self._table.of_customer(customer_user_id)
        self._table.delete(keys)
        return len(keys)

    def _put_once(self, key: Key, item: Item) -> Item | None:
        """Writes an item, unless there is one that has not expired: gives that one."""
        absent = Condition(_EXPIRES_AT, _seconds(self._clock()))
        return self._table.put(key, {**item, **self._expiry()}, absent)

    def _read(self, source: str, refs: Iterable[Ref]) -> Mapping[Key, Item]:
        """Nodes and decisions; DynamoDB deletes late, so what has expired is left out here."""
        keys = [_key(source, ref, sort) for ref in refs for sort in (_NODE, _DECISION)]
        now = _seconds(self._clock())
        found = self._table.get(keys).items()
        return {key: item for key, item in found if int(item[_EXPIRES_AT]) > now}

    def _expiry(self) -> dict[str, int]:
        return {_EXPIRES_AT: _seconds(self._clock() + self._keep)}


def _key(source: str, ref: Ref, sort: str) -> Key:
    return Key(f"{source}#{ref}", sort)


def _refs(node: Item, prefix: str) -> set[Ref]:
    return {str(ref) for name, ref in node.items() if name.startswith(prefix)}


def _attributes(link: Link) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {_TO + ref.partition(":")[0]: ref for ref in link.to}
    hints = {name: getattr(link.hints, name) for name in _CLUES}
    attributes |= {name: value for name, value in hints.items() if value is not None}
    if not is_key_text(str(attributes.get("customer_user_id", "-")), LONGEST_PK_BYTES):
        del attributes["customer_user_id"]  # an index takes no longer one
    if link.trial_end is not None:
        attributes["trial_end"] = to_milliseconds(link.trial_end)
    return attributes


def _distance(ref: Ref) -> tuple[int, Ref]:
    """What is nearer to the money comes first: a customer may have several subscriptions."""
    return _FARTHEST.get(ref.partition(":")[0], 0), ref


def _seconds(moment: datetime) -> int:
    return to_milliseconds(moment) // 1000
