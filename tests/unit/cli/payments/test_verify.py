"""`relay payments verify`: the verdict on a signature, and a reason that helps its owner."""

import base64
import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from relay_cli.payments.verify import LONGEST_LINE, answer, verdict_on
from tests.support.every import every

DATA = Path(__file__).parents[3] / "data"
VECTORS = {
    vector["id"]: vector
    for vector in json.loads((DATA / "webhook_signatures.json").read_text("utf-8"))
}
BUILT = {"stripe", "paddle", "adyen", "revenuecat", "standard-webhooks"}

STRIPE = "stripe-valid"
PRETTY = "stripe-valid-pretty-full-invoice"
PADDLE = "paddle-valid-rotation"
ADYEN = "adyen-valid-colon-in-reference"
IN_HEADER = "adyen-header-signature-valid"
STANDARD = "sw-valid-rotation"
REVENUECAT = "revenuecat-valid-authorization"

Line = dict[str, Any]
Change = Callable[[Line], Any]


def answered(line: object) -> Line:
    """What is written for a line."""
    text = line if isinstance(line, bytes) else json.dumps(line).encode()
    content: Line = json.loads(answer(text))
    return content


def changed(vector: str, change: Change) -> Line:
    """A vector with a change."""
    line = deepcopy(VECTORS[vector])
    result = change(line)
    return result if isinstance(result, dict) else line


def test_verify_every_vector_has_its_verdict_and_a_reason_if_refused() -> None:
    wrong = []
    for name, vector in VECTORS.items():
        expected = vector["expected_valid"] if vector["provider"] in BUILT else None
        result = answered(vector)
        is_right = (result["id"], result["valid"]) == (name, expected)
        if not is_right or (result["reason"] is None) != (expected is True):
            wrong.append((name, result))
    assert wrong == []


# What is changed of a valid vector


def _secret(edit: Callable[[str], str]) -> Change:
    return lambda line: line.update(secrets=[edit(one) for one in line["secrets"]])


def _header(name: str, edit: Callable[[str], Any]) -> Change:
    return lambda line: line["headers"].update({name: edit(line["headers"][name])})


def _renamed(name: str, other: str) -> Change:
    return lambda line: line["headers"].update({other: line["headers"].pop(name)})


def _body(edit: Callable[[str], str]) -> Change:
    return lambda line: line.update(payload=edit(line["payload"]))


def _json(edit: Callable[[Any], Any], **form: Any) -> Change:
    """The body read, changed and written anew."""

    def change(line: Line) -> None:
        content = json.loads(line["payload"])
        edit(content)
        line["payload"] = json.dumps(content, **form)

    return change


def _items(edit: Callable[[list[Any]], Any]) -> Change:
    return _json(lambda content: edit(content["notificationItems"]))


def _of_item(edit: Callable[[Line], Any]) -> Change:
    return _items(lambda items: edit(items[0]["NotificationRequestItem"]))


def _unsigned(item: Line) -> None:
    item["additionalData"].pop("hmacSignature")


def _twice(items: list[Any]) -> None:
    items.append(deepcopy(items[0]))
    items[1]["NotificationRequestItem"]["amount"]["value"] += 1


def _set(**fields: Any) -> Change:
    return lambda line: line.update(fields)


def _nothing(_content: object) -> None:
    pass


def _with_basic_auth(line: Line, authorization: str | None) -> None:
    line["secrets"].append(f"basic_auth_sha256={'0' * 64}")
    if authorization is not None:
        line["headers"]["Authorization"] = authorization


SIGNATURE, PADDLE_SIGNATURE = "Stripe-Signature", "Paddle-Signature"
FAULTS: list[tuple[str, Change, str]] = [
    # Secrets
    (STRIPE, _secret(lambda s: f" {s}\n"), "the secret has white space around it"),
    (STRIPE, _secret(lambda s: f"\u200b{s}"), "white space around it"),
    (STRIPE, _secret(lambda s: f'"{s}"'), "quotation marks"),
    (STRIPE, _secret(lambda s: f"{s[:9]}\n{s[9:]}"), "line break in it"),
    (STRIPE, _secret(lambda s: s.removeprefix("whsec_")), "lacks what it begins with, `whsec_`"),
    (STRIPE, _set(secrets=["whsec_another", "whsec_third"]), "not signed by any of the 2 secrets"),
    (STRIPE, _set(secrets=["whsec_another"]), "another endpoint's"),
    (STRIPE, _set(secrets=["sk_test_something"]), "is an API key"),
    (STRIPE, _set(secrets=["something"]), "does not begin with `whsec_`"),
    (STRIPE, _set(secrets=[]), "there is no secret"),
    (STRIPE, _set(secrets=None), "there is no secret"),
    (STRIPE, _set(secrets=["", " "]), "there is no secret"),
    (PADDLE, _secret(lambda s: s.removeprefix("pdl_ntfset_")), "`pdl_ntfset_`"),
    (PADDLE, _set(secrets=["pdl_live_apikey_01"]), "is an API key"),
    (STANDARD, _set(secrets=["whsec_%%%"]), "is not Base64"),
    (STANDARD, _set(secrets=["whpk_abcd"]), "asymmetric"),
    (ADYEN, _secret(lambda s: s[:-1]), "has 63 hexadecimal digits"),
    (ADYEN, _secret(lambda s: s[:-2] + "zz"), "is not hexadecimal"),
    (ADYEN, _secret(lambda s: base64.b64encode(bytes.fromhex(s)).decode()), "is in Base64"),
    (ADYEN, _secret(lambda s: f"0x{s}"), "other than its 64 hexadecimal digits"),
    (REVENUECAT, _secret(lambda s: s.removeprefix("Bearer ")), "lacks what it begins with, `Bear"),
    (REVENUECAT, _secret(lambda s: s.replace("Bearer", "bearer")), "capital letters"),
    (REVENUECAT, _set(secrets=["Bearer another"]), "is none of the secrets"),
    # Headers
    (STRIPE, _header(SIGNATURE, lambda _: ""), "is empty"),
    (STRIPE, _set(headers=None), "no header Stripe-Signature"),
    (STRIPE, _set(headers={}), "no header Stripe-Signature"),
    (STRIPE, _renamed(SIGNATURE, "X-Forwarded-Stripe-Signature"), "it is there under `x-forwarded"),
    (STRIPE, _renamed(SIGNATURE, "HTTP_STRIPE_SIGNATURE"), "under `http_stripe_signature`"),
    (STRIPE, _renamed(SIGNATURE, "ü b e r"), "under another name"),
    (STRIPE, _set(headers={PADDLE_SIGNATURE: "ts=1;h1=2"}), "one of Paddle"),
    (STRIPE, _set(headers={"svix-signature": "v1,x"}), "one of Standard Webhooks"),
    (STRIPE, _header(SIGNATURE, lambda v: v.replace(",", ", ")), "white space"),
    (STRIPE, _header(SIGNATURE, lambda v: f'"{v}"'), "quotation marks"),
    (STRIPE, _header(SIGNATURE, lambda v: v.replace("=", "%3D")), "percent-encoded"),
    (STRIPE, _header(SIGNATURE, lambda v: v.upper()), "capital letters"),
    (STRIPE, _header(SIGNATURE, lambda v: [v, v]), "several times"),
    (STRIPE, _header(SIGNATURE, lambda v: v[:-1]), "was it cut off?"),
    (STRIPE, _header(SIGNATURE, lambda v: v.replace(",", "000,")), "in milliseconds"),
    (STRIPE, _header(SIGNATURE, lambda v: v.partition(",")[2]), "no timestamp"),
    (STRIPE, _header(SIGNATURE, lambda v: f"t=1,t=2,{v[13:]}"), "2 timestamps"),
    (STANDARD, _renamed("webhook-id", "Webhook_Id"), "under `webhook_id`"),
    (STANDARD, lambda line: line["headers"].pop("webhook-timestamp"), "no header webhook-time"),
    (STANDARD, lambda line: line["headers"].clear(), "no headers webhook-id and webhook-time"),
    (STANDARD, _set(headers={"Stripe-Signature": "t=1,v1=2"}), "one of Stripe"),
    (STANDARD, _header("webhook-signature", lambda _: "v1a,abc"), "only asymmetric"),
    (STANDARD, _header("webhook-signature", lambda _: "v1,abc"), "was it cut off?"),
    (STANDARD, _header("webhook-timestamp", lambda v: f"{v}000"), "not in Unix seconds"),
    (REVENUECAT, _header("Authorization", lambda v: v.replace("Bearer ", "")), "`Bearer `"),
    (REVENUECAT, _header("Authorization", lambda v: f" {v}  "), "white space"),
    (REVENUECAT, _header("Authorization", lambda _: "Basic dTpw"), "user and a password"),
    (REVENUECAT, _header("Authorization", lambda _: "else"), "does not begin with `Bearer `"),
    # Time
    (STRIPE, _set(now=1793001603 + 7200), "2 h old (7200 s)"),
    (STRIPE, _set(now=1793001603 - 400), "in the future (400 s)"),
    (STRIPE, _set(now=None), "is right, but"),
    (PADDLE, _set(tolerance=0, now=1793001607), "0 s are allowed"),
    (STRIPE, _set(secrets=["test_primary_0123456789abcdef"], now=1), "Besides, the signature is"),
    # Bodies
    (PRETTY, _json(_nothing, separators=(",", ":")), "written anew as JSON"),
    (PRETTY, _json(_nothing, indent=4), "written anew as JSON"),
    (STRIPE, _json(_nothing, indent=2, ensure_ascii=False), "written anew as JSON"),
    (STRIPE, _json(_nothing, sort_keys=True), "byte for byte"),  # the order is lost for good
    (STRIPE, _body(lambda body: f"{body}\n"), "line break around it"),
    (PRETTY, _body(lambda body: body.replace("\n", "\r\n")), "became those of Windows"),
    (STRIPE, _body(lambda body: f"\ufeff{body}"), "byte order mark"),
    (STRIPE, _body(lambda body: body.encode().decode("latin-1")), "another encoding than UTF-8"),
    (STRIPE, _body(lambda body: base64.b64encode(body.encode()).decode()), "is in Base64"),
    (STRIPE, _body(json.dumps), "JSON within a text of JSON"),
    (STRIPE, _body(lambda body: body[:-5]), "is not JSON: it was cut off"),
    (STRIPE, _body(lambda _: ""), "is not JSON"),
    (STRIPE, _json(lambda c: c.update(more=1)), "byte for byte"),
    (
        STRIPE,
        lambda line: line["headers"].update({"Content-Length": "5"}) or line.update(payload="{}"),
        "Content-Length",
    ),
    # Adyen
    (ADYEN, _of_item(_unsigned), "the item has no additionalData.hmacSignature"),
    (ADYEN, _of_item(lambda item: item.pop("additionalData")), "has no additionalData.hmac"),
    (ADYEN, _of_item(lambda item: item["amount"].update(value=1)), "a signed field was changed"),
    (ADYEN, _of_item(lambda item: item.update(eventCode="A:B")), "holds a colon"),
    (ADYEN, _of_item(lambda item: item.update(success=True)), "success is neither"),
    (ADYEN, _of_item(lambda item: item["additionalData"].update(hmacSignature="x")), "cut off"),
    (ADYEN, _items(_twice), "item 2 of 2 is signed by none of the secrets"),
    (ADYEN, _items(_twice), "and the others are signed rightly"),
    (ADYEN, _items(lambda items: items.clear()), "no item"),
    (ADYEN, _body(lambda _: "{}"), "no notificationItems"),
    (ADYEN, _body(lambda _: "{"), "the body is not JSON"),
    (ADYEN, _body(lambda b: base64.b64encode(b.encode()).decode()), "is in Base64"),
    (ADYEN, lambda line: line["headers"].update(HmacSignature="A" * 44), "but there is a header"),
    (IN_HEADER, _header("hmacsignature", lambda v: v[:-3]), "has 41 characters"),
    (ADYEN, lambda line: _with_basic_auth(line, None), "no header Authorization"),
    (ADYEN, lambda line: _with_basic_auth(line, "Bearer x"), "not of the form `Basic"),
    (ADYEN, lambda line: _with_basic_auth(line, "Basic dTpw"), "the user and password are none"),
    (ADYEN, lambda line: line["secrets"].append("basic_auth_sha256=XY"), "64 hexadecimal"),
    (ADYEN, _set(secrets=[f"basic_auth_sha256={'0' * 64}"]), "no header Authorization"),
    # What cannot be read
    (STRIPE, _set(payload=None), "payload must be the body's text"),
    (STRIPE, _set(payload={"id": 1}), "for the signature covers each byte"),
    (STRIPE, _set(payload="\ud800"), "half a surrogate pair"),
    (STRIPE, _set(headers=["a"], secrets="x", now="soon", tolerance=-1), "headers must"),
    (STRIPE, _set(headers=["a"], secrets="x", now="soon", tolerance=-1), "now must"),
    (STRIPE, _set(settings=[]), "settings must be an object"),
    (STRIPE, _set(headers={"a": {}}), "headers must be texts"),
    (STRIPE, _set(secrets=[1]), "secrets must be an array of texts"),
    (STRIPE, _set(secrets=["\ud800"]), "secrets hold half"),
    (STRIPE, _set(now=10**30), "now is no moment"),
    (STRIPE, _set(now=True), "now must be Unix seconds"),
    (STRIPE, _set(settings={"tolerence": 1}), "settings are wrong: tolerence: is no such setting"),
]  # fmt: skip
ACCEPTED: list[tuple[str, Change]] = [
    (STRIPE, lambda line: line.update(headers={k.upper(): v for k, v in line["headers"].items()})),
    (STRIPE, _header(SIGNATURE, lambda v: [v])),
    (STRIPE, _header(SIGNATURE, lambda v: [None, v])),
    (STRIPE, lambda line: line["headers"].update(other=None, size=5)),
    (STRIPE, _set(tolerance=None, settings=None)),
    (STRIPE, _set(now=1793001605.25)),
    (STRIPE, _set(now=1793001603 + 9000, tolerance=9000.5)),
    (STRIPE, _set(now=1793001603 + 3000, settings={"tolerance_seconds": 3600}, tolerance=None)),
    (STRIPE, lambda line: line["secrets"].insert(0, "whsec_another")),
    (STANDARD, _secret(lambda s: s.removeprefix("whsec_"))),
    (STANDARD, _header("webhook-timestamp", int)),
    (STANDARD, _set(provider="standard_webhooks")),
    (ADYEN, _json(_nothing, indent=3)),  # only fields are signed
    (ADYEN, lambda line: line["secrets"].insert(0, "no key at all")),
]  # fmt: skip


def test_verify_each_fault_is_refused_and_named_without_a_value() -> None:
    wrong = []
    for number, (vector, change, expected) in enumerate(FAULTS):
        line = changed(vector, change)
        result = answered(line)
        reason = str(result["reason"])
        values = [str(one) for one in [*_texts(line.get("secrets")), *_texts(line.get("headers"))]]
        shown = [one for one in values if len(one) > 8 and one in reason]
        if result["valid"] is not False or expected not in reason or shown:
            wrong.append((number, vector, expected, result["valid"], reason))
    assert wrong == []


def _texts(value: object) -> list[str]:
    """The texts in secrets or headers, without the names of headers."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in _texts(one)]


def test_verify_what_is_right_in_another_form_is_accepted() -> None:
    results = [(n, answered(changed(*one))) for n, one in enumerate(ACCEPTED)]

    assert [(n, result) for n, result in results if result["valid"] is not True] == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", "the line is blank"),
        (b"{", "the line is not JSON"),
        (b"[1]", "the line is no JSON object"),
        (b"\xff", "not UTF-8"),
        (b'"stripe"', "no JSON object"),
    ],
)
def test_verify_line_that_is_no_object_is_said_to_be_none(line: bytes, words: str) -> None:
    result = answered(line)

    assert (result["id"], result["valid"]) == (None, None)
    assert words in result["reason"]


def test_verify_line_that_is_too_long_is_said_to_be() -> None:
    result = json.loads(answer(None))

    assert (result["valid"], f"{LONGEST_LINE // 1024**2} MiB" in result["reason"]) == (None, True)


@every("provider", ["paypal", "braintree", "apple", "google-rtdn-pubsub", "", None, 1, ["stripe"]])
def test_verify_provider_that_is_not_built_has_no_verdict(provider: object) -> None:
    result = answered({"id": "a", "provider": provider, "payload": 1})

    assert (result["id"], result["valid"]) == ("a", None)
    assert "stripe" in result["reason"]


@every("identity", ["a", 1, 1.5, None, True, ["x"], "\ud800", "\u2028"])
def test_verify_id_comes_back_as_given(identity: object) -> None:
    assert answered({"id": identity, "provider": "stripe"})["id"] == identity


def test_verify_id_that_cannot_be_written_is_none() -> None:
    assert answered(b'{"id": 1e999, "provider": "stripe"}')["id"] is None


def test_verify_body_larger_than_the_relay_takes_is_right_and_said_to_be_too_large() -> None:
    line = changed(REVENUECAT, _body(lambda _: "x" * (1024**2 + 1)))

    result = answered(line)

    assert result["valid"] is True
    assert "larger than 1 MiB" in result["reason"]


def test_verify_time_that_is_not_given_is_the_present() -> None:
    line = changed(STRIPE, _set(now=None))
    then = datetime.fromtimestamp(1793001605, UTC)

    assert verdict_on(line, lambda: then).valid is True
