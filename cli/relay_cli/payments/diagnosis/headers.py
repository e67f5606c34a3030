"""What may be wrong with the headers."""

import re
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import unquote

from relay.payments.providers.registry import PROVIDERS
from relay.payments.providers.samples import Names
from relay_cli.payments.diagnosis.case import Case
from relay_cli.payments.diagnosis.names import label, names_of

_SHOWABLE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_QUOTES: Final = "\"'"
_STANDARD: Final = "standard_webhooks"
_STANDARD_PREFIXES: Final = ("webhook", "svix")
_STANDARD_PARTS: Final = ("id", "timestamp", "signature")
_UNIX_SECONDS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_MILLISECONDS: Final = re.compile(r"[0-9]{13}", re.ASCII)
_DIGITS: Final = 64
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{43}=", re.ASCII)


def needed(case: Case) -> list[str]:
    """The headers that must be there."""
    if case.provider == "adyen":
        return []  # the signature may stand in the body
    if case.provider != _STANDARD:
        return [case.header_name]
    prefix = max(_STANDARD_PREFIXES, key=lambda one: _count_of(one, case))
    return [f"{prefix}-{part}" for part in _STANDARD_PARTS]


def _count_of(prefix: str, case: Case) -> int:
    return sum(f"{prefix}-{part}" in case.webhook.headers for part in _STANDARD_PARTS)


def missing_header(case: Case) -> str | None:
    """The header that is missing, and where it may have gone."""
    absent = [name for name in needed(case) if not case.headers.get(name, "").strip()]
    if not absent:
        return None
    if len(absent) == 1 or case.provider != _STANDARD:
        return _about_missing(case, absent[0])
    elsewhere = _renamed_all(case, absent)
    return elsewhere or _foreign(case, absent) or f"no headers {' and '.join(absent)}"


def _about_missing(case: Case, name: str) -> str:
    shown = name if case.provider == _STANDARD else names_of(case.provider).header
    for other, value in case.headers.items():
        if other != name and value.strip() and case.with_header(name, value).fits():
            return _stands_elsewhere(shown, other)
    for other in case.headers:
        if other != name and _plain(other) == _plain(name):
            return _stands_elsewhere(shown, other)
    if name in case.headers:
        return f"the header {shown} is empty"
    return _foreign(case, [name]) or (
        f"no header {shown}: the request was not signed, or something on its way (a proxy, a "
        "firewall, a handler that passes on some headers only) took it away"
    )


def _renamed_all(case: Case, absent: Sequence[str]) -> str | None:
    """Several headers under other names, as a framework or a proxy changes them."""
    plain = {_plain(name): name for name in case.headers}
    found = [plain[_plain(name)] for name in absent if _plain(name) in plain]
    if len(found) < len(absent):
        return None
    return _stands_elsewhere(" and ".join(absent), found[0])


def _plain(name: str) -> str:
    """A header's name without what frameworks and proxies make of it."""
    plain = re.sub(r"[^a-z0-9]", "-", name.strip().lower())
    for prefix in ("http-", "x-original-", "x-forwarded-", "x-"):
        plain = plain.removeprefix(prefix)
    return plain.strip("-")


def _stands_elsewhere(shown: str, other: str) -> str:
    under = f"`{other}`" if _SHOWABLE.fullmatch(other) else "another name"
    return f"no header {shown}, but it is there under {under}: something on its way renames headers"


def _foreign(case: Case, absent: Sequence[str]) -> str | None:
    """Another provider's signature that is there instead."""
    names = {
        header: name
        for name, provider in PROVIDERS.items()
        if (header := provider.SIGNATURE_HEADER) not in absent and name != case.provider
    } | {"svix-signature": _STANDARD}
    for header, name in names.items():
        if header in case.headers and name not in {"revenuecat", case.provider}:
            return (
                f"no header {', '.join(absent)}, but one of {label(name)} ({header}): it is a "
                f"webhook of another provider than the source, which is {label(case.provider)}'s"
            )
    return None


# A header that is there


def mended(case: Case) -> Iterator[tuple[Case, str]]:
    """The case with the headers in other forms, and what is wrong with them as they are."""
    for name in needed(case) or [case.header_name]:
        if name not in case.headers:
            continue
        shown = name if case.provider == _STANDARD else names_of(case.provider).header
        for value, fault in _mended(case.provider, case.headers[name]):
            yield case.with_header(name, value), f"the header {shown} {fault}"


def _mended(provider: str, value: str) -> Iterator[tuple[str, str]]:
    spaced = value.strip() if provider in {"revenuecat", _STANDARD} else re.sub(r"\s", "", value)
    yield spaced, "has white space in it that was not sent"
    yield " ".join(value.split()), "has white space in it that was not sent"
    yield spaced.strip(_QUOTES), "stands in quotation marks"
    yield unquote(spaced), "is percent-encoded"
    yield spaced.lower(), "has capital letters that were not sent"
    for part in re.split(r",\s*(?=ts?=)|,\s*(?=v1,)", value):
        yield part.strip(), "is there several times, joined to one"
    if provider == _STANDARD:
        yield f"v1,{spaced}", "lacks the `v1,` before the signature"


def header_fault(case: Case) -> str | None:
    """The header that fits once it is mended, and what is wrong with it."""
    tried = mended(case)
    return next((fault for one, fault in tried if one.webhook != case.webhook and one.fits()), None)


def form_fault(case: Case) -> str | None:
    """A header of which no signature can be read."""
    value = case.headers.get(case.header_name, "")
    names = names_of(case.provider)
    if names.pairs is not None:
        return _pairs_fault(names, names.pairs, value)
    if case.provider == _STANDARD:
        return _standard_fault(case)
    return None


def _pairs_fault(names: Names, form: tuple[str, str, str], value: str) -> str | None:
    separator, time, scheme = form
    shown = f"the header {names.header}"
    pairs = [part.partition("=") for part in value.split(separator)]
    times = [given for key, _, given in pairs if key == time]
    signatures = [given for key, _, given in pairs if key == scheme]
    if not times and not signatures:
        return f"{shown} is not of the form {names.form}"
    if len(times) > 1:
        return f"{shown} has {len(times)} timestamps ({time}=), so nobody knows which is signed"
    if not times or not _UNIX_SECONDS.fullmatch(times[0]):
        is_fine = bool(times) and _MILLISECONDS.fullmatch(times[0])
        more = ": it is in milliseconds" if is_fine else ""
        return f"{shown} has no timestamp in Unix seconds ({time}=){more}"
    if not signatures:
        return f"{shown} has no signature of the scheme {scheme}, which is the only one that counts"
    if not any(map(_DIGEST.fullmatch, signatures)):
        return f"{shown} has a signature that is not {_DIGITS} hexadecimal digits: was it cut off?"
    return None


def _standard_fault(case: Case) -> str | None:
    names = needed(case)
    timestamp, value = (case.headers.get(name, "") for name in names[1:])
    signatures = [one.partition(",") for one in value.split()]
    of_scheme = [given for scheme, _, given in signatures if scheme == "v1"]
    if not of_scheme:
        schemes = {scheme for scheme, _, _ in signatures}
        only = ": only asymmetric ones (v1a)" if schemes == {"v1a"} else ""
        return (
            f"the header {names[2]} has no signature of the form {names_of(_STANDARD).form}{only}"
        )
    if not any(map(_BASE64.fullmatch, of_scheme)):
        fault = "has a signature that is not 44 characters of Base64: was it cut off?"
        return f"the header {names[2]} {fault}"
    if not _UNIX_SECONDS.fullmatch(timestamp):
        return f"the header {names[1]} is not in Unix seconds"
    return None


def signed_at(case: Case) -> int | None:
    """When it was signed, in Unix seconds, as far as the headers say so."""
    if case.provider == _STANDARD:
        given = case.headers.get(needed(case)[1], "")
        return int(given) if _UNIX_SECONDS.fullmatch(given) else None
    pairs = names_of(case.provider).pairs
    if pairs is None:
        return None
    separator, time, _ = pairs
    pattern = rf"(?:^|{separator}){time}=([0-9]{{1,12}})(?={separator}|$)"
    found = re.findall(pattern, case.headers.get(case.header_name, ""), re.ASCII)
    return int(found[0]) if len(found) == 1 else None
