"""How many decimal places a currency has at Stripe."""

from collections.abc import Mapping
from typing import Final

from relay.payments.providers.minor_units import places

# ISK has no cents, but Stripe writes it with two places. HUF and TWD lack places in payouts only.
PLACES: Final[Mapping[str, int]] = places(
    none="BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF UGX VND VUV XAF XOF XPF",
    three="BHD JOD KWD OMR TND",
)
