"""People who pay go through every way that a webhook can fare, and are found nowhere.

The providers' own samples, signed by their own SDKs, with a person's data in every place that a
provider has for it, and besides in every object where it has none. Looked through: the answers, all
that is logged and counted, the payments queue, its dead letters, both delivery queues, the tables.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from standardwebhooks import Webhook as StandardWebhook

from relay.errors import TableUnavailableError
from tests.faults.conftest import Scale
from tests.faults.listening import listening
from tests.faults.personas import Person, Places, personas, traces_in
from tests.support import webhooks
from tests.support.builders import MOBILE_APP, Json
from tests.support.fakes import aws_error
from tests.support.harnesses import MOBILE_QUEUE, WEB_QUEUE
from tests.support.payments_harness import (
    PAYMENTS_DEAD,
    PAYMENTS_QUEUE,
    SECRETS,
    PaymentsHarness,
    source_of,
)
from tests.support.webhooks import ACCOUNTS, Account, Posted, present

SOMEBODY = str(Person(0).raw)
_PERSONAL = re.compile(
    r"mail|phone|address|holder|customer_name|account_name|shoppername|description|"
    r"statement_descriptor|receipt|ip_?address|city|line1|postal",
    re.IGNORECASE,
)
"""Names of fields in which providers put what is personal, or what somebody typed."""


def about(value: Any, person: Person) -> Any:
    """A webhook's body with a person in it, wherever there is or could be one."""
    if isinstance(value, list):
        return [about(item, person) for item in value]
    if not isinstance(value, dict):
        return value
    filled = {
        name: person.email
        if _PERSONAL.search(name) and not isinstance(item, dict | list)
        else about(item, person)
        for name, item in value.items()
    }
    return {
        **filled,
        "customer_details": {"email": person.email, "phone": person.phone},
        "name": f"{person.first_name} {person.last_name}",
        "phone_number": person.phone,
        "$email": {"value": person.email},
        person.email: person.raw,
    }


class Crowd:
    """People who pay, each at one of the five providers."""

    def __init__(self, count: int, patch: pytest.MonkeyPatch) -> None:
        self.personas = personas(count)
        self._patch = patch
        self._providers = list(ACCOUNTS)

    def webhooks(self) -> Iterator[tuple[Person, str, Posted]]:
        """All that the providers tell of everybody: person, provider, webhook."""
        for person in self.personas:
            # Not in step with how the people are named.
            provider = self._providers[person.number // 3 % len(self._providers)]
            told = self._told(person, provider)
            assert traces_in(told[0].body.decode()), "nobody is in it to be found"
            for webhook in told:
                yield person, provider, webhook

    def _told(self, person: Person, provider: str) -> list[Posted]:
        text = json.dumps
        self._patch.setattr(webhooks, "_text", lambda body: text(about(body, person)))
        account: Account = ACCOUNTS[provider](SECRETS[provider], f"user-{person.number}")
        return [
            *account.trial(),
            *account.renewal(1),
            *account.refund(1, 1, 1_000),
            *account.refund(1, 2, 500),
            *account.dispute(1),
        ]


Forge = Callable[[Person, Posted], Posted]


def forged(person: Person, webhook: Posted) -> Posted:
    """Signed by nobody: the last character of each header is another one."""
    headers = {
        name: value[:-1] + ("0" if value[-1] != "0" else "1")
        for name, value in webhook.headers.items()
    }
    body = webhook.body.replace(b'"hmacSignature": "', b'"hmacSignature": "AAAA')
    return Posted(headers, body)


def unsigned(person: Person, webhook: Posted) -> Posted:
    return Posted({"x-name": person.last_name}, re.sub(rb'"hmacSignature"', b'"x"', webhook.body))


def as_it_is(person: Person, webhook: Posted) -> Posted:
    return webhook


Break = Callable[[PaymentsHarness], None]


def nothing(harness: PaymentsHarness) -> None:
    """The webhook itself is what is wrong, or nothing is."""


def clock_off(harness: PaymentsHarness) -> None:
    harness.clock.advance(7_200)


def store_down(harness: PaymentsHarness) -> None:
    harness.ssm.error = aws_error("InternalServerError", SOMEBODY)


def bad_settings(harness: PaymentsHarness) -> None:
    harness.ssm.parameters["/relay/sources"] = SOMEBODY


def bad_source(harness: PaymentsHarness) -> None:
    for provider, secret in SECRETS.items():
        harness.add_source(source_of(provider), provider, secret, pick=["Quillfeather"])


def no_secret(harness: PaymentsHarness) -> None:
    for provider in SECRETS:
        harness.ssm.parameters[f"/relay/webhook_secrets/{source_of(provider)}"] = " "


def no_source(harness: PaymentsHarness) -> None:
    harness.ssm.parameters["/relay/sources"] = "{}"


def queue_down(harness: PaymentsHarness) -> None:
    harness.sqs.error = aws_error("InternalError", SOMEBODY)


POSTINGS: dict[str, tuple[Break, Forge, set[int]]] = {
    "taken": (nothing, as_it_is, {200}),
    "forged": (nothing, forged, {401}),
    "unsigned": (nothing, unsigned, {401}),
    "stale": (clock_off, as_it_is, {400, 200}),  # not all providers sign a time
    "Parameter Store down": (store_down, as_it_is, {503}),
    "bad settings": (bad_settings, as_it_is, {503}),
    "bad settings of a source": (bad_source, as_it_is, {503}),
    "no secret": (no_secret, as_it_is, {503}),
    "no source": (no_source, as_it_is, {401}),
    "queue down": (queue_down, as_it_is, {503, 200}),  # nobody's business is not queued
}


@pytest.fixture
def crowd(scale: Scale, monkeypatch: pytest.MonkeyPatch) -> Crowd:
    return Crowd(max(scale.personas, len(ACCOUNTS)), monkeypatch)


def fresh_world(**settings: Any) -> PaymentsHarness:
    harness = PaymentsHarness(**settings)
    harness.clock.now = present()
    return harness


def look_at(harness: PaymentsHarness, places: Places) -> None:
    for name, queue in (
        ("payments queue", PAYMENTS_QUEUE),
        ("dead letters", PAYMENTS_DEAD),
        ("mobile queue", MOBILE_QUEUE),
        ("web queue", WEB_QUEUE),
    ):
        for message in harness.sqs.queues[queue]:
            places.look(name, f"{message.body} {message.group}")
    for table in (harness.trail_table, harness.identities_table):
        for key, item in table.everything().items():
            places.look("tables", f"{key} {item}")


@pytest.mark.parametrize("name", POSTINGS)
def test_people_who_pay_are_found_nowhere_behind_the_entry(name: str, crowd: Crowd) -> None:
    breaks, forge, statuses = POSTINGS[name]
    harness, places = fresh_world(), Places()
    breaks(harness)

    seen = set()
    with listening(keeps_text=True) as heard:
        for person, provider, webhook in crowd.webhooks():
            answer = harness.post(provider, forge(person, webhook))
            seen.add(answer["statusCode"])
            places.look("answers", json.dumps(answer))

    look_at(harness, places)
    places.look("said", "\n".join(heard.said))
    assert seen == statuses
    assert places.traces == {}
    if name == "taken":
        assert len(harness.waiting) > len(crowd.personas)


@pytest.mark.parametrize("kind", ["gift", "purchase"])
def test_webhooks_that_cannot_be_read_keep_nobody(kind: str, scale: Scale) -> None:
    """Signed right, and of an unknown type, without what it needs, or no JSON."""
    harness, places = fresh_world(), Places()

    with listening(keeps_text=True) as heard:
        for person in personas(scale.personas):
            webhook = webhooks_of(harness, f"payment.{kind}", {"id": "p-1", **person.raw})
            broken = Posted({"authorization": SECRETS["revenuecat"]}, str(person.raw).encode())
            for provider, posted in (("standard_webhooks", webhook), ("revenuecat", broken)):
                places.look("answers", json.dumps(harness.post(provider, posted)))
        look_at(harness, places)
        harness.settle()

    look_at(harness, places)
    places.look("said", "\n".join(heard.said))
    assert places.traces == {}
    assert len(harness.dead) == 2 * scale.personas


def webhooks_of(harness: PaymentsHarness, kind: str, data: Json) -> Posted:
    body = json.dumps(
        {"type": kind, "timestamp": f"{harness.clock.now:%Y-%m-%dT%H:%M:%SZ}", "data": data}
    )
    stamp = str(int(harness.clock.now.timestamp()))
    signature = StandardWebhook(SECRETS["standard_webhooks"]).sign("msg_1", harness.clock.now, body)
    headers: Mapping[str, str] = {
        "webhook-id": "msg_1",
        "webhook-timestamp": stamp,
        "webhook-signature": signature,
    }
    return Posted(headers, body.encode())


# map_payment


def trail_down(harness: PaymentsHarness) -> None:
    harness.trail_table.error = TableUnavailableError("DynamoDB failed: InternalServerError")


def identities_down(harness: PaymentsHarness) -> None:
    harness.identities_table.error = TableUnavailableError("DynamoDB failed: InternalServerError")


def store_down_now(harness: PaymentsHarness) -> None:
    harness.start_anew()
    store_down(harness)


def sources_gone(harness: PaymentsHarness) -> None:
    harness.start_anew()
    no_source(harness)


def apps_gone(harness: PaymentsHarness) -> None:
    harness.start_anew()
    for name in [name for name in harness.ssm.parameters if "/apps/" in name]:
        del harness.ssm.parameters[name]


def bad_apps(harness: PaymentsHarness) -> None:
    harness.start_anew()
    for name in [name for name in harness.ssm.parameters if "/apps/" in name]:
        harness.ssm.parameters[name] = SOMEBODY


def feeds_no_app(harness: PaymentsHarness) -> None:
    harness.start_anew()
    for provider, secret in SECRETS.items():
        apps = {"mobile": ["com.example.other"], "web": []}
        harness.add_source(source_of(provider), provider, secret, apps=apps)


def wants_no_revenue(harness: PaymentsHarness) -> None:
    harness.start_anew()
    harness.payments_of(MOBILE_APP, revenue="none")


def delivery_down(harness: PaymentsHarness) -> None:
    harness.sqs.broken_queues = {MOBILE_QUEUE, WEB_QUEUE}


MAPPINGS: dict[str, Callable[[PaymentsHarness], None]] = {
    "mapped": lambda harness: None,
    "trail down": trail_down,
    "identities down": identities_down,
    "Parameter Store down": store_down_now,
    "no source": sources_gone,
    "no app": apps_gone,
    "bad settings of the apps": bad_apps,
    "another app": feeds_no_app,
    "no revenue": wants_no_revenue,
    "delivery queues down": delivery_down,
}


@pytest.mark.parametrize("name", MAPPINGS)
def test_people_who_pay_are_found_nowhere_behind_the_mapping(name: str, crowd: Crowd) -> None:
    harness, places = fresh_world(identity_limit_seconds=60, hold_seconds=30), Places()

    with listening(keeps_text=True) as heard:
        for _, provider, webhook in crowd.webhooks():
            assert harness.post(provider, webhook)["statusCode"] == 200
        MAPPINGS[name](harness)
        for _ in range(8):
            look_at(harness, places)
            harness.map_all()

    look_at(harness, places)
    places.look("said", "\n".join(heard.said))
    assert places.traces == {}
    mapped = len(harness.mobile) + len(harness.web)
    if name in ("mapped", "no revenue"):
        assert mapped > len(crowd.personas)
    else:
        assert mapped == 0 or name == "identities down"


def test_what_is_no_notice_is_kept_by_its_digest_alone(scale: Scale) -> None:
    harness, places = fresh_world(), Places()
    bodies = [json.dumps(person.raw) for person in personas(scale.personas)]

    with listening(keeps_text=True) as heard:
        harness.map(*bodies, *(body[:-1] for body in bodies))

    look_at(harness, places)
    places.look("said", "\n".join(heard.said))
    assert len(harness.dead) == 2 * scale.personas
    assert places.traces == {}


def test_somebody_whom_the_payments_queue_holds_would_be_found_there() -> None:
    """An order's id is the sender's own affair."""
    harness, places = fresh_world(), Places()
    person = Person(1)

    data = {"id": "p-1", "amount": "1.00", "currency": "EUR", "order_id": person.last_name}
    with listening():
        harness.post("standard_webhooks", webhooks_of(harness, "payment.purchase", data))

    look_at(harness, places)
    assert list(places.traces) == ["payments queue"]
