"""Adyen: a signature for each item, in the body; or one in a header; and basic authentication."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from relay.errors import OperatorError, SignatureRefusedError
from relay.exact_json import InvalidJsonError, dumps, loads
from relay.payments.providers.adyen.settings import AdyenSettings
from relay_cli.payments.diagnosis.case import Case
from relay_cli.payments.diagnosis.secrets import BASIC_AUTH

_ITEMS: Final = "notificationItems"
_ITEM: Final = "NotificationRequestItem"
_SIGNATURE_LENGTH: Final = 44
_BODY_HEADER: Final = "hmacsignature"
_SIGNED: Final = (
    "it covers pspReference, originalReference, merchantAccountCode, merchantReference, amount, "
    "eventCode and success"
)


def adyen_fault(case: Case) -> str | None:
    """What is wrong with a webhook of Adyen's, beyond its secrets."""
    in_settings = isinstance(case.settings, AdyenSettings) and case.settings.basic_auth_sha256
    is_guarded = bool(in_settings) or len(_keys(case)) < len(case.values)
    unguarded = _without_basic_auth(case)
    if is_guarded and (basic := _basic_auth_fault(case, unguarded)):
        return f"the source asks for basic authentication ({BASIC_AUTH}...), and {basic}"
    if not _keys(case):
        return f"there is no HMAC key among the secrets, only what begins with {BASIC_AUTH}"
    return _header_fault(unguarded) if _BODY_HEADER in case.headers else _items_fault(unguarded)


def _keys(case: Case) -> list[str]:
    return [value for value in case.values if not value.startswith(BASIC_AUTH)]


def _without_basic_auth(case: Case) -> Case:
    settings = case.settings.model_copy(update={"basic_auth_sha256": ()})
    return replace(case.with_secrets(_keys(case)), settings=settings)


def _basic_auth_fault(case: Case, unguarded: Case) -> str | None:
    """What is wrong with the user and password, if that is what is wrong."""
    scheme, _, credentials = case.headers.get("authorization", "").partition(" ")
    if not scheme.strip():
        return "there is no header Authorization"
    if scheme.lower() != "basic" or not credentials.strip():
        return "the header Authorization is not of the form `Basic <Base64>`"
    if unguarded.fits():
        return "the user and password are none of those whose digests are set up, or no Base64"
    return None


def _header_fault(case: Case) -> str | None:
    headers = {name: value for name, value in case.headers.items() if name != _BODY_HEADER}
    if case.with_headers(headers).fits():
        return (
            "the items are signed and right, but there is a header HmacSignature as well, and it "
            "is not"
        )
    length = len(case.headers[_BODY_HEADER].strip())
    if length != _SIGNATURE_LENGTH:
        return (
            f"the header HmacSignature has {length} characters, and a signature has "
            f"{_SIGNATURE_LENGTH}: was it cut off?"
        )
    return None


def _items_fault(case: Case) -> str | None:
    """Which items are not signed, or not rightly."""
    try:
        content = loads(case.webhook.body)
    except InvalidJsonError as error:
        return f"the body is {error}, and there is no header HmacSignature"
    items = content.get(_ITEMS) if isinstance(content, dict) else None
    if not isinstance(items, list):
        return (
            "there is no header HmacSignature, and the body has no notificationItems with "
            "signatures of their own"
        )
    if not items:
        return "the body has no item, so there is nothing that is signed"
    faults = [_item_fault(case, content, item) for item in items]
    wrong = [number for number, fault in enumerate(faults, 1) if fault]
    if not wrong:
        return None
    which = "the item" if len(items) == 1 else f"item {_listed(wrong)} of {len(items)}"
    right = "" if len(wrong) == len(items) else ", and the others are signed rightly"
    return f"{which} {faults[wrong[0] - 1]}{right}"


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:5])) + (" ..." if len(numbers) > 5 else "")  # noqa: PLR2004


def _item_fault(case: Case, content: Mapping[str, Any], item: object) -> str | None:
    """What is wrong with one item; None if nothing is."""
    alone = case.with_body(dumps({**content, _ITEMS: [item]}))
    try:
        alone.verify()
    except SignatureRefusedError as error:
        return _words(item, str(error))
    except OperatorError as error:
        return f"cannot be checked: {error}"
    return None


def _words(item: object, problem: str) -> str:
    inner = item.get(_ITEM) if isinstance(item, dict) else None
    data = inner.get("additionalData") if isinstance(inner, dict) else None
    given = data.get("hmacSignature") if isinstance(data, dict) else None
    if given is None:
        return (
            "has no additionalData.hmacSignature: make an HMAC key for this webhook in Adyen's "
            "Customer Area"
        )
    if not isinstance(given, str) or len(given.strip()) != _SIGNATURE_LENGTH:
        return "has a signature that is not 44 characters of Base64: was it cut off?"
    if given != given.strip():
        return "has white space around its signature"
    if "colon" in problem or "neither" in problem:
        return f"is not as Adyen signs it: {problem}"
    return (
        f"is signed by none of the secrets: it is the HMAC key of another webhook or of test "
        f"instead of live, or a signed field was changed ({_SIGNED})"
    )
