"""What differs between the versions of Stripe's API.

A webhook has the form of its endpoint's version (`api_version`: a date, since late 2024 with a name
behind it), whatever the version of the code that reads it. One without a version is taken for the
newest. Sources: Stripe's changelogs 2024-10-28.acacia (refund webhook update) and 2025-03-31.basil
(multiple partial payments on invoices; no refund for partial captures and cancellations).
"""

import re
from typing import Final

from relay.domain.movements import Caveat

_VERSION: Final = re.compile(r"(\d{4}-\d\d-\d\d)(\.[a-z_]+)?", re.ASCII)
_NEWEST: Final = "9999-12-31"

_REFUND_EVENTS: Final = "2024-10-28"
_BASIL: Final = "2025-03-31"
_LAST_WITHOUT_LINK: Final = "2025-05-28"

NO_LINK: Final = Caveat(
    "StripeVersionUnlinkable",
    "The endpoint's API version (2025-03-31 to 2025-05-28) has no webhook that says which payment "
    "paid an invoice: refunds and disputes of invoices cannot be matched and are not reported. "
    "Create an endpoint of API version 2025-06-30 or later with the event invoice_payment.paid.",
)


class Version(str):
    """A version of the API, by its date. Dates in this form compare as text."""

    __slots__ = ()

    @classmethod
    def of(cls, given: object) -> "Version":
        """From `api_version`; the newest if there is none, or none that can be read."""
        match = _VERSION.fullmatch(given) if isinstance(given, str) else None
        return cls(match[1] if match else _NEWEST)

    @property
    def has_refund_events(self) -> bool:
        """Whether `refund.created` tells of every refund; before, `charge.refunded` alone does."""
        return self >= _REFUND_EVENTS

    @property
    def refunds_what_is_not_captured(self) -> bool:
        """Whether the rest of a partial capture, or a cancelled payment, makes a refund."""
        return self < _BASIL

    @property
    def links_payments(self) -> bool:
        """Whether anything says which payment paid an invoice.

        Before basil the invoice itself does, and later `invoice_payment.paid`.
        """
        return not _BASIL <= self <= _LAST_WITHOUT_LINK
