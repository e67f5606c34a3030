import asyncio
import json
import logging
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date, datetime
from types import SimpleNamespace

import boto3
import certifi
import httpx
import pytest
from botocore.config import Config

from relay import appsflyer, composition, lambda_adapter
from relay.aws import table
from relay.config.producers import token_digest
from relay.domain.kinds import Surface
from relay.errors import ConfigurationError
from relay.http1.trust import bundle_age_days
from relay_sandbox.local_aws.memory_table import MemoryAsyncTable, MemoryTable
from tests.support.builders import (
    MOBILE_APP,
    WEB_APP,
    Json,
    make_envelope,
    make_event,
    make_http_event,
    make_sqs_event,
)
from tests.support.fakes import FakeAppsFlyer, FakeSqs, FakeSsm, Meta, Says, aws_error
from tests.support.webhooks import Adyen_

ENVIRONMENT = {
    "RELAY_PARAMETER_PREFIX": "/relay",
    "RELAY_MOBILE_QUEUE_URL": "https://sqs.example.com/mobile",
    "RELAY_WEB_QUEUE_URL": "https://sqs.example.com/web",
    "RELAY_QUEUE_URL": "https://sqs.example.com/mobile",
    "RELAY_DEAD_LETTER_QUEUE_URL": "https://sqs.example.com/mobile-dead",
    "RELAY_APPSFLYER_URL": "https://appsflyer.example.com",
    "RELAY_RETRY_SCHEDULE_SECONDS": "0",
    "RELAY_REQUESTS_IN_FLIGHT": "3",
    "RELAY_DELIVERIES_TABLE": "deliveries",
    "RELAY_IDENTITIES_TABLE": "identities",
    "RELAY_IDENTITY_DAYS": "730",
    "RELAY_TRAIL_TABLE": "trail",
    "RELAY_PAYMENTS_QUEUE_URL": "https://sqs.example.com/payments",
    "RELAY_CONNECT_TIMEOUT_SECONDS": "1",
    "RELAY_READ_TIMEOUT_SECONDS": "2",
}

PRODUCER: Json = {"name": "shop", "token_sha256": [token_digest("shop-token")], "apps": ["*"]}


class Context:
    """Lambda's context object, as far as the functions use it."""

    def __init__(self, milliseconds: int = 60_000) -> None:
        self._milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


class Outside:
    """All that a process of ours speaks to."""

    def __init__(self) -> None:
        self.sqs = FakeSqs()
        self.ssm = FakeSsm(
            {
                f"/relay/apps/mobile/{MOBILE_APP}": "{}",
                f"/relay/tokens/mobile/{MOBILE_APP}": "key",
                "/relay/producers": json.dumps([PRODUCER]),
            }
        )
        self.appsflyer = FakeAppsFlyer()
        self.tables: dict[str, MemoryTable] = defaultdict(MemoryTable)
        self.clients_made: list[str] = []
        self.transports_made: list[tuple[int, float, float]] = []

    def client(self, service: str, **_: object) -> object:
        self.clients_made.append(service)
        return {"sqs": self.sqs, "ssm": self.ssm, "dynamodb": SimpleNamespace(meta=Meta())}[service]

    def table(self, _: object, name: str) -> MemoryTable:
        return self.tables[name]

    def async_table(self, name: str, connections: int) -> MemoryAsyncTable:
        self.connections_to_tables = connections
        return MemoryAsyncTable(self.tables[name])

    def transport(self, connections: int, connect: float, read: float) -> httpx.AsyncBaseTransport:
        self.transports_made.append((connections, connect, read))
        return self.appsflyer.transport


def forget_everything() -> None:
    for made_once in (
        composition._begin,  # noqa: SLF001 - a new process
        composition.accept,
        composition.receive_install,
        composition.receive_payment,
        composition.mapper,
        composition.forwarder,
        lambda_adapter._runner,  # noqa: SLF001 - a new process
    ):
        made_once.cache_clear()


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    """A process that has just begun, with the environment that the template sets."""
    harness = Outside()
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "client", harness.client)
    monkeypatch.setattr(appsflyer, "make_transport", harness.transport)
    monkeypatch.setattr(table, "DynamoTable", harness.table)
    monkeypatch.setattr(composition, "_async_table", harness.async_table)
    forget_everything()
    yield harness
    lambda_adapter._runner().close()  # noqa: SLF001 - the process ends
    forget_everything()


def forward(*bodies: Json | str, milliseconds: int = 90_000) -> Json:
    return lambda_adapter.forward(make_sqs_event(*bodies), Context(milliseconds), Surface.MOBILE)


def test_forward_good_batch_reports_no_failures(outside: Outside) -> None:
    assert forward(make_envelope()) == {"batchItemFailures": []}

    assert len(outside.appsflyer.requests) == 1


def test_forward_reports_failed_records_in_lambdas_form(outside: Outside) -> None:
    outside.appsflyer.says(Says(503))
    outside.sqs.error = aws_error("ServiceUnavailable")

    assert forward(make_envelope(), make_envelope()) == {
        "batchItemFailures": [{"itemIdentifier": "m-0"}, {"itemIdentifier": "m-1"}]
    }


def test_forward_reads_the_remaining_time_as_milliseconds(outside: Outside) -> None:
    """A request of 3 s, four calls of 7 s and one of 8 s: 39 s are enough and 38.999 s are not."""
    forward(make_envelope(), milliseconds=38_999)
    assert outside.appsflyer.requests == []
    forward(make_envelope(), milliseconds=39_000)
    assert len(outside.appsflyer.requests) == 1


def test_forward_uses_one_event_loop_for_the_life_of_the_process(outside: Outside) -> None:
    """Kept connections belong to their loop."""
    loops: list[asyncio.AbstractEventLoop] = []

    def notice(_: httpx.Request) -> Says:
        loops.append(asyncio.get_running_loop())
        return Says(200)

    outside.appsflyer.behaviour = notice
    forward(make_envelope())
    forward(make_envelope(event_id="order-2"))

    assert loops[0] is loops[1]


def test_forward_makes_clients_and_connections_once(outside: Outside) -> None:
    forward(make_envelope())
    forward(make_envelope())

    assert sorted(outside.clients_made) == ["dynamodb", "sqs", "ssm"]
    assert outside.transports_made == [(3, 1.0, 2.0)]
    assert outside.connections_to_tables == 3


def test_forwarder_puts_what_waits_and_what_is_dead_on_its_two_queues(outside: Outside) -> None:
    outside.appsflyer.says(Says(503))

    forward(make_envelope(), "no envelope")

    assert {url: len(messages) for url, messages in outside.sqs.queues.items()} == {
        ENVIRONMENT["RELAY_QUEUE_URL"]: 1,
        ENVIRONMENT["RELAY_DEAD_LETTER_QUEUE_URL"]: 1,
    }


def test_accept_queues_each_surface_on_its_own_queue(outside: Outside) -> None:
    outside.ssm.parameters[f"/relay/apps/web/{WEB_APP}"] = "{}"
    visit = {"user_id": {"customer_user_id": "u"}, "event_url": "https://www.example.com/"}

    composition.accept().handle(make_http_event(make_event()))
    composition.accept().handle(
        make_http_event(visit, route="POST /v1/web/{app_id}/visits", app_id=WEB_APP)
    )

    assert {url: len(messages) for url, messages in outside.sqs.queues.items()} == {
        ENVIRONMENT["RELAY_MOBILE_QUEUE_URL"]: 1,
        ENVIRONMENT["RELAY_WEB_QUEUE_URL"]: 1,
    }


def test_accept_is_made_once(outside: Outside) -> None:
    assert composition.accept() is composition.accept()
    assert sorted(outside.clients_made) == ["sqs", "ssm"]


@pytest.mark.parametrize(
    ("make", "variable"),
    [
        (composition.accept, "RELAY_WEB_QUEUE_URL"),
        (lambda: composition.forwarder(Surface.WEB), "RELAY_APPSFLYER_URL"),
    ],
    ids=["accept", "forwarder"],
)
def test_composition_without_a_setting_names_it_and_succeeds_once_it_is_there(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, make: Callable[[], object], variable: str
) -> None:
    with monkeypatch.context() as patch:
        patch.delenv(variable)
        with pytest.raises(ConfigurationError, match=variable):
            make()

    assert os.environ[variable]
    assert make()


MAKERS: dict[str, Callable[[], object]] = {
    "accept": composition.accept,
    "receive_install": composition.receive_install,
    "receive_payment": composition.receive_payment,
    "mapper": composition.mapper,
    "forwarder": lambda: composition.forwarder(Surface.MOBILE),
}


@pytest.mark.parametrize(
    ("maker", "service"),
    [
        *((maker, "ssm") for maker in MAKERS),
        *((m, "sqs") for m in MAKERS if m != "receive_install"),
    ],
)
def test_composition_refuses_an_aws_without_tls(outside: Outside, maker: str, service: str) -> None:
    client = outside.client(service)
    client.meta = Meta("http://aws.example.com")  # type: ignore[attr-defined] # a fake

    with pytest.raises(ConfigurationError, match="AWS_ENDPOINT_URL: must be https"):
        MAKERS[maker]()


@pytest.mark.parametrize(
    ("today", "level"), [("2026-12-01", "INFO"), ("2035-01-01", "WARNING")], ids=["new", "old"]
)
def test_composition_says_once_whom_tls_trusts_and_how_old_that_is(
    outside: Outside,
    monkeypatch: pytest.MonkeyPatch,
    lines: Callable[[], list[Json]],
    today: str,
    level: str,
) -> None:
    monkeypatch.setattr(composition, "utc_now", lambda: datetime.fromisoformat(today))
    monkeypatch.setenv("AWS_CA_BUNDLE", "/opt/own.pem")
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    composition.accept()
    composition.forwarder(Surface.MOBILE)

    (line,) = lines()
    assert (line["level"], line["aws"]) == (level, "AWS_CA_BUNDLE")
    assert line["appsflyer"] == f"certifi {certifi.__version__}"
    assert line["bundle_age_days"] == bundle_age_days(date.fromisoformat(today))


def test_composition_lets_boto3_repeat_no_read_of_parameters(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ParameterStore` knows when that helps; throttled calls that are repeated add to the load."""
    attempts = {}

    def client(service: str, *, config: Config) -> object:
        attempts[service] = config.retries["total_max_attempts"]  # type: ignore[attr-defined]
        return outside.client(service)

    monkeypatch.setattr(boto3, "client", client)
    composition.accept()
    composition.forwarder(Surface.MOBILE)

    assert attempts == {"ssm": 1, "sqs": 2, "dynamodb": 2}


def test_composition_silences_libraries_before_it_makes_a_client(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = []

    def client(service: str, **options: object) -> object:
        levels.append(logging.getLogger("botocore").getEffectiveLevel())
        return outside.client(service, **options)

    monkeypatch.setattr(boto3, "client", client)
    logging.getLogger().setLevel(logging.DEBUG)
    composition.accept()

    assert levels == [logging.WARNING] * 2


# De-duplication, identities, payments


def test_forward_event_with_money_is_claimed_and_remembered(outside: Outside) -> None:
    forward(make_envelope())

    assert outside.tables["deliveries"].calls == {"put": 2}


def test_forward_looks_customers_up_among_the_identities(outside: Outside) -> None:
    forward(make_envelope(event=make_event(appsflyer_id=None, eventValue=None)))

    assert outside.tables["identities"].calls == {"get": 1}


def test_forward_on_the_web_looks_nobody_up(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RELAY_IDENTITIES_TABLE")

    composition.forwarder(Surface.WEB)

    assert sorted(outside.clients_made) == ["sqs", "ssm"]


def test_installs_are_kept_among_the_identities(outside: Outside) -> None:
    outside.ssm.parameters["/relay/push_senders"] = json.dumps([PRODUCER])
    message = {
        "appsflyer_id": "1-2",
        "customer_user_id": "user-1",
        "install_time": "2026-03-01 10:00:00",
    }
    route = "POST /v1/appsflyer/installs/{app_id}"

    answer = composition.receive_install().handle(make_http_event(message, route=route))

    assert answer["statusCode"] == 200
    assert len(outside.tables["identities"]) == 1


def payment() -> tuple[Json, Json]:
    """A webhook of Adyen's as API Gateway hands it over, and its source's settings."""
    secret = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
    (posted,) = Adyen_(secret, "user-1").renewal(1)
    event = make_http_event(posted.body.decode(), route="POST /v1/payments/{provider}/{source}")
    event["pathParameters"] = {"provider": "adyen", "source": "adyen-main"}
    settings = {"provider": "adyen", "apps": {"mobile": [MOBILE_APP]}}
    return event, {
        "/relay/sources": json.dumps({"adyen-main": settings}),
        "/relay/webhook_secrets/adyen-main": secret,
    }


def test_payment_goes_from_its_webhook_to_the_mobile_queue(outside: Outside) -> None:
    event, parameters = payment()
    outside.ssm.parameters |= parameters

    answer = composition.receive_payment().handle(event)
    (notice,) = outside.sqs.queues[ENVIRONMENT["RELAY_PAYMENTS_QUEUE_URL"]]
    failed = lambda_adapter.map_payments(make_sqs_event(notice.body), Context())

    assert (answer["statusCode"], answer["body"]) == (200, "[accepted]")
    assert failed == {"batchItemFailures": []}
    (message,) = outside.sqs.queues[ENVIRONMENT["RELAY_MOBILE_QUEUE_URL"]]
    assert message.content["source"] == "adyen-main"
    assert outside.tables["identities"].calls == {"under": 1}
    assert len(outside.tables["trail"]) > 1


UNWANTED = {
    "receive_payment": {"httpx", "phonenumbers", "stripe", "Adyen", "standardwebhooks"},
    "receive_install": {"httpx", "phonenumbers"},
    "mapper": {"httpx", "stripe", "Adyen", "asyncio"},
    "accept": {"httpx"},
}
LOADED_BY_EACH = """
import json, os, sys
import boto3
from relay import composition

for name in sys.argv[1:]:
    if not os.fork():
        getattr(composition, name)()
        loaded = sorted({module.partition(".")[0] for module in sys.modules})
        os.write(1, json.dumps([name, loaded]).encode() + b"\\n")
        os._exit(0)
    assert os.wait()[1] == 0, name
"""
"""All of them begin with boto3; what one loads beyond it, the next does not find."""


def test_function_imports_nothing_that_only_others_need() -> None:
    where = {"AWS_DEFAULT_REGION": "us-east-1", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", LOADED_BY_EACH, *UNWANTED],
        env={**where, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))
    assert loaded.keys() == UNWANTED.keys()
    assert {name: found for name in loaded if (found := UNWANTED[name] & set(loaded[name]))} == {}
