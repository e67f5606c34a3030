"""Why a movement cannot become an event: not yet, or never."""

from datetime import datetime
from typing import ClassVar

from relay.domain.outcomes import IDENTITY_UNKNOWN, ORIGINAL_UNKNOWN


class MappingError(Exception):
    """The base of these errors. `reason` is a stable code for logs and dead letters.

    The message may explain more in the dead letter; it never holds the provider's data.
    """

    reason: ClassVar[str]
    may_change: ClassVar[bool] = False
    """Whether waiting may help."""


class IdentityUnknownError(MappingError):
    """It is not known yet whose movement this is, or for which app."""

    reason = IDENTITY_UNKNOWN
    may_change = True


class OriginalUnknownError(MappingError):
    """The original (the payment it returns, or the return it reverses) is not known yet.

    `return_held_since`: since when the return itself is held for its payment, as far as is noted.
    """

    reason = ORIGINAL_UNKNOWN
    may_change = True

    def __init__(self, return_held_since: datetime | None = None) -> None:
        super().__init__()
        self.return_held_since = return_held_since


class NothingLeftError(OriginalUnknownError):
    """It returns more of a payment than is left, or reverses more than was returned.

    What has to come before it, a reversal or a return, is not known yet.
    """

    def __str__(self) -> str:
        return (
            "the payment is known, but this takes more of it than is left (or brings back more than"
            " was taken): a reversal or refund before it was not told"
        )


class IdConflictError(MappingError):
    """The same movement was reported before with another amount."""

    reason = "id_conflict"


class ForeignAppError(MappingError):
    """The metadata names an app that the source may not feed."""

    reason = "foreign_app"


class RevenueUnknownError(MappingError):
    """The provider does not give the amount on the basis that the app asks for."""

    reason = "revenue_unknown"


class UncountedError(Exception):
    """By what happened before or beside it, a movement does not count."""
