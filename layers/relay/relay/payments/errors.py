"""Why a movement cannot become an event: now, or at all."""

from typing import ClassVar


class MappingError(Exception):
    """The root of these reasons. `reason` is a stable code, in logs and dead letters.

    The message may say more to whoever reads a dead letter, and holds nothing of the provider's.
    """

    reason: ClassVar[str]
    may_change: ClassVar[bool] = False
    """Whether waiting may help."""


class IdentityUnknownError(MappingError):
    """Nobody knows yet whose it is, or for which app."""

    reason = "identity_unknown"
    may_change = True


class OriginalUnknownError(MappingError):
    """The payment that it takes back, or what it reverses, has not been told yet."""

    reason = "original_unknown"
    may_change = True


class IdConflictError(MappingError):
    """The same money was told before with another amount."""

    reason = "id_conflict"


class ForeignAppError(MappingError):
    """The metadata names an app that its source may not feed."""

    reason = "foreign_app"


class RevenueUnknownError(MappingError):
    """The provider does not tell the amount on the basis that the app asks for."""

    reason = "revenue_unknown"
