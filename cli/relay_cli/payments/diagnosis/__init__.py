"""Why a webhook is refused, for its owner: what is wrong, and never a secret or a value."""

from datetime import UTC, datetime, timedelta
from typing import Final

from relay.errors import SignatureRefusedError, StaleSignatureError
from relay_cli.payments.diagnosis.adyen import adyen_fault
from relay_cli.payments.diagnosis.bodies import body_fault, is_json
from relay_cli.payments.diagnosis.case import Case
from relay_cli.payments.diagnosis.headers import (
    form_fault,
    header_fault,
    missing_header,
    signed_at,
)
from relay_cli.payments.diagnosis.names import names_of
from relay_cli.payments.diagnosis.secrets import secret_fault, shape_faults
from relay_cli.terminal.durations import format_duration

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BEARER: Final = "bearer "


def diagnose(case: Case, error: SignatureRefusedError) -> str:
    """Why a case is refused. `error`: what its `verify` raised."""
    if isinstance(error, StaleSignatureError):
        return _stale(case)
    if not any(value.strip() for value in case.values):
        return "there is no secret to check it with"
    return (
        missing_header(case)
        or _with_age(case, secret_fault(case))
        or _with_age(case, header_fault(case))
        or _with_age(case, _body_fault(case))
        or _provider_fault(case)
        or form_fault(case)
        or "; ".join(shape_faults(case))
        or _unexplained(case)
    )


def _body_fault(case: Case) -> str | None:
    return None if case.provider == "revenuecat" else body_fault(case)


def _provider_fault(case: Case) -> str | None:
    if case.provider == "adyen":
        shapes = "; ".join(shape_faults(case))
        return shapes or adyen_fault(case)
    if case.provider == "revenuecat":
        return _authorization_fault(case)
    return None


def _authorization_fault(case: Case) -> str:
    given = case.headers[case.header_name]
    for value in case.values:
        if given.strip().casefold() == value.strip().casefold():
            return "the header Authorization differs from the secret in capital letters"
    if given.lower().startswith("basic "):
        return (
            "the header Authorization holds a user and a password, and not RevenueCat's value: "
            "does something on its way ask for basic authentication?"
        )
    has_bearer = given.lower().startswith(_BEARER)
    others = [value.lower().startswith(_BEARER) for value in case.values]
    if has_bearer not in others:
        which = "begins with `Bearer `, and no secret does" if has_bearer else (
            "does not begin with `Bearer `, and every secret does"
        )  # fmt: skip
        return f"the header Authorization {which}; beyond that, it is another value too"
    return (
        "the header Authorization is none of the secrets: compare it with the value in "
        "RevenueCat's dashboard, which must be the whole secret"
    )


def _stale(case: Case) -> str:
    tolerance = case.settings.tolerance_seconds
    allowed = f"{format_duration(timedelta(seconds=tolerance))} are allowed"
    age = _age(case)
    if age is None:
        return f"the signature is right, but its time is too far from now: {allowed}"
    if age > timedelta():
        return (
            f"the signature is right, but {format_duration(age)} old ({_seconds(age)} s): "
            f"{allowed} (tolerance_seconds). It came late, was sent again by something on its way, "
            "or a clock is wrong"
        )
    return (
        f"the signature is right, but {format_duration(-age)} in the future ({_seconds(-age)} s): "
        f"{allowed} (tolerance_seconds). A clock is wrong, the sender's or this one"
    )


def _with_age(case: Case, fault: str | None) -> str | None:
    """A fault, and besides that a time that is too far off."""
    age = _age(case)
    if fault is None or age is None:
        return fault
    if abs(age) <= timedelta(seconds=case.settings.tolerance_seconds):
        return fault
    direction = "old" if age > timedelta() else "in the future"
    return f"{fault}. Besides, the signature is {format_duration(abs(age))} {direction}"


def _age(case: Case) -> timedelta | None:
    seconds = signed_at(case)
    return None if seconds is None else case.now - _EPOCH - timedelta(seconds=seconds)


def _seconds(age: timedelta) -> str:
    return f"{age.total_seconds():.0f}"


def _unexplained(case: Case) -> str:
    """The signature is well-formed, and by another secret or of another body."""
    length = case.headers.get("content-length", "").strip()
    size = len(case.webhook.body)
    if length.isascii() and length.isdigit() and len(length) < 10 and int(length) != size:  # noqa: PLR2004
        return "the body was changed on its way: Content-Length gives another number of bytes"
    if not is_json(case.webhook.body):
        return "the body is not JSON: it was cut off or changed on its way"
    count = len(case.secrets)
    secrets = "the secret" if count == 1 else f"any of the {count} secrets"
    return (
        f"not signed by {secrets}: it is another endpoint's or account's (test and live have their "
        f"own), or what is signed ({names_of(case.provider).signed}) is not, byte for "
        "byte, what was sent"
    )
