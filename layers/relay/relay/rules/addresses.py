"""IP addresses as they are written, and those that are no user's (M7, W8)."""

import re
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

IPV4: Final = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}", re.ASCII)
"""Four numbers up to 255 without leading zeros, joined by dots."""

_UNSPECIFIED: Final = "0.0.0.0"  # noqa: S104 - nothing is bound to it
_NOT_A_USERS: Final = tuple(
    map(
        IPv4Network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16",
         f"{_UNSPECIFIED}/32"),
    )
)  # fmt: skip
_NOT_A_USERS_IPV6: Final = tuple(map(IPv6Network, ("::/128", "::1/128", "fe80::/10", "fc00::/7")))
_MAY_BE_RESERVED: Final = ("10.", "172.", "192.168.", "127.", "169.254.", _UNSPECIFIED)
"""What the text of a reserved IPv4 address begins with; others need no look at the networks."""


def parse_ipv6(value: object) -> IPv6Address | None:
    """A text as an IPv6 address, without brackets and zone; None for anything else."""
    try:
        address = ip_address(value) if isinstance(value, str) else None
    except ValueError:
        return None
    is_plain = isinstance(address, IPv6Address) and address.scope_id is None
    return address if is_plain else None  # type: ignore[return-value]  # is_plain has seen it


def mapped_ipv4(value: object) -> str | None:
    """The IPv4 address that an IPv6 address stands for; None for anything else."""
    address = parse_ipv6(value)
    return str(address.ipv4_mapped) if address is not None and address.ipv4_mapped else None


def is_not_a_users(address: str) -> bool:
    """Whether an IPv4 address (`IPV4`) is private or reserved, so that no user has it outside."""
    if not address.startswith(_MAY_BE_RESERVED):
        return False
    parsed = ip_address(address)
    return any(parsed in network for network in _NOT_A_USERS)


def is_not_a_users_ipv6(address: IPv6Address) -> bool:
    """Whether an IPv6 address is a local one, or stands for a reserved IPv4 address."""
    if address.ipv4_mapped is not None:
        return is_not_a_users(str(address.ipv4_mapped))
    return any(address in network for network in _NOT_A_USERS_IPV6)
