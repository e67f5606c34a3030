"""How many decimal places a currency has at Paddle."""

from collections.abc import Mapping
from typing import Final

from relay.payments.providers.minor_units import places

PLACES: Final[Mapping[str, int]] = places(none="CLP JPY KRW VND")
