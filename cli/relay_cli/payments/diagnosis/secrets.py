"""What may be wrong with the secrets."""

import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Final, NamedTuple

from relay_cli.payments.diagnosis.case import Case
from relay_cli.payments.diagnosis.names import label, names_of

BASIC_AUTH: Final = "basic_auth_sha256="
_BLANKS: Final = " \t\r\n\v\f\u00a0\u200b\u2060\ufeff"
_QUOTES: Final = "\"'`\u201c\u201d\u2018\u2019"
_HEX: Final = re.compile(r"[0-9A-Fa-f]*", re.ASCII)
_HMAC_DIGITS: Final = 64


class Mended(NamedTuple):
    """A secret as it should perhaps be, and what is wrong with it as it is."""

    value: str
    fault: str


def mended(provider: str, value: str) -> Iterator[Mended]:
    """Other forms of a secret, those that differ least first."""
    tidy = value.strip(_BLANKS)
    if tidy != value:
        yield Mended(tidy, "has white space around it")
    if (bare := tidy.strip(_QUOTES).strip(_BLANKS)) != tidy:
        yield Mended(bare, "stands in quotation marks")
    if (whole := re.sub(rf"[{_BLANKS}]", "", bare)) != bare:
        yield Mended(whole, "has white space or a line break in it")
    if provider == "adyen":
        yield from _as_hex(whole)
    prefix = names_of(provider).prefix
    if prefix is not None:
        for one in dict.fromkeys((bare, whole)):
            if one.startswith(prefix):
                yield Mended(one.removeprefix(prefix), f"begins with `{prefix}`, and should not")
            elif one:
                yield Mended(prefix + one, f"lacks what it begins with, `{prefix}`")


def _as_hex(value: str) -> Iterator[Mended]:
    digits = re.sub(r"^0x|[-:]", "", value)
    if digits != value:
        yield Mended(digits, "has something other than its 64 hexadecimal digits in it")
    try:
        decoded = b64decode(value, validate=True)
    except ValueError:
        return
    yield Mended(decoded.hex(), "is in Base64: give the hexadecimal digits that Adyen shows")


def secret_fault(case: Case) -> str | None:
    """The secret that fits once it is mended, and what is wrong with it."""
    for number, value in enumerate(case.values):
        for one in mended(case.provider, value):
            if case.with_secrets([one.value]).fits():
                return f"{name_of(number, len(case.secrets))} {one.fault}"
    return None


def all_mended(case: Case) -> list[str]:
    """The secrets, and every other form of them."""
    others = [one.value for value in case.values for one in mended(case.provider, value)]
    return [*case.values, *others]


def shape_faults(case: Case) -> list[str]:
    """The secrets that cannot be what the provider gives out, and why."""
    faults = (
        (name_of(number, len(case.secrets)), shape_fault(case.provider, value))
        for number, value in enumerate(case.values)
    )
    return [f"{name} {fault}" for name, fault in faults if fault]


def name_of(number: int, count: int) -> str:
    """What a secret is called: its place among the others."""
    return "the secret" if count == 1 else f"secret {number + 1}"


def shape_fault(provider: str, value: str) -> str | None:
    """Why a secret cannot be what the provider gives out, after its name: `is blank`."""
    if not value.strip(_BLANKS):
        return "is blank"
    if value.startswith(names_of(provider).api_keys):
        return f"is an API key: {label(provider)} signs with the secret of the endpoint"
    if provider == "adyen":
        return None if value.startswith(BASIC_AUTH) else _hex_fault(value)
    if provider == "standard_webhooks":
        return _base64_fault(value)
    prefix = names_of(provider).prefix
    if prefix is None or provider == "revenuecat" or value.startswith(prefix):
        return None
    return f"does not begin with `{prefix}`, as those of {label(provider)} do"


def _hex_fault(value: str) -> str | None:
    digits = re.sub(r"\s", "", value)
    if not _HEX.fullmatch(digits):
        return (
            f"is not hexadecimal: Adyen's HMAC key is {_HMAC_DIGITS} digits of 0 to 9 and A to F, "
            "shown once when it is made"
        )
    if len(digits) != _HMAC_DIGITS:
        return f"has {len(digits)} hexadecimal digits, and Adyen's HMAC key has {_HMAC_DIGITS}"
    return None


def _base64_fault(value: str) -> str | None:
    if value.startswith(("whpk_", "whsk_")):
        return "is a key of an asymmetric signature (v1a), which is not supported"
    text = value.strip().removeprefix("whsec_")
    try:
        is_key = bool(b64decode(text + "=" * (-len(text) % 4), validate=True))
    except ValueError:
        is_key = False
    return None if is_key else "is not Base64, with or without `whsec_` before it"
