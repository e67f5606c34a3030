"""The functions behind the HTTP API answer before they are ended, though every call to AWS lasts.

A clock stands in for time: each call of Parameter Store, SQS and DynamoDB moves it on by the
longest that a call may take.
"""

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from threading import Barrier

from relay.aws.table import Condition, Item, Key
from relay.aws.timeouts import LONGEST_CALL_SECONDS
from relay.errors import TableUnavailableError
from relay.gateway.request import LONGEST_SECONDS
from relay_sandbox.local_aws.memory_table import MemoryTable
from tests.support.builders import Json, make_event, make_http_event, make_install
from tests.support.every import every
from tests.support.fakes import FakeClock, FakeSqs, FakeSsm
from tests.support.harnesses import INSTALL_POST, PUSH_TOKEN, AcceptHarness, InstallsHarness
from tests.support.payments_harness import SECRETS, PaymentsHarness, webhook_event
from tests.support.webhooks import Adyen_, Posted, present

BARELY = LONGEST_CALL_SECONDS - 0.1
"""Seconds that a call takes which is answered at the last moment."""

Left = Callable[[], float]


def time_of(clock: FakeClock) -> Left:
    """The seconds that an invocation which begins now may still run."""
    start = clock.seconds()
    return lambda: LONGEST_SECONDS - (clock.seconds() - start)


def make_slow(ssm: FakeSsm, clock: FakeClock) -> None:
    ssm.before_answer = lambda: clock.advance(BARELY)


class SlowSqs(FakeSqs):
    """Calls take as long as they may, so many at once."""

    def __init__(self, clock: FakeClock, at_once: int) -> None:
        super().__init__()
        self._round = Barrier(at_once, lambda: clock.advance(BARELY), timeout=20)

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[Json]) -> Json:  # noqa: N803 - AWS's
        self._round.wait()
        return super().send_message_batch(QueueUrl=QueueUrl, Entries=Entries)


def test_accept_answers_in_time() -> None:
    harness = AcceptHarness()
    make_slow(harness.ssm, harness.clock)
    for queue in harness.accept._queues.values():  # noqa: SLF001 - SQS is another one
        queue._sqs = SlowSqs(harness.clock, 1).client()  # noqa: SLF001 - likewise
    left = time_of(harness.clock)

    answer = harness.accept.handle(make_http_event(make_event()), left)

    assert answer["statusCode"] == 202
    assert left() > 0


@every("items, calls, status", [(10, 1, 200), (100, 10, 200), (210, 20, 503)])
def test_receive_payment_answers_in_time(items: int, calls: int, status: int) -> None:
    """Adyen puts many items into a webhook. One that is not queued as a whole comes again.

    Ten calls are made at once, and there is time for two rounds of them.
    """
    harness = PaymentsHarness()
    harness.clock.now = present()
    webhook = many_items(Adyen_(SECRETS["adyen"], "user-1"), items)
    make_slow(harness.ssm, harness.clock)
    sqs = SlowSqs(harness.clock, min(calls, 10))
    harness.receiver._queue._sqs = sqs.client()  # noqa: SLF001 - SQS is another one
    left = time_of(harness.clock)

    answer = harness.receiver.handle(webhook_event("adyen", webhook), left)

    assert (answer["statusCode"], len(sqs.calls)) == (status, calls)
    assert left() > 0


def many_items(account: Adyen_, count: int) -> Posted:
    posted = account.renewal(1)[-1]
    body = json.loads(posted.body)
    body["notificationItems"] = [deepcopy(body["notificationItems"][0]) for _ in range(count)]
    return Posted(posted.headers, json.dumps(body).encode())


class SlowTable(MemoryTable):
    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def put(self, key: Key, item: Item, only_if: Condition | None = None) -> Item | None:
        self._clock.advance(BARELY)
        return super().put(key, item, only_if)


@every("fails", [False, True])
def test_receive_install_answers_in_time(*, fails: bool) -> None:
    """Also where it replaces an item that somebody edited: that is a call more."""
    harness = InstallsHarness()
    make_slow(harness.ssm, harness.clock)
    table = SlowTable(harness.clock)
    table.merge(Key("user-1", "id123456789"), {"installed_at": "edited"})
    table.error = TableUnavailableError("DynamoDB failed: ReadTimeoutError") if fails else None
    harness.identities._table = table  # noqa: SLF001 - DynamoDB is another one
    left = time_of(harness.clock)

    event = make_http_event(
        make_install(), route=INSTALL_POST, token=None, query={"token": PUSH_TOKEN}
    )
    answer = harness.installs.handle(event)

    assert answer["statusCode"] == (503 if fails else 200)
    assert left() > 0
