"""How many decimal places a currency has at Stripe."""

from collections.abc import Mapping
from typing import Final

from relay.payments.providers.minor_units import places

# ISK and UGX have no cents, but Stripe writes them with two places, which are always 00. HUF and
# TWD lack places in payouts only.
PLACES: Final[Mapping[str, int]] = places(
    none="BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF",
    three="BHD JOD KWD OMR TND",
)
