"""How many decimal places a currency has at Adyen."""

from collections.abc import Mapping
from typing import Final

from relay.payments.providers.minor_units import places

# Different from ISO 4217: CLP and ISK have two places, CVE and IDR none.
PLACES: Final[Mapping[str, int]] = places(
    none="BIF CVE DJF GNF IDR JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    one="MRO",
    three="BHD IQD JOD KWD LYD OMR TND",
)
