"""The samples in events/: each is what its function gets, and ends as it says.

The use cases are the real ones; Parameter Store, SQS and AppsFlyer stand around them in memory.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from relay import telemetry
from relay.accept.accept import ROUTES, Accept, with_visitor
from relay.aws.parameter_store import ParameterStore
from relay.aws.sqs import Queue
from relay.config.apps import Apps
from relay.config.environment import MapPaymentSettings
from relay.config.producers import Producers, token_digest
from relay.config.sources import Sources
from relay.domain.findings import Finding
from relay.domain.kinds import App, Kind, Surface
from relay.domain.outcomes import Outcome
from relay.exact_json import InvalidJsonError, dumps, loads
from relay.forward.forwarder import NO_SUCH_APP
from relay.gateway.request import Request
from relay.installs.receive import Installs
from relay.instants import from_milliseconds, mobile_form, to_milliseconds
from relay.messages.arrival import prepare_arrival
from relay.messages.envelope import money_without_id
from relay.messages.reader import read_body
from relay.payments.map import Mapper
from relay.payments.providers.registry import source_settings
from relay.payments.receive import Receiver
from relay.rules.prepare import Prepared
from relay.stores.identities import Identities
from relay.stores.money_trail import Trail
from relay_sandbox.local_aws.memory_table import MemoryAsyncTable, MemoryTable
from relay_sandbox.payment_sources import seeded_sources
from relay_sandbox.seeds import Seeds
from tests.support.builders import Json, make_settings, make_sqs_event
from tests.support.every import every
from tests.support.fakes import OK, FakeAppsFlyer, FakeClock, FakeSqs, FakeSsm, Says, longest
from tests.support.forwarders import make_forwarder
from tests.support.template import of_type

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "events").glob("*_*.json"))
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MOBILE_APPS = ("id123456789", "com.example.shop", "com.example.blocked")
WEB_APPS = ("website-www.example.com",)
TIME_FIELDS = ("eventTime", "timestamp")
APPS = {app.app_id for app in Seeds().apps}
RECEIVERS = ("receive_install", "receive_payment")
PUSH_TOKEN = "sandbox-push-token"

SHOWN_BY_NO_SAMPLE = {
    Outcome.REFUSED,  # AppsFlyer would have to find what we do not
    Outcome.DEFERRED,  # something would have to fail
    Outcome.DUPLICATE,  # each has an id of its own
}


class Expectation(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    outcome: str
    recorded: Literal["event", "arrival"] | None
    rule: str | None
    findings: list[str]


class Becomes(BaseModel):
    """The event that a webhook becomes, or an event with what is looked up for it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    app_id: str
    kind: str
    event_id: str
    event: Json


class Sample(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    about: str = Field(pattern=r"^[A-Z`].{20,200}\.$")
    age_seconds: int | None = Field(None, gt=0)
    status: int | None = None
    signed_by: str | None = None
    expect: list[Expectation]
    becomes: list[Becomes] | None = None


@dataclass
class File:
    """One file, with its events as old as it wants them."""

    name: str
    entry: str
    event: Json
    sample: Sample

    @classmethod
    def read(cls, path: Path, now: datetime = NOW) -> "File":
        event = json.loads(path.read_text(encoding="utf-8"))
        sample = Sample.model_validate(event["sample"])
        (entry,) = (name for name in _functions() if path.stem.startswith(f"{name}_"))
        if sample.age_seconds:
            _make_older(event, now - timedelta(seconds=sample.age_seconds))
        return cls(path.stem, entry, event, sample)


def _functions() -> set[str]:
    return {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}


def _make_older(event: Json, moment: datetime) -> None:
    for record in event["Records"]:
        envelope = loads(record["body"])
        given = envelope["event"]
        if "eventTime" in given:
            given["eventTime"] = mobile_form(moment)
        if "timestamp" in given:
            given["timestamp"] = to_milliseconds(moment)
        record["body"] = dumps(envelope).decode()


def _every_file(entry: str = "") -> Callable[[Callable[..., None]], Callable[..., None]]:
    files = [path for path in FILES if path.stem.startswith(entry)]
    return every("path", files, ids=[path.stem for path in files])


def _files(entry: str) -> pytest.MarkDecorator:
    files = [path for path in FILES if path.stem.startswith(entry)]
    return pytest.mark.parametrize("path", files, ids=[path.stem for path in files])


# What stands around the use cases


class System:
    """The use cases of all three functions, in memory; AppsFlyer blocks one app."""

    def __init__(self) -> None:
        digest = token_digest("sandbox-producer-token")
        producer = {"name": "shop", "token_sha256": [digest], "apps": [*MOBILE_APPS, *WEB_APPS]}
        parameters = {"/relay/producers": json.dumps([producer])}
        for surface, app_ids in ((Surface.MOBILE, MOBILE_APPS), (Surface.WEB, WEB_APPS)):
            for app_id in app_ids:
                parameters[f"/relay/apps/{surface}/{app_id}"] = "{}"
                parameters[f"/relay/tokens/{surface}/{app_id}"] = "an-s2s-key"
        senders = [{"name": "appsflyer", "token_sha256": [token_digest(PUSH_TOKEN)], "apps": ["*"]}]
        parameters["/relay/push_senders"] = json.dumps(senders)
        apps = {"mobile": MOBILE_APPS[:2], "web": WEB_APPS}
        sources = {one.name: one.settings(apps) for one in seeded_sources()}
        parameters["/relay/sources"] = json.dumps(sources)
        for source in seeded_sources():
            parameters[f"/relay/webhook_secrets/{source.name}"] = source.secret
        self.clock = FakeClock()
        self.clock.now = NOW
        self.people = MemoryTable()
        self.identities = Identities(self.people, clock=self.clock)
        self.deliveries = MemoryAsyncTable(MemoryTable())
        self.trail = Trail(MemoryTable(), 400, self.clock)
        self.store = ParameterStore(FakeSsm(parameters).client(), "/relay")
        self.sqs = FakeSqs()
        self.appsflyer = FakeAppsFlyer(
            lambda request: Says(403) if "blocked" in request.url.path else OK
        )

    def accept(self, event: Json) -> Json:
        queues = {surface: self._queue(surface) for surface in Surface}
        return Accept(Apps(self.store), Producers(self.store), queues).handle(event)

    def forward(self, surface: Surface, event: Json) -> None:
        settings = make_settings(queue_url=_url(surface), dead_letter_queue_url=_url("dead"))
        forwarder = make_forwarder(
            surface,
            settings,
            self.appsflyer.transport,
            self.store,
            self.sqs.client(),
            self.clock,
            deliveries=self.deliveries,
            identities=self.people,
        )
        assert asyncio.run(forwarder.forward(event["Records"], lambda: 90.0)) == []

    def receive(self, entry: str, event: Json) -> Json:
        """A webhook of a payment provider's, or of AppsFlyer's."""
        if entry == "receive_install":
            senders = Producers(self.store, "push_senders")
            return Installs(senders, self.identities).handle(event)
        receiver = Receiver(
            Sources(self.store, source_settings()), self._queue("payments"), self.clock
        )
        return receiver.handle(event)

    def map(self, event: Json) -> None:
        settings = MapPaymentSettings.model_validate(
            {
                **dict.fromkeys(("queue_url", "dead_letter_queue_url"), "https://sqs.example.com/"),
                **dict.fromkeys(("mobile_queue_url", "web_queue_url"), "https://sqs.example.com/"),
                **dict.fromkeys(("identities_table", "trail_table"), "table"),
                "parameter_prefix": "/relay",
                "retry_schedule_seconds": (1,),
            }
        )
        mapper = Mapper(
            settings,
            Sources(self.store, source_settings()),
            Apps(self.store),
            self.trail,
            self.identities,
            queue=self._queue("payments"),
            dead_letters=self._queue("payments dead"),
            delivery_queues={surface: self._queue(surface) for surface in Surface},
            clock=self.clock,
            jitter=longest,
        )
        assert mapper.map(event["Records"], lambda: 90.0) == []

    def take(self, queue: str) -> Json:
        """All that is on a queue, as Lambda hands it to a function, its delay over."""
        messages = self.sqs.queues.pop(_url(queue), [])
        self.clock.advance(max((message.delay_seconds for message in messages), default=0))
        return make_sqs_event(*(message.body for message in messages))

    def on(self, queue: str) -> list[Json]:
        """What was put on a queue: `mobile`, `web` or `dead`."""
        return [message.content for message in self.sqs.queues[_url(queue)]]

    def _queue(self, name: str) -> Queue:
        return Queue(self.sqs.client(), _url(name))


def _url(queue: str) -> str:
    return f"https://sqs.example.com/{queue}"


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "AppsFlyerRelay")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "events")
    telemetry.logger.cache_clear()
    yield System()
    telemetry.logger.cache_clear()


# What each event comes to


@dataclass
class Handed:
    """One event as it is handed in: `kind` is None where there is no envelope to say it."""

    kind: Kind | None
    app_id: str
    event: Any
    event_id: str | None
    found: tuple[Finding, ...] = ()
    """What there is to say of its envelope."""

    def prepared(self, now: datetime = NOW) -> tuple[Prepared | None, list[Finding]]:
        if self.kind is None:
            return None, list(self.found)
        app = App(self.app_id)
        prepared = prepare_arrival(self.kind, app, self.event, now, now, self.event_id)
        needs_id = prepared.has_revenue and self.event_id is None
        warned = [money_without_id()] if needs_id else []
        is_id = all(finding.rule != "E8" for finding in prepared.findings)
        unknown = [NO_SUCH_APP] if is_id and self.app_id not in APPS else []
        return prepared, [*self.found, *prepared.findings, *warned, *unknown]


def _handed(file: File) -> Iterator[Handed]:
    """The events of a file, as their entry takes them out of it."""
    if file.sample.becomes is not None:
        for one in file.sample.becomes:
            event = loads(json.dumps(one.event))
            yield Handed(Kind(one.kind), one.app_id, event, one.event_id)
        return
    if file.entry in RECEIVERS:
        return
    if file.entry == "map_payment":
        yield from (Handed(None, "", None, None) for _ in file.event["Records"])
        return
    if file.entry != "accept":
        for record in file.event["Records"]:
            for item in read_body(record["body"], NOW):
                envelope, fault = item.envelope, item.fault
                found = (*(() if fault is None else (fault.finding,)), *item.findings)
                known = None if fault else envelope.kind
                yield Handed(known, envelope.app_id, envelope.event, envelope.event_id, found)
        return
    if not file.sample.expect:
        return
    request = Request.of(file.event)
    kind = ROUTES[request.route]
    events = loads(request.body)
    for event in events if isinstance(events, list) else [events]:
        full = with_visitor(kind, event, request.cookies)
        yield Handed(kind, request.app_id, full, request.idempotency_key)


def _shown(findings: Sequence[Finding]) -> list[str]:
    ordered = sorted(findings, key=lambda one: (one.rule[0], int(one.rule[1:]), one.severity))
    return [f"{finding.severity} {finding.rule}" for finding in ordered]


# The promises


def test_events_folder_has_a_sample_prefix_for_every_function() -> None:
    assert {File.read(path).entry for path in FILES} == _functions()


def test_events_folder_has_no_json_file_that_is_neither_sample_nor_env() -> None:
    assert {*(ROOT / "events").glob("*.json")} == {*FILES, ROOT / "events" / "env.json"}


@_every_file()
def test_sample_has_an_expectation_for_each_of_its_events(path: Path) -> None:
    file = File.read(path)

    assert len(list(_handed(file))) == len(file.sample.expect)
    assert (file.sample.status is not None) == (file.entry in {"accept", *RECEIVERS})


@_every_file()
def test_sample_states_the_time_that_would_be_recorded(path: Path) -> None:
    file = File.read(path)

    for handed, expected in zip(_handed(file), file.sample.expect, strict=True):
        prepared, _ = handed.prepared()
        recorded = prepared.recorded if prepared else None
        if expected.outcome == Outcome.DELIVERED:
            assert recorded is not None
            assert (expected.recorded, expected.rule) == (recorded.source, recorded.rule)
        else:
            assert (expected.recorded, expected.rule) == (None, None)


@_every_file()
def test_sample_states_every_finding(path: Path) -> None:
    file = File.read(path)

    found = [_shown(handed.prepared()[1]) for handed in _handed(file)]

    assert [expected.findings for expected in file.sample.expect] == found


@_files("forward_")
def test_forwarder_does_with_a_sample_what_it_says(path: Path, system: System) -> None:
    file = File.read(path)
    surface = Surface(file.entry.removeprefix("forward_"))

    install = File.read(ROOT / "events" / "receive_install_post.json")
    system.receive(install.entry, install.event)
    system.forward(surface, file.event)

    expected = Counter(expected.outcome for expected in file.sample.expect)
    ended = Counter(letter["outcome"] for letter in system.on("dead"))
    ended[Outcome.BLOCKED] = expected[Outcome.BLOCKED]  # it was sent, and waits
    ended[Outcome.DELIVERED] = len(system.appsflyer.requests) - ended[Outcome.BLOCKED]
    ended[Outcome.HELD] = len(system.on(surface)) - ended[Outcome.BLOCKED]
    assert +ended == expected


@_files("accept_")
def test_accept_answers_a_sample_as_it_says(path: Path, system: System) -> None:
    file = File.read(path)

    answer = system.accept(file.event)

    assert answer["statusCode"] == file.sample.status
    outcomes = [expected.outcome for expected in file.sample.expect]
    queued = system.on("mobile") + system.on("web")
    assert len(queued) == outcomes.count(Outcome.DELIVERED)


@_files("accept_")
def test_accept_names_the_findings_that_a_sample_says(path: Path, system: System) -> None:
    file = File.read(path)
    if not file.sample.expect:
        return

    answer = json.loads(system.accept(file.event)["body"])

    shown = [one["findings"] for one in answer.get("events", [answer])]
    found = [_shown([Finding(**finding) for finding in findings]) for findings in shown]
    assert found == [expected.findings for expected in file.sample.expect]


@_every_file()
@every("later", [timedelta(days=1), timedelta(days=400)], ids=["day", "year"])
def test_sample_expects_the_same_on_another_day(path: Path, later: timedelta) -> None:
    """A fixed time would be late tomorrow, unless nothing looks at it or it cannot be read."""
    file = File.read(path, NOW + later)

    found = [handed.prepared(NOW + later) for handed in _handed(file)]

    # The time of an event that is rejected is told as well (T12), and may be late by then.
    assert [
        [
            shown
            for shown in _shown(findings)
            if " T" not in shown or expected.outcome != Outcome.REJECTED
        ]
        for (_, findings), expected in zip(found, file.sample.expect, strict=True)
    ] == [expected.findings for expected in file.sample.expect]
    assert [
        prepared.recorded and prepared.recorded.rule
        for (prepared, _), expected in zip(found, file.sample.expect, strict=True)
        if prepared and expected.outcome == Outcome.DELIVERED
    ] == [expected.rule for expected in file.sample.expect if expected.rule]


@_every_file("forward_")
def test_sample_with_an_age_has_a_time_to_set(path: Path) -> None:
    file = File.read(path)
    if file.sample.age_seconds is None:
        return

    assert all(not handed.event.keys().isdisjoint(TIME_FIELDS) for handed in _handed(file))


# Payments and installs


@_files("receive_")
def test_receiver_answers_a_sample_as_it_says(path: Path, system: System) -> None:
    """Signatures are as old as the samples: for the present moment they are made afresh."""
    file = File.read(path)

    answer = system.receive(file.entry, file.event)

    assert answer["statusCode"] == file.sample.status
    assert len(system.on("payments")) == len(file.sample.expect)


def test_payment_samples_together_become_what_they_say(system: System) -> None:
    """Together, because a refund is nothing without its payment."""
    files = [File.read(path) for path in FILES]
    mapped = [file for file in files if file.entry in {*RECEIVERS, "map_payment"}]
    for file in mapped:
        if file.entry == "map_payment":
            system.map(file.event)
        else:
            system.receive(file.entry, file.event)

    while system.on("payments"):
        system.map(system.take("payments"))
    for surface in Surface:
        system.forward(surface, system.take(surface))

    becomes = [handed for file in mapped for handed in _handed(file) if handed.kind is not None]
    expected = [prepared.body for handed in becomes if (prepared := handed.prepared()[0])]
    assert None not in expected
    sent = [loads(request.content) for request in system.appsflyer.requests]
    assert sorted(map(str, sent)) == sorted(str(loads(body or b"")) for body in expected)
    assert [letter["reason"] for letter in system.on("payments dead")] == ["not_an_envelope"]


def test_samples_together_show_every_outcome_that_needs_no_fault() -> None:
    shown = {entry.outcome for path in FILES for entry in File.read(path).sample.expect}

    assert shown == set(Outcome) - SHOWN_BY_NO_SAMPLE


def test_samples_together_take_every_route() -> None:
    files = [File.read(path) for path in FILES]
    events = [one["Events"].values() for one in of_type("AWS::Serverless::Function").values()]
    routes = [event["Properties"] for event in chain(*events) if event["Type"] == "HttpApi"]

    taken = {file.event["routeKey"] for file in files if "routeKey" in file.event}
    assert taken == {f"{route['Method']} {route['Path']}" for route in routes}


def test_http_samples_with_a_key_each_have_their_own() -> None:
    """The same key with another body would be refused."""
    files = [File.read(path) for path in FILES if path.stem.startswith("accept_")]
    keys = [key for file in files if (key := file.event["headers"].get("idempotency-key"))]

    assert len(keys) == len(set(keys))


@_every_file()
def test_sample_holds_nobodys_data(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert set(re.findall(r"@([\w.-]+)", text)) <= {"example.com"}
    assert all(host.endswith("example.com") for host in re.findall(r"https?://([^/\"\\?]+)", text))
    assert all(_is_documentation(found) for found in re.findall(r"\b\d+\.\d+\.\d+\.\d+\b", text))
    for phone in re.findall(r'\\?"phone\\?": \\?"([^"\\]+)', text):
        assert re.fullmatch(r"1?20255501\d\d", re.sub(r"\D", "", phone))


def _is_documentation(address: str) -> bool:
    networks = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
    return any(ip_address(address) in ip_network(network) for network in networks)


@every(
    "path", [path for path in FILES if "routeKey" in path.read_text()], ids=lambda path: path.stem
)
def test_http_sample_names_its_route_as_api_gateway_does(path: Path) -> None:
    event = File.read(path).event
    method, _, template = event["routeKey"].partition(" ")
    parameters: Mapping[str, str] = event.get("pathParameters", {})

    assert event["version"] == "2.0"
    assert event["rawPath"] == template.format(**parameters)
    assert event["requestContext"]["routeKey"] == event["routeKey"]
    assert event["requestContext"]["http"]["method"] == method
    assert from_milliseconds(event["requestContext"]["timeEpoch"]) == NOW


@every(
    "path", [path for path in FILES if "Records" in path.read_text()], ids=lambda path: path.stem
)
def test_sqs_sample_has_a_record_of_its_own_for_each_message(path: Path) -> None:
    records = File.read(path).event["Records"]

    assert len({record["messageId"] for record in records}) == len(records)
    for record in records:
        assert record["eventSource"] == "aws:sqs"
        assert from_milliseconds(int(record["attributes"]["SentTimestamp"])) == NOW


def test_accept_sample_that_is_not_json_is_none() -> None:
    event = File.read(ROOT / "events" / "accept_not_json.json").event

    with pytest.raises(InvalidJsonError):
        loads(event["body"])
