"""What is done, undone and done again under one reference of Adyen's, and the refs that it has.

A capture, `capture:C`, is done by CAPTURE and undone by CAPTURE_FAILED. A refund, `refund:R`, is
undone by REFUND_FAILED or REFUNDED_REVERSED, or by a REFUND that fails after one that succeeded.
A dispute, `dispute:D`, is undone by CHARGEBACK_REVERSED and done again by SECOND_CHARGEBACK.
"""

from relay.domain.movements import Ref, Rounds


def capture(reference: str) -> Ref:
    """The capture itself: every CAPTURE tells of it."""
    return f"capture:{reference}"


def capture_failed(reference: str) -> Ref:
    """What takes a capture's money back."""
    return f"refund:{reference}"


def captured_again(reference: str) -> Ref:
    """What brings back the money of a capture that had failed."""
    return f"refund:{reference}:captured"


def refund_reversed(refund: Ref) -> Ref:
    """What brings a refund's money back."""
    return f"{refund}:failed"


def refused(refund: Ref) -> Ref:
    """Where it is noted that a refund did not succeed."""
    return f"refused:{refund.partition(':')[2]}"


def dispute_won(dispute: Ref) -> Ref:
    """What brings a dispute's money back."""
    return f"{dispute}:won"


def second_dispute(dispute: Ref) -> Ref:
    """What takes a dispute's money once more."""
    return f"{dispute}:second"


def of_capture_failed(reference: str, payment: str) -> Rounds:
    """Undone by a capture that came again; before that stands the payment, or this part of it."""
    return Rounds(
        opposite=(captured_again(reference),),
        is_undoing=True,
        told=(capture(reference),),
        first=(f"payment:{payment}", f"payment:{payment}:{reference}"),
        part=reference,
    )


def of_captured_again(reference: str, *, is_all: bool) -> Rounds:
    """A capture that came again; `is_all`: captures tell of nothing else."""
    return Rounds(
        opposite=(capture_failed(reference),),
        only_after=is_all,
        as_of=capture(reference) if is_all else None,
    )


def of_refund(refund: Ref) -> Rounds:
    """A refund, also one that is made once more."""
    return Rounds(opposite=(refund_reversed(refund),), refused=refused(refund))


def of_refund_reversed(refund: Ref, *, only_after: bool = False) -> Rounds:
    """A refund whose money came back."""
    return Rounds(opposite=(refund,), is_undoing=True, only_after=only_after)


def of_dispute(dispute: Ref) -> Rounds:
    """A chargeback, the first or the second."""
    return Rounds(opposite=(dispute_won(dispute),))


def of_dispute_won(dispute: Ref) -> Rounds:
    """A chargeback that was defended."""
    return Rounds(opposite=(dispute, second_dispute(dispute)), is_undoing=True)
