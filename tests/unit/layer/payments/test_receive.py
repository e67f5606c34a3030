import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from relay.messages.notice import parse_notice
from tests.support.builders import NOW, Json
from tests.support.fakes import aws_error
from tests.support.payments_harness import (
    BILLING_SECRET,
    SECRETS,
    PaymentsHarness,
    billing_webhook,
    source_of,
    webhook_event,
)
from tests.support.webhooks import ACCOUNTS, Posted, Stripe, present

PURCHASE = {
    "id": "order-1",
    "amount": "9.99",
    "currency": "EUR",
    "customer_user_id": "user-1",
    "app_id": "id123456789",
}
OTHER_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

Counted = Callable[[], dict[str, float]]
Lines = Callable[[], list[Json]]
Heard = Callable[[], str]


@pytest.fixture
def harness() -> PaymentsHarness:
    return PaymentsHarness()


def purchase(harness: PaymentsHarness, secret: str = BILLING_SECRET, **data: Any) -> Posted:
    return billing_webhook("purchase", harness.clock, secret, **PURCHASE | data)


@pytest.mark.parametrize(
    ("provider", "acknowledgement"),
    [
        ("stripe", ""),
        ("paddle", ""),
        ("revenuecat", ""),
        ("standard_webhooks", ""),
        ("adyen", "[accepted]"),
    ],
)
def test_webhook_of_each_provider_is_answered_200_and_queued(
    harness: PaymentsHarness, provider: str, acknowledgement: str
) -> None:
    harness.clock.now = present()
    webhook = ACCOUNTS[provider](SECRETS[provider], "user-1").renewal(1)[-1]

    answer = harness.post(provider, webhook)

    assert (answer["statusCode"], answer["body"]) == (200, acknowledgement)
    (message,) = harness.waiting
    notice = parse_notice(message.body)
    assert (notice.provider, notice.source) == (provider, source_of(provider))
    assert notice.sha256 == hashlib.sha256(webhook.body).hexdigest()
    assert message.group == source_of(provider)


def test_webhook_in_base64_is_verified_over_its_bytes(harness: PaymentsHarness) -> None:
    event = webhook_event("standard_webhooks", purchase(harness, order_id="Straße 1"), encoded=True)

    assert harness.receiver.handle(event)["statusCode"] == 200
    assert parse_notice(harness.waiting[0].body).content["data"]["order_id"] == "Straße 1"


def test_webhook_is_first_seen_when_api_gateway_took_it(harness: PaymentsHarness) -> None:
    harness.clock.advance(3)

    harness.post("standard_webhooks", purchase(harness))

    assert parse_notice(harness.waiting[0].body).first_seen == NOW


def test_webhook_keeps_nothing_but_the_allow_list(harness: PaymentsHarness) -> None:
    harness.post("standard_webhooks", purchase(harness, email="jane.roe@example.com"))

    assert "jane" not in harness.waiting[0].body


def test_webhook_of_an_ignored_type_is_acknowledged_counted_and_not_queued(
    harness: PaymentsHarness, counted: Counted
) -> None:
    harness.clock.now = present()
    second_telling = ACCOUNTS["stripe"](SECRETS["stripe"], "user-1").renewal(1)[1]
    assert b"invoice.payment_succeeded" in second_telling.body

    assert harness.post("stripe", second_telling)["statusCode"] == 200

    assert harness.waiting == []
    assert counted() == {"WebhookIgnored": 1}


def test_webhook_that_cannot_be_treated_in_full_is_counted_for_why(
    harness: PaymentsHarness, counted: Counted
) -> None:
    harness.clock.now = present()
    account = ACCOUNTS["stripe"](SECRETS["stripe"], "user-1")
    assert isinstance(account, Stripe)
    for webhook in (account.of_version("2025-04-30.basil"), account.of_account("acct_1")):
        assert harness.post("stripe", webhook)["statusCode"] == 200

    assert counted() == {
        "WebhookReceived": 1,
        "WebhookIgnored": 1,
        "StripeVersionUnlinkable": 1,
        "StripeForeignAccount": 1,
    }


def test_webhook_of_an_unknown_type_is_kept_by_id_type_and_digest(harness: PaymentsHarness) -> None:
    webhook = billing_webhook("gift", harness.clock, id="g-1", customer_user_id="user-1")

    assert harness.post("standard_webhooks", webhook)["statusCode"] == 200

    notice = parse_notice(harness.waiting[0].body)
    assert (notice.id, notice.type, notice.problem) == ("g-1", "payment.gift", "unknown_type")
    assert notice.content == {}
    assert "user-1" not in harness.waiting[0].body


def test_webhook_that_cannot_be_read_is_acknowledged_and_kept_by_its_digest(
    harness: PaymentsHarness, counted: Counted
) -> None:
    body = b'{"no": "event at all, jane.roe@example.com"}'
    webhook = Posted({"authorization": SECRETS["revenuecat"]}, body)

    assert harness.post("revenuecat", webhook)["statusCode"] == 200

    notice = parse_notice(harness.waiting[0].body)
    assert (notice.sha256, notice.size) == (hashlib.sha256(body).hexdigest(), len(body))
    assert (notice.problem or "").startswith("unreadable: event.type")
    assert "jane" not in harness.waiting[0].body
    assert counted() == {"WebhookUnreadable": 1}


# Refused


def refusal(answer: Json) -> tuple[int, str]:
    return answer["statusCode"], json.loads(answer["body"])["detail"]


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "nonsense"},
        {"webhook-signature": ""},
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": "yesterday"},
    ],
)
def test_webhook_with_a_wrong_signature_is_401_with_one_text(
    harness: PaymentsHarness, counted: Counted, change: dict[str, str]
) -> None:
    good = purchase(harness)

    answer = harness.post("standard_webhooks", Posted({**good.headers, **change}, good.body))

    assert refusal(answer) == (401, "the signature is wrong")
    assert harness.waiting == []
    assert counted() == {"WebhookRefused": 1}


def test_webhook_with_another_body_is_401(harness: PaymentsHarness) -> None:
    good = purchase(harness)

    answer = harness.post("standard_webhooks", Posted(good.headers, good.body.replace(b"9", b"8")))

    assert answer["statusCode"] == 401


@pytest.mark.parametrize("seconds", [301, -301])
def test_webhook_signed_too_long_ago_or_in_the_future_is_400(
    harness: PaymentsHarness, seconds: float
) -> None:
    webhook = purchase(harness)
    harness.clock.advance(seconds)

    answer = harness.post("standard_webhooks", webhook)

    assert refusal(answer) == (400, "the signature's time is too far off")
    assert harness.waiting == []


@pytest.mark.parametrize(
    ("provider", "source"),
    [
        ("standard_webhooks", "nobodys"),
        ("standard_webhooks", "Not A Name"),
        ("stripe", "standard-webhooks"),
        ("mollie", "standard-webhooks"),
    ],
)
def test_webhook_for_no_source_of_this_provider_is_answered_as_a_wrong_signature(
    harness: PaymentsHarness, counted: Counted, lines: Lines, provider: str, source: str
) -> None:
    """A stranger must not find out which sources there are; the log tells them apart."""
    good = purchase(harness)
    forged = harness.post("standard_webhooks", purchase(harness, OTHER_SECRET))

    answer = harness.post(provider, good, source)

    assert answer == forged
    assert refusal(answer) == (401, "the signature is wrong")
    assert counted() == {"WebhookRefused": 2}
    assert [line["problem"] for line in lines()] == [
        "no signature by any of the secrets",
        "no such source of this provider's",
    ]


@pytest.mark.parametrize("seconds", [0, 86_400])
@pytest.mark.parametrize(("large", "status"), [(False, 401), (True, 413)])
@pytest.mark.parametrize("provider", sorted(SECRETS))
def test_webhook_of_a_stranger_is_answered_alike_for_sources_that_are_and_are_not(
    harness: PaymentsHarness,
    provider: str,
    large: bool,  # noqa: FBT001 - a column
    status: int,
    seconds: int,
) -> None:
    """Whatever its size and the time that it claims."""
    signed = ACCOUNTS[provider](SECRETS[provider], "user-1").renewal(1)[-1]
    stranger = Posted(signed.headers, b"x" * (1024 * 1024 + 1) if large else signed.body)
    harness.add_source(source_of(provider), provider, "".join(reversed(SECRETS[provider])))
    harness.clock.now = present()
    harness.clock.advance(seconds)

    there = harness.post(provider, stranger)

    assert harness.post(provider, stranger, "nobodys") == there
    assert there["statusCode"] == status


def test_webhook_for_nobody_says_nothing_of_the_name_in_the_log(
    harness: PaymentsHarness, said: Heard
) -> None:
    harness.post("stripe", purchase(harness), "made-up-by-a-stranger")

    assert "made-up" not in said()


@pytest.mark.parametrize(("size", "status"), [(1024 * 1024 + 1, 413), (1024 * 1024, 401)])
def test_webhook_of_more_than_a_mebibyte_is_413(
    harness: PaymentsHarness, size: int, status: int
) -> None:
    answer = harness.post("stripe", Posted({}, b"x" * size))

    assert answer["statusCode"] == status


def test_another_route_is_404(harness: PaymentsHarness) -> None:
    event = webhook_event("stripe", Posted({}, b"")) | {"routeKey": "GET /v1/payments"}

    assert refusal(harness.receiver.handle(event)) == (404, "no such route")


# Secrets that are rotated


def test_webhook_by_any_of_several_secrets_is_taken(harness: PaymentsHarness) -> None:
    harness.add_source(
        "standard-webhooks", "standard_webhooks", f"{OTHER_SECRET}\n{BILLING_SECRET}\n"
    )

    for secret in (BILLING_SECRET, OTHER_SECRET):
        assert harness.post("standard_webhooks", purchase(harness, secret))["statusCode"] == 200


def test_webhook_by_a_new_secret_is_taken_at_once(harness: PaymentsHarness) -> None:
    harness.post("standard_webhooks", purchase(harness))
    harness.add_source("standard-webhooks", "standard_webhooks", OTHER_SECRET)

    assert harness.post("standard_webhooks", purchase(harness, OTHER_SECRET))["statusCode"] == 200


def test_webhook_by_a_new_secret_and_too_old_is_400(harness: PaymentsHarness) -> None:
    harness.post("standard_webhooks", purchase(harness))
    old = purchase(harness, OTHER_SECRET)
    harness.add_source("standard-webhooks", "standard_webhooks", OTHER_SECRET)
    harness.clock.advance(301)

    assert harness.post("standard_webhooks", old)["statusCode"] == 400


def test_webhook_by_a_secret_that_was_taken_away_is_refused_in_five_minutes(
    harness: PaymentsHarness,
) -> None:
    """What a stranger sends causes no read; what seems right is judged by what is true now."""
    harness.start_anew(processes=1000)
    harness.post("standard_webhooks", purchase(harness))
    harness.add_source("standard-webhooks", "standard_webhooks", OTHER_SECRET)
    harness.clock.advance(299)
    assert harness.post("standard_webhooks", purchase(harness))["statusCode"] == 200

    harness.clock.advance(1)
    assert harness.post("standard_webhooks", purchase(harness, "whsec_Zm9y"))["statusCode"] == 401
    assert len(harness.ssm.calls) == 1
    assert harness.post("standard_webhooks", purchase(harness))["statusCode"] == 401
    assert harness.post("standard_webhooks", purchase(harness, OTHER_SECRET))["statusCode"] == 200
    assert len(harness.ssm.calls) == 2


def test_forged_webhooks_cost_one_read_of_the_secrets_in_ten_seconds(
    harness: PaymentsHarness,
) -> None:
    for _ in range(50):
        assert (
            harness.post("standard_webhooks", purchase(harness, OTHER_SECRET))["statusCode"] == 401
        )

    secrets = "/relay/webhook_secrets/standard-webhooks"
    assert harness.ssm.calls == [["/relay/sources", secrets], [secrets]]


def test_webhooks_for_unknown_sources_cost_one_read_in_ten_seconds(
    harness: PaymentsHarness,
) -> None:
    for number in range(50):
        answer = harness.post(
            "standard_webhooks", purchase(harness, OTHER_SECRET), source=f"made-up-{number}"
        )
        assert answer["statusCode"] == 401

    first = ["/relay/sources", "/relay/webhook_secrets/made-up-0"]
    assert [names[:1] for names in harness.ssm.calls] == [first[:1], first[:1]]
    assert harness.ssm.calls[0] == first


# What is not the provider's fault


def test_webhook_while_parameter_store_fails_is_503(harness: PaymentsHarness) -> None:
    harness.ssm.error = aws_error("ThrottlingException")

    answer = harness.post("standard_webhooks", purchase(harness))

    assert answer["statusCode"] == 503
    assert answer["headers"]["retry-after"] == "5"


def test_webhook_for_a_source_with_a_mistake_is_503_and_the_log_names_it(
    harness: PaymentsHarness, lines: Lines
) -> None:
    harness.billing(pick=["coin toss"])

    assert harness.post("standard_webhooks", purchase(harness))["statusCode"] == 503

    (line,) = lines()
    assert line["message"] == "setting is wrong"
    assert line["problem"].startswith("/relay/sources: standard-webhooks.pick.0: ")


def test_webhook_for_a_source_without_secrets_is_503(harness: PaymentsHarness) -> None:
    del harness.ssm.parameters["/relay/webhook_secrets/standard-webhooks"]

    assert harness.post("standard_webhooks", purchase(harness))["statusCode"] == 503


def test_webhook_while_the_queue_takes_nothing_is_503(harness: PaymentsHarness) -> None:
    harness.sqs.error = aws_error("ServiceUnavailable")

    assert harness.post("standard_webhooks", purchase(harness))["statusCode"] == 503


# What is said


def test_log_of_all_that_can_happen_to_a_webhook_holds_nothing_of_it(
    harness: PaymentsHarness, said: Heard
) -> None:
    person = "jane.roe@example.com"
    webhook = purchase(harness, customer_user_id=person, order_id="secret-order")
    forged = purchase(harness, OTHER_SECRET, customer_user_id=person)
    unreadable = Posted({"authorization": SECRETS["revenuecat"]}, person.encode())

    for provider, one in (
        ("standard_webhooks", webhook),
        ("standard_webhooks", forged),
        ("revenuecat", unreadable),
    ):
        harness.post(provider, one)

    heard = said()
    assert "webhook refused" in heard
    for private in (person, "secret-order", "order-1", BILLING_SECRET, SECRETS["revenuecat"]):
        assert private not in heard
