"""Which movement a telling is, of what may be done, undone and done again under one id.

Adyen tells of a capture, of its failure and of its repair with one reference, likewise of a refund
that failed and is made once more; and a telling that is repeated may have another time. So the
times decide, with what is known: two tellings of one direction with none of the other between them
are one movement. Else each is a movement of its own, in the next *slot* of the ref and the id
(`refund:R1`, `refund:R1:2` ...). The first slot has no number: an id of before there were slots.

A telling that another has overtaken is no movement. If a thing is told as done, as done later, and
only then as undone in between, the first two counted once: undoing and doing again cancel out. So
the sum is right in any order of arrival.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import count, takewhile
from typing import NamedTuple

from relay.domain.movements import REVERSALS, Movement, Ref, Rounds
from relay.instants import from_milliseconds
from relay.payments.errors import UncountedError
from relay.stores.money_trail import Trail, TrailLookup

_NO_ROUNDS = Rounds(())

_Known = Mapping[Ref, datetime]
"""When movements happened, by ref."""


class _Position(NamedTuple):
    """Where a telling stands in time."""

    at: datetime
    is_undoing: bool


def in_its_round(trail: Trail, source: str, movement: Movement) -> Movement:
    """The movement with the ref and id of its round.

    The ref is one that is decided if the telling repeats another. One read, and one more for each
    further round. Raises `UncountedError` if the telling is no movement, and what `Trail.read`
    raises.
    """
    if movement.rounds is None and movement.part is None:
        return movement
    known = _read(trail, source, movement)
    placed = _round(movement, known) if movement.part is None else _part(movement, known)
    if placed is None:
        raise UncountedError
    return placed


def _read(trail: Trail, source: str, movement: Movement) -> TrailLookup:
    """All that is known of the thing: first slots, and further ones while there are any."""
    one = movement.again or movement
    rounds = one.rounds or _NO_ROUNDS
    slotted = (one.ref, *rounds.opposite)
    nodes = [ref for ref in (*rounds.told, rounds.refused, rounds.as_of) if ref is not None]
    parts = () if movement.part is None else _refs_of_part(movement.ref, movement.part)
    known = trail.read(source, (*slotted, *rounds.first, *nodes, *parts))
    number = 1
    while any(_slot(ref, number) in known.decisions for ref in slotted):
        number += 1
        further = trail.read(source, [_slot(ref, number) for ref in slotted])
        known.decisions |= further.decisions
    return known


def _slot(ref: Ref, number: int) -> Ref:
    return ref if number == 1 else f"{ref}:{number}"


def _slots(ref: Ref) -> Iterator[Ref]:
    return (_slot(ref, number) for number in count(1))


def _decided(refs: Iterable[Ref], known: TrailLookup) -> dict[Ref, datetime]:
    """When the movements in all slots of some refs happened."""
    return {
        slot: from_milliseconds(known.decisions[slot].at)
        for ref in refs
        for slot in takewhile(known.decisions.__contains__, _slots(ref))
    }


def _under(movement: Movement, ref: Ref) -> Movement:
    """The movement under a ref that begins with its own, with an id to go with it."""
    return replace(movement, ref=ref, id=movement.id + ref.removeprefix(movement.ref))


# Parts of a payment


def _part(movement: Movement, known: TrailLookup) -> Movement | None:
    """A payment, if this part is new or repeated; what it is again, if it was taken back."""
    payment = _payment_of_part(movement, known)
    decision, again = known.decisions.get(payment.ref), movement.again
    if decision is None or again is None:
        return None if again is not None and _is_overtaken(again, {}, known) else payment
    own = {payment.ref: from_milliseconds(decision.at), **_decided([again.ref], known)}
    ref = _ref_of_round(again, own, known)
    if ref == payment.ref:
        return payment
    return None if ref is None else _with_original(_under(again, ref), known)


def _payment_of_part(movement: Movement, known: TrailLookup) -> Movement:
    """The first part has the payment's own ref, as has one that was decided without a name."""
    first, own = _refs_of_part(movement.ref, movement.part)
    decision = known.decisions.get(first)
    is_first = decision is None or decision.part in (None, movement.part)
    return movement if is_first and own not in known.decisions else _under(movement, own)


def _refs_of_part(payment: Ref, part: str | None) -> tuple[Ref, Ref]:
    return payment, f"{payment}:{part}"


# Rounds


def _round(movement: Movement, known: TrailLookup) -> Movement | None:
    rounds = movement.rounds or _NO_ROUNDS
    told = known.told.get(rounds.as_of, set()) if rounds.as_of else set()
    movement = replace(movement, at=max((movement.at, *told)))
    ref = _ref_of_round(movement, _decided([movement.ref], known), known)
    return None if ref is None else _with_original(_under(movement, ref), known)


def _ref_of_round(movement: Movement, own: _Known, known: TrailLookup) -> Ref | None:
    """The ref of the movement that this is; None if it is none.

    `own`: the known movements of this direction.
    """
    rounds = movement.rounds or _NO_ROUNDS
    here = _Position(movement.at, rounds.is_undoing)
    others = [_Position(at, not here.is_undoing) for at in _opposite(rounds, known).values()]
    if repeated := _repeated(here, own, others):
        return repeated
    if rounds.only_after and not any(other < here for other in others):
        return None
    if _is_refused(movement, known) or _is_overtaken(movement, own, known):
        return None
    return next(slot for slot in _slots(movement.ref) if slot not in own)


def _opposite(rounds: Rounds, known: TrailLookup) -> dict[Ref, datetime]:
    found = _decided(rounds.opposite, known)
    for ref in rounds.first:
        decision = known.decisions.get(ref)
        if decision is not None and decision.part in (None, rounds.part):
            found[ref] = from_milliseconds(decision.at)
    return found


def _repeated(here: _Position, own: _Known, others: Iterable[_Position]) -> Ref | None:
    """The ref of the known movement that is told once more."""
    for ref, at in own.items():
        if at == here.at:
            return ref
    for ref, at in own.items():
        first, last = sorted((here, here._replace(at=at)))
        if not any(first < other < last for other in others):
            return ref
    return None


def _is_refused(movement: Movement, known: TrailLookup) -> bool:
    refused = movement.rounds and movement.rounds.refused
    return any(at > movement.at for at in known.told.get(refused or "", ()))


def _is_overtaken(movement: Movement, own: _Known, known: TrailLookup) -> bool:
    """Whether the opposite was told on both sides of this, and counted once for both."""
    rounds = movement.rounds or _NO_ROUNDS
    here = _Position(movement.at, rounds.is_undoing)
    series = [(ref, _decided([ref], known)) for ref in rounds.opposite]
    series += [(ref, _opposite(rounds, known)) for ref in rounds.told]
    for node, decided in series:
        counted = set(decided.values())
        before, after = _sides(here, own, known.told.get(node, set()) | counted)
        if before and after and not (before & counted and after & counted):
            return True
    return False


def _sides(
    here: _Position, own: _Known, told: set[datetime]
) -> tuple[set[datetime], set[datetime]]:
    """When the opposite was told before this and after it, up to the next of this direction."""
    known = [here._replace(at=at) for at in own.values()]
    start = max((one for one in known if one < here), default=None)
    end = min((one for one in known if one > here), default=None)
    positions = [_Position(at, not here.is_undoing) for at in told]
    before = {one.at for one in positions if one < here and (start is None or start < one)}
    after = {one.at for one in positions if one > here and (end is None or one < end)}
    return before, after


def _with_original(movement: Movement, known: TrailLookup) -> Movement:
    """A reversal with the latest of what it may reverse as its original, not after it."""
    if movement.kind not in REVERSALS or movement.rounds is None:
        return movement
    reversible = _decided(movement.rounds.opposite, known)
    before = {ref: at for ref, at in reversible.items() if at <= movement.at} or reversible
    return (
        replace(movement, original_ref=max(before, key=before.__getitem__)) if before else movement
    )
