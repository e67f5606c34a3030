"""A sandbox of which only the facts are there, at moments that one chooses.

They are told to the sandbox's own journal, as its parts would tell them; nothing here runs. For the
pictures of the documents, the benchmark of the page, and tests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from relay.domain.kinds import Kind
from relay.exact_json import dumps, loads
from relay.instants import Recorded, iso_form
from relay.messages.envelope import Envelope
from relay_sandbox.http.messages import Request, Response
from relay_sandbox.journal.facts import QueueName, Role, Waits
from relay_sandbox.journal.journal import Journal
from relay_sandbox.journal.observer import Observer
from relay_sandbox.journal.reading import read_event
from relay_sandbox.journal.trace import Trace
from relay_sandbox.options import PROJECT
from relay_sandbox.page.server import Page
from relay_sandbox.page.surroundings import Surroundings
from relay_sandbox.seeds import Seeds
from relay_sandbox.stand_in import Fault, StandIn
from relay_sandbox.stand_in.calls import Call, Verdict

SHOP: Final = "com.example.shop"
MIDNIGHT: Final = datetime(2026, 11, 27, tzinfo=UTC)
NOW: Final = MIDNIGHT + timedelta(minutes=7)
_NAMES: Final[tuple[QueueName, ...]] = ("mobile", "web", "payments")
_QUEUES: Final = "http://127.0.0.1:8701/123456789012/"
_READY: Final = {
    "api": "http://127.0.0.1:8700",
    "aws": "http://127.0.0.1:8701",
    "stand_in": "http://127.0.0.1:8702",
    "mobile_queue": "http://127.0.0.1:8701/123456789012/MobileQueue",
    "web_queue": "http://127.0.0.1:8701/123456789012/WebQueue",
    "producer_token": "sandbox-producer-token",
}


def at(clock: str) -> datetime:
    """A moment around midnight: "23:58:12" is of the 26th, "00:04:31" of the 27th."""
    hour, minute, second = map(int, clock.split(":"))
    day = MIDNIGHT - timedelta(days=1) if hour > 12 else MIDNIGHT
    return day + timedelta(hours=hour, minutes=minute, seconds=second)


def purchase(event_id: str, own_time: str, revenue: str, **more: object) -> dict[str, Any]:
    """An envelope with a purchase; `own_time` is ISO 8601, or a clock (`at`)."""
    when = own_time if "T" in own_time else iso_form(at(own_time))
    event = {
        "appsflyer_id": "1415211453000-6513894",
        "eventName": "af_purchase",
        "eventTime": when,
        "eventValue": {"af_revenue": revenue, "af_order_id": event_id},
        "eventCurrency": "EUR",
        "customer_user_id": "customer-1",
        "email": "ada@example.com",
        "os": "14",
        "bundleIdentifier": SHOP,
        **more,
    }
    return {"app_id": SHOP, "kind": "mobile_event", "event_id": event_id, "event": event}


class Facts:
    """The parts of a sandbox that the page shows, and what happens to them."""

    def __init__(self) -> None:
        self.now = NOW
        self.stand_in = StandIn(Seeds().accounts(), clock=lambda: self.now)
        self.journal = Journal()
        self.observer = Observer(
            self.journal,
            lambda _: "UTC",
            clock=lambda: self.now,
            roles={
                f"{name}{ending}": Role(name, is_dead=bool(ending))
                for name in _NAMES
                for ending in ("", "-dead")
            },
            waits=Waits((5, 30, 120, 600), 300),
        )
        self._numbers = 0

    def page(self) -> Page:
        """The page of this sandbox. What asks for queues or functions does not work on it."""
        return Page(self.surroundings())

    def surroundings(self) -> Surroundings:
        """What the page knows of it."""
        nothing: Any = None
        return Surroundings(
            self.observer,
            self.stand_in,
            nothing,
            {},
            nothing,
            parameter_prefix="",
            samples=PROJECT / "events",
            ready=_READY,
        )

    def put(self, queue: str, body: object, caller: str = "", message_id: str | None = None) -> str:
        """A message is put on a queue; returns its id."""
        self._numbers += 1
        message_id = message_id or f"00000000-0000-4000-8000-{self._numbers:012}"
        sent = round(self.now.timestamp() * 1000)
        text = dumps(body).decode()
        fact = {"id": message_id, "body": text, "sent": sent, "delay": 0.0, "caller": caller}
        line = {"what": "put", "queue": queue, **fact}
        self.observer.queue_line(json.dumps(line).encode())
        return message_id

    def received(self, message_id: str, queue: str = "mobile", count: int = 1) -> None:
        """A function gets a message."""
        self.observer.received(_QUEUES + queue, [_record(message_id, count)])

    def settled(self, message_id: str, queue: str = "mobile") -> None:
        """The function is done with it."""
        self.observer.settled(_QUEUES + queue, [_record(message_id)], set(), None)

    def asked(self, trace: Trace, status: int | None = 200) -> None:
        """AppsFlyer gets a request of an event, and answers; None: it is silent."""
        payload = loads(trace.payload or "{}")
        body = dumps(payload)
        request = Request("POST", "/", (), body, ("127.0.0.1", 1), self.now)
        call = Call(request, Kind(trace.kind), trace.app_id, self.now, payload)
        fault = self.stand_in.faults.trigger(call) if status != 200 else None
        self.observer.began(call)
        recorded = self._recorded(trace) if status == 200 else None
        verdict = Verdict(
            Response(), recorded is not None, "recorded" if recorded else "no", recorded
        )
        entry = self.stand_in.ledger.write(
            call, verdict, "UTC", "r-1", status=status, fault=fault.name if fault else None
        )
        self.observer.judged(call, entry)

    def _recorded(self, trace: Trace) -> Recorded | None:
        event = loads(trace.event or "{}")
        envelope = Envelope(app_id=trace.app_id, kind=Kind(trace.kind), event=event)
        return read_event(envelope, "UTC", trace.came_in, self.now).recorded

    def said(self, message_id: str, **more: object) -> None:
        """What a function prints of an event that was not delivered."""
        line = {"message": "event not delivered", "message_id": message_id, **more}
        self.observer.function_line("forward_mobile", json.dumps(line).encode())

    # Whole stories

    def newest(self) -> Trace:
        """The event that came in last."""
        return self.journal.newest(1)[0]

    def delivered(self, envelope: Mapping[str, Any], clock: str, queue: str = "mobile") -> Trace:
        """An event that is delivered at once."""
        self.now = at(clock)
        message_id = self.put(queue, envelope)
        trace = self.newest()
        self.received(message_id, queue)
        self.asked(trace)
        self.settled(message_id, queue)
        return trace

    def tried(self, envelope: Mapping[str, Any], tries: list[tuple[str, str, int | None]]) -> Trace:
        """An event with several tries: when each is sent, when it waits again, and the answer."""
        self.now = at(tries[0][0])
        message_id, trace = self.put("mobile", envelope), self.newest()
        for number, (sent, ends, status) in enumerate(tries, 1):
            self.now = at(sent)
            self.received(message_id)
            self.asked(trace, status)
            if status == 200:
                self.settled(message_id)
                break
            self.now = at(ends)
            before = message_id
            message_id = self.put("mobile", {**envelope, "attempts": number}, "forward_mobile")
            reason = "read_timed_out" if status is None else f"status_{status}"
            self.said(before, outcome="deferred", reason=reason, uncertain=status is None)
            self.settled(before)
        return trace

    def dead(self, envelope: Mapping[str, Any], clock: str, **letter: object) -> Trace:
        """An event that becomes a dead letter."""
        self.now = at(clock)
        message_id, trace = self.put("mobile", envelope), self.newest()
        self.received(message_id)
        if letter.get("status"):
            self.asked(trace, int(str(letter["status"])))
        whole = {
            **envelope, **letter, "findings": list(trace.findings), "message_id": message_id,
            "deadline": iso_form(trace.deadline) if trace.deadline else None,
        }  # fmt: skip
        self.put("mobile-dead", whole, "forward_mobile")
        self.settled(message_id)
        return trace

    def redriven(self, trace: Trace, clock: str) -> None:
        """A dead letter is put on its queue again, and delivered."""
        self.now = at(clock)
        letter = trace.message_id or ""
        body = {
            "app_id": trace.app_id, "kind": trace.kind, "event_id": trace.event_id,
            "event": loads(trace.event or "{}"), "first_seen": iso_form(trace.came_in),
        }  # fmt: skip
        message_id = self.put("mobile", body)
        self._deleted(letter)
        self.received(message_id)
        self.asked(trace)
        self.settled(message_id)

    def _deleted(self, message_id: str) -> None:
        line = {"what": "deleted", "queue": "mobile-dead", "id": message_id, "caller": ""}
        self.observer.queue_line(json.dumps(line).encode())

    def webhook(self, kind: str, clock: str, **content: str) -> str:
        """A webhook of Stripe's; returns its message id."""
        self.now = at(clock)
        notice = {
            "provider": "stripe", "source": "stripe-sandbox", "sha256": "0" * 64, "type": kind,
            "id": f"evt_{self._numbers:04}", "content": content, "first_seen": iso_form(self.now),
        }  # fmt: skip
        message_id = self.put("payments", notice, "receive_payment")
        self.received(message_id, "payments")
        return message_id

    def fault(self, **what: Any) -> None:
        """AppsFlyer fails from now on."""
        self.stand_in.faults.add([Fault.model_validate(what)])
        self.journal.changed()


def _record(message_id: str, count: int = 1) -> dict[str, Any]:
    return {"messageId": message_id, "attributes": {"ApproximateReceiveCount": str(count)}}
