"""`accept` answers in time whatever SQS does, and what it could not queue can be sent again."""

import json
from collections.abc import Iterator, Sequence
from threading import Barrier, Event, current_thread, main_thread

import pytest
from botocore.exceptions import ReadTimeoutError

from relay.accept import requests
from relay.aws.timeouts import ANSWER_SECONDS, LONGEST_CALL_SECONDS
from relay.exact_json import loads
from relay.gateway.request import LONGEST_SECONDS
from tests.support.builders import Json, make_event, make_http_event
from tests.support.fakes import FakeSqs, aws_error
from tests.support.harnesses import AcceptHarness, HttpResponse

KEY: Json = {"headers": {"idempotency-key": "batch-7"}}
MOST = 500
ROUND = 10
"""Calls at once."""


def make_events(count: int) -> list[Json]:
    return [make_event(customer_user_id=f"user-{number}") for number in range(count)]


def users(harness: AcceptHarness) -> list[str]:
    """Whose events are on the queue."""
    return sorted(message.content["event"]["customer_user_id"] for message in harness.mobile)


def ids(harness: AcceptHarness) -> list[str]:
    return sorted(message.content["event_id"] for message in harness.mobile)


@pytest.fixture
def harness() -> AcceptHarness:
    return AcceptHarness()


# Slow


class SlowSqs(FakeSqs):
    """Ten calls at once take 0.7 s by the clock; fewer wait for the others."""

    def __init__(self, harness: AcceptHarness) -> None:
        super().__init__()
        self._round = Barrier(ROUND, lambda: harness.clock.advance(0.7), timeout=20)

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[Json]) -> Json:  # noqa: N803 - AWS's
        self._round.wait()
        return super().send_message_batch(QueueUrl=QueueUrl, Entries=Entries)


def test_most_events_are_queued_while_a_call_takes_seven_tenths_of_a_second(
    harness: AcceptHarness,
) -> None:
    """One call after the other took 35 s: 410 were queued, and then the function was ended."""
    sqs = SlowSqs(harness)
    for queue in harness.accept._queues.values():  # noqa: SLF001 - SQS is another one
        queue._sqs = sqs.client()  # noqa: SLF001 - likewise
    start = harness.clock.seconds()
    event = make_http_event(make_events(MOST), **KEY)

    answer = HttpResponse(
        harness.accept.handle(event, lambda: LONGEST_SECONDS - (harness.clock.seconds() - start))
    )

    assert (answer.status, answer.content["queued"]) == (202, MOST)
    assert len(sqs.queues["https://sqs.example.com/mobile"]) == MOST
    assert harness.clock.seconds() - start == pytest.approx(3.5)


# Hanging


class HangingSqs(FakeSqs):
    """Some calls do not return before the test ends."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = Event()
        self.hangs = "no event"
        self.others = 0
        self.others_done = Event()

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[Json]) -> Json:  # noqa: N803 - AWS's
        if any(self.hangs in entry["MessageBody"] for entry in Entries):
            self.ended.wait()
            raise ReadTimeoutError(endpoint_url=QueueUrl)
        answer = super().send_message_batch(QueueUrl=QueueUrl, Entries=Entries)
        self.others -= 1
        if not self.others:
            self.others_done.set()
        return answer


@pytest.fixture
def hanging(harness: AcceptHarness) -> Iterator[HangingSqs]:
    sqs = HangingSqs()
    for queue in harness.accept._queues.values():  # noqa: SLF001 - SQS is another one
        queue._sqs = sqs.client()  # noqa: SLF001 - likewise
    harness.sqs = sqs
    yield sqs
    sqs.ended.set()


def test_call_that_hangs_ends_as_not_queued_and_the_others_are(
    harness: AcceptHarness, hanging: HangingSqs
) -> None:
    hanging.hangs, hanging.others = "user-13", 2

    def remaining() -> float:
        """All there is, for each call; for the response, what is left when the others are done."""
        if current_thread() is not main_thread():
            return LONGEST_SECONDS
        assert hanging.others_done.wait(20)
        return ANSWER_SECONDS + 0.3

    event = make_http_event(make_events(30), **KEY)
    answer = HttpResponse(harness.accept.handle(event, remaining))

    assert answer.status == 207
    assert answer.statuses == ["queued"] * 10 + ["not_queued"] * 10 + ["queued"] * 10


def test_nothing_is_begun_that_may_not_end_in_time(harness: AcceptHarness) -> None:
    left = LONGEST_CALL_SECONDS + ANSWER_SECONDS - 0.001

    answer = HttpResponse(harness.accept.handle(make_http_event(make_event()), lambda: left))

    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert harness.sqs.calls == []


def test_once_sqs_does_not_respond_no_further_call_is_begun(harness: AcceptHarness) -> None:
    harness.sqs.error = ReadTimeoutError(endpoint_url="https://sqs.example.com")

    assert harness.post(make_events(MOST)).status == 503

    assert len(harness.sqs.calls) <= ROUND


# Sent again


def queued_in_part(harness: AcceptHarness, count: int = 30) -> list[Json]:
    """Of a request, the events 10 to 19 are not queued; gives its events."""
    events = make_events(count)
    harness.sqs.refuses = lambda entry: (
        json.loads(entry["MessageBody"])["event"]["customer_user_id"]
        in {f"user-{number}" for number in range(10, 20)}
    )
    answer = harness.post(events, **KEY)
    assert (answer.status, answer.content["queued"]) == (207, count - 10)
    harness.sqs.refuses = lambda entry: False
    harness.mobile.clear()
    return events


def test_request_sent_again_queues_what_was_not_queued_and_nothing_else(
    harness: AcceptHarness,
) -> None:
    events = queued_in_part(harness)

    answer = harness.post(events, **KEY)

    assert (answer.status, answer.content["queued"]) == (202, 30)
    assert users(harness) == [f"user-{number}" for number in range(10, 20)]
    assert ids(harness) == [f"@shop/array:batch-7:{number}" for number in range(10, 20)]


def test_request_that_fails_again_in_part_goes_on_where_it_was(harness: AcceptHarness) -> None:
    events = queued_in_part(harness)
    harness.sqs.refuses = lambda entry: "user-15" in entry["MessageBody"]
    assert harness.post(events, **KEY).content["queued"] == 29
    harness.sqs.refuses = lambda entry: False
    harness.mobile.clear()

    assert harness.post(events, **KEY).status == 202

    assert users(harness) == ["user-15"]


def test_request_that_is_complete_is_queued_again_as_a_whole(harness: AcceptHarness) -> None:
    """Its sender may have a reason: dead letters that were dropped."""
    events = queued_in_part(harness)
    harness.post(events, **KEY)
    harness.mobile.clear()

    harness.post(events, **KEY)

    assert len(harness.mobile) == 30


def places(events: list[Json]) -> list[Json | None]:
    """The events 10 to 19, with null in the places of the others."""
    return [one if 10 <= number < 20 else None for number, one in enumerate(events)]


@pytest.mark.parametrize("anew", [False, True], ids=["same process", "another process"])
def test_events_sent_again_in_their_places_keep_their_ids(
    harness: AcceptHarness, *, anew: bool
) -> None:
    events = queued_in_part(harness)
    process = AcceptHarness() if anew else harness

    answer = process.post(places(events), **KEY)

    assert (answer.status, answer.content["queued"]) == (202, 10)
    assert [one["index"] for one in answer.content["events"]] == list(range(10, 20))
    assert ids(process) == [f"@shop/array:batch-7:{number}" for number in range(10, 20)]


def test_request_completed_in_places_is_complete(harness: AcceptHarness) -> None:
    events = queued_in_part(harness)
    harness.post(places(events), **KEY)
    harness.mobile.clear()

    harness.post(events, **KEY)

    assert len(harness.mobile) == 30


def test_events_sent_again_without_their_places_are_a_422_that_says_how(
    harness: AcceptHarness,
) -> None:
    """They would get the ids of others."""
    events = queued_in_part(harness)

    answer = harness.post(events[10:20], **KEY)

    assert answer.status == 422
    assert "put null in the places of the others" in answer.content["detail"]
    assert harness.mobile == []


def test_event_that_was_not_queued_may_be_corrected(harness: AcceptHarness) -> None:
    events = queued_in_part(harness)
    events[15] = make_event(customer_user_id="user-15", os="18")

    assert harness.post(events, **KEY).status == 202


def test_request_of_nulls_alone_is_a_400(harness: AcceptHarness) -> None:
    assert harness.post([None, None], **KEY).status == 400


def test_null_without_a_key_is_no_event(harness: AcceptHarness) -> None:
    """E3: there is no id to keep."""
    assert harness.post([None, make_event()]).statuses == ["rejected", "queued"]


def test_nothing_queued_leaves_nothing_behind(harness: AcceptHarness) -> None:
    harness.sqs.error = aws_error("ServiceUnavailable")
    assert harness.post(make_events(2), **KEY).status == 503
    harness.sqs.error = None

    assert harness.post(make_events(3), **KEY).status == 202

    assert len(harness.mobile) == 3


def test_ever_new_requests_in_part_forget_the_one_of_longest_ago(
    harness: AcceptHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded. What is forgotten is queued again as a whole."""
    monkeypatch.setattr(requests, "MOST_UNFINISHED", 1)
    events = queued_in_part(harness)
    harness.sqs.refuses = lambda entry: "user-1" in entry["MessageBody"]
    harness.post(make_events(12), headers={"idempotency-key": "batch-8"})
    harness.sqs.refuses = lambda entry: False
    harness.mobile.clear()

    harness.post(events, **KEY)

    assert len(harness.mobile) == 30


# The same request


SAME = [
    dict(reversed(make_event().items())),
    make_event(eventValue={"af_content_id": "sku-1", "af_revenue": "9.99"}),
    make_event(eventValue={"af_revenue": 9.99, "af_content_id": "sku-1"}),
    make_event(eventValue='{"af_content_id": "sku-1", "af_revenue": 9.99}'),
    make_event(customer_user_id="user-1"),
]


@pytest.mark.parametrize("event", SAME)
def test_same_request_in_another_writing_is_the_same(harness: AcceptHarness, event: Json) -> None:
    key: Json = {"headers": {"idempotency-key": "order-1"}}
    assert harness.post(make_event(), **key).status == 202

    assert harness.post(json.dumps(event, indent=2), **key).status == 202


@pytest.mark.parametrize(
    "event",
    [
        make_event(os="18"),
        make_event(eventValue={"af_revenue": "9.9", "af_content_id": "sku-1"}),
        make_event(eventValue="no JSON"),
        make_event(att=True),
        [make_event()],
        [5],
    ],
    ids=["field", "amount", "no value", "boolean", "array", "no event"],
)
def test_another_request_under_the_same_key_is_a_422(
    harness: AcceptHarness, event: Json | list[Json]
) -> None:
    key: Json = {"headers": {"idempotency-key": "order-1"}}
    assert harness.post(make_event(), **key).status == 202

    assert harness.post(event, **key).status == 422


def test_digest_of_the_same_value_in_another_writing_is_the_same_at_every_depth() -> None:
    written = {"eventValue": loads('{"a": [1, {"b": 0.5}], "c": true, "d": null}')}
    text = '{"d": null, "c": true, "a": ["1", {"b": "0.5"}]}'

    assert requests.digest_of(written) == requests.digest_of({"eventValue": text})
    assert requests.digest_of(written) != requests.digest_of({"eventValue": text + " "} | {"x": 1})


def test_single_event_under_the_key_of_an_array_is_a_422(harness: AcceptHarness) -> None:
    assert harness.post([make_event()], **KEY).status == 202

    assert harness.post(make_event(), **KEY).status == 422


def test_key_like_a_position_is_another_event(harness: AcceptHarness) -> None:
    harness.post([make_event()], headers={"idempotency-key": "a"})
    harness.post(make_event(os="18"), headers={"idempotency-key": "a:0"})

    assert ids(harness) == ["@shop/array:a:0", "@shop:a:0"]
