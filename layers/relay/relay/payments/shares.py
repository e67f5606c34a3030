"""Returns that are shares of their payment, and what release 0.1 kept of both. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from relay.domain.movements import NEGATIVE, PAYMENTS, REVERSALS, Amount, Movement, Ref
from relay.instants import to_milliseconds
from relay.payments.errors import UncountedError
from relay.stores.decision import Decision
from relay.stores.money_trail import Part


def is_same(decision: Decision, movement: Movement) -> bool:
    """Whether what release 0.1 decided under another ref is this movement."""
    amount = None if movement.is_share else movement.amount
    return (
        decision.kind is movement.kind
        and decision.at == to_milliseconds(movement.at)
        and (amount is None or has_amount(decision, amount))
    )


def former_payment(former: Mapping[Ref, Decision], movement: Movement) -> Ref | None:
    """The payment as release 0.1 kept it: of the movement's own period, where that matters."""
    begins = movement.period_start
    payments = (ref for ref, one in former.items() if one.kind in PAYMENTS)
    same = (ref for ref in payments if begins is None or former[ref].at == to_milliseconds(begins))
    return next(same, None)


def as_it_was(ref: Ref, decision: Decision, _: Sequence[Part]) -> Part:
    """What release 0.1 decided about a return or its reversal, as a part of the payment."""
    gross = Decimal(decision.gross or 0)
    return Part(ref, gross if decision.kind in NEGATIVE else -gross, decision.at)


def fitted(movement: Movement, paid: Decimal, parts: Sequence[Part]) -> Part | None:
    """A return, or its reversal, beside the parts that are known; None if it must wait.

    It must fit what happened before it, whatever came later and is known already. Raises
    `UncountedError` if a later return without an amount has taken all that was left.
    """
    at = to_milliseconds(movement.at)
    if any(one.is_rest and one.at > at for one in parts):
        raise UncountedError
    before = sum((one.gross for one in parts if one.at <= at), Decimal(0))
    is_reversal = movement.kind in REVERSALS
    most = before if is_reversal else paid - before
    gross = most if movement.amount is None else movement.amount.gross
    if not 0 < gross <= most:
        return None
    is_rest = movement.amount is None and not is_reversal
    return Part(movement.ref, -gross if is_reversal else gross, at, is_rest)


def has_amount(decision: Decision, amount: Amount) -> bool:
    """Whether a decision was about this amount."""
    return decision.currency == amount.currency and Decimal(decision.gross or 0) == amount.gross
