"""Writes the journal: tells from facts of all parts of the sandbox what became of each event.

Facts come as they happen: what is put on queues and deleted (`moto_queues`), batches (`Poller`),
requests to AppsFlyer (`StandIn`), answers of the HTTP API (`Gateway`), lines that functions print.
Nothing is asked for. What happens on queues comes through a pipe, which is emptied before any other
fact is looked at, so that facts are in order.

An event is known by the id of its message; that changes at each wait, so then by its event id. A
mobile payload carries no id (S6): a request is told by app and payload from others that functions
have at that moment. Two that are alike at once are taken in order: nobody could tell them apart.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, Literal, NamedTuple

from relay.domain.kinds import Kind
from relay.errors import NotAnEnvelopeError
from relay.exact_json import InvalidJsonError, loads
from relay.instants import from_milliseconds, iso_form, parse_iso, utc_now
from relay.messages.envelope import Envelope, parse_envelope
from relay.messages.notice import Notice, parse_notice
from relay_sandbox.http.messages import Request, Response
from relay_sandbox.journal import words
from relay_sandbox.journal.journal import Journal
from relay_sandbox.journal.reading import (
    Reading,
    parse_line,
    payload_object,
    read_event,
    shown,
    shown_id,
    without_emails,
)
from relay_sandbox.journal.trace import Attempt, Fate, Recording, Step, Sure, Trace
from relay_sandbox.lambda_runtime.runtime_api import FunctionError
from relay_sandbox.lambda_runtime.sqs_events import Record
from relay_sandbox.stand_in import Entry
from relay_sandbox.stand_in.calls import Call

QueueName = Literal["mobile", "web", "payments"]

_CONSUMERS: Final[Mapping[QueueName, str]] = {
    "mobile": "forward_mobile",
    "web": "forward_web",
    "payments": "map_payment",
}
_ROUTES: Final[Mapping[str, Kind]] = {
    "POST /v1/mobile/{app_id}/events": Kind.MOBILE_EVENT,
    "POST /v1/web/{app_id}/events": Kind.WEB_EVENT,
    "POST /v1/web/{app_id}/visits": Kind.WEB_VISIT,
}
_WEBHOOKS: Final = "POST /v1/payments/{provider}/{source}"
_INSTALLS: Final = "/v1/appsflyer/installs/{app_id}"
_TIME_FIELDS: Final = frozenset({"eventTime", "timestamp", "customer_dedup_id"})
_ARRIVAL_RULES: Final = frozenset({"T3", "T5", "T8", "T9"})
_DEAD: Final = frozenset({Fate.REJECTED, Fate.REFUSED, Fate.DEAD_LETTER})
_PERHAPS: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT})
_SURELY_NOT: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_HOLDS: Final = frozenset({"held", "blocked"})

_Lookup = tuple[str, str, str]


class Role(NamedTuple):
    """What a queue is for."""

    name: QueueName
    is_dead: bool


@dataclass(frozen=True, slots=True)
class Waits:
    """What waiting is like in production: by the template's own settings, in seconds."""

    retry_schedule: tuple[float, ...] = ()
    hold: float | None = None

    def after_try(self, number: int) -> float | None:
        """The longest wait after a try that failed; the first is number 1."""
        return self.retry_schedule[number - 1] if 0 < number <= len(self.retry_schedule) else None


@dataclass(slots=True)
class Observer:
    """Writes one journal. It takes the part of `BatchObserver` and of `CallObserver`.

    `roles`: the queues by name. `zone_of`: an app's time zone. `sync`: passes on at once what has
    happened on the queues. `goes_elsewhere`: AppsFlyer's requests do not reach the stand-in.
    """

    journal: Journal
    zone_of: Callable[[str], str]
    sync: Callable[[], None] = lambda: None
    clock: Callable[[], datetime] = utc_now
    roles: Mapping[str, Role] = field(default_factory=dict)
    waits: Waits = Waits()
    goes_elsewhere: bool = False
    metrics: Counter[str] = field(default_factory=Counter)
    """The counters that the functions have written as embedded metrics, summed up."""
    _by_message: dict[str, Trace] = field(default_factory=dict)
    _by_id: dict[_Lookup, list[Trace]] = field(default_factory=dict)
    on_sent: Callable[[Trace], None] = lambda _: None
    """Is called when AppsFlyer has got a request of an event."""
    _letters: dict[str, tuple[QueueName, Trace]] = field(default_factory=dict)
    _calls: dict[int, tuple[Request, Trace]] = field(default_factory=dict)
    _entered: dict[str, list[Trace]] = field(default_factory=dict)
    _with_functions: dict[str, Trace] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.journal.on_forget = self._forget

    @property
    def dead_letters(self) -> int:
        """How many dead letters there are."""
        return len(self._letters)

    def letters(self) -> Iterator[tuple[str, tuple[QueueName, Trace]]]:
        """The dead letters by message id, each with its queue's name; the oldest first."""
        yield from list(self._letters.items())

    def find(self, event_id: str) -> list[Trace]:
        """The traces of an event id, the oldest first: also of an `Idempotency-Key`."""
        kept = shown_id(event_id)
        return [
            trace
            for trace in self.journal
            if trace.event_id is not None
            and (
                trace.event_id in {event_id, kept}
                or (trace.source == "http" and trace.event_id.endswith(f":{event_id}"))
            )
        ]

    def trace_of_message(self, message_id: str) -> Trace | None:
        """The trace of a message that somebody has put on a queue."""
        self.sync()
        return self._by_message.get(message_id)

    # Queues

    def queue_line(self, line: bytes) -> None:
        """A line of `moto_queues`."""
        fact = json.loads(line)
        role = self.roles.get(fact["queue"])
        if role is None:
            return
        if fact["what"] == "deleted":
            self._deleted(role, fact["id"])
        elif role.is_dead:
            self._became_dead_letter(role, fact["id"], fact["body"])
        else:
            self._put(role, fact)

    def _put(self, role: Role, fact: Mapping[str, Any]) -> None:
        message_id, body, caller = fact["id"], fact["body"], fact["caller"]
        content = _content(role, body)
        if (moved := self._by_message.get(message_id)) is not None:
            self._redriven(moved, message_id)
        elif caller == _CONSUMERS[role.name]:
            self._put_back(role, message_id, content, fact["delay"])
        else:
            letter = self._letter_of(content) if not caller else None
            if letter is not None:
                self._redriven(letter, message_id)
            else:
                self._handed_in(role, message_id, content, caller)

    def _handed_in(
        self, role: Role, message_id: str, content: Envelope | Notice | None, caller: str
    ) -> None:
        now = self.clock()
        if isinstance(content, Notice):
            trace = self._begin_notice(content, now)
        elif isinstance(content, Envelope):
            trace = self._begin_event(content, now, caller)
        else:
            kind = "webhook" if role.name == "payments" else f"{role.name}_event"
            trace = self.journal.begin(kind, "sqs", now)
        self._bind(trace, message_id)
        if trace.event_id is None and isinstance(content, Envelope):
            trace.event_id = message_id  # as the relay names it from now on
        if caller in {"accept", "receive_payment"} and content and content.first_seen:
            self._entered.setdefault(iso_form(content.first_seen), []).append(trace)
        self.journal.note(
            trace, Step(now, "handed_in", words.handed_in(trace.source, _kind_word(trace)))
        )

    def _begin_notice(self, notice: Notice, now: datetime) -> Trace:
        trace = self.journal.begin("webhook", f"payments:{notice.provider}", now)
        trace.app_id = shown(notice.source)
        trace.event_id = shown_id(notice.id) if notice.id else None
        trace.name = shown(notice.type) if notice.type else None
        trace.own_time = notice.occurred_at
        trace.ids = frozenset(_texts(notice.content))
        self._index(trace, _lookup_of(notice))
        return trace

    def _begin_event(self, envelope: Envelope, now: datetime, caller: str) -> Trace:
        source, webhook = "http" if caller == "accept" else "sqs", None
        if caller == "map_payment":
            webhook = self._webhook_of(envelope)
            source = webhook.source if webhook else f"payments:{shown(envelope.source or '')}"
        trace = self.journal.begin(envelope.kind.value, source, now)
        if webhook:
            webhook.causes += 1
            trace.caused_by = webhook.key
        reading = read_event(envelope, self.zone_of(envelope.app_id), now, now)
        self._read(trace, reading)
        if envelope.findings and caller:
            trace.findings = tuple(dict(one) for one in envelope.findings)
        self._index(trace, _lookup_of(envelope))
        return trace

    def _read(self, trace: Trace, reading: Reading) -> None:
        trace.app_id = shown(reading.app_id)
        trace.event_id = shown_id(reading.event_id) if reading.event_id else None
        trace.name, trace.revenue = reading.name, reading.revenue
        currency = reading.prepared.content.currency
        trace.currency = shown(currency) if isinstance(currency, str) else None
        trace.findings = reading.findings
        trace.own_time, trace.deadline = reading.own_time, reading.prepared.deadline
        trace.zone = self.zone_of(reading.app_id) if trace.surface == "web" else "UTC"
        trace.payload, trace.event = reading.payload, reading.event
        trace.size = len(reading.prepared.body) if reading.prepared.body is not None else None
        trace.hashed_fields = reading.hashed_fields

    def _webhook_of(self, envelope: Envelope) -> Trace | None:
        """The webhook that an event was made of: one of its source that the function has now.

        That which holds the movement's id, if there is one.
        """
        source = envelope.source or ""
        movement = (envelope.event_id or "").removeprefix(f"{source}:")
        candidates = [
            trace
            for trace in self._with_functions.values()
            if trace.kind == "webhook" and trace.app_id == source
        ]
        return min(candidates, key=lambda one: (movement not in one.ids, one.causes), default=None)

    def _put_back(
        self, role: Role, message_id: str, content: Envelope | Notice | None, delay: float
    ) -> None:
        now = self.clock()
        trace = self._in_hand(content)
        if trace is None or content is None:
            self._handed_in(role, message_id, content, "")
            return
        self._index(trace, _lookup_of(content))
        if trace.event_id is None and isinstance(content, Envelope) and content.event_id:
            trace.event_id = shown_id(content.event_id)
        trace.attempts = max(trace.attempts, content.attempts)
        if trace.attempt:
            trace.attempt.requeued = True
        self._bind(trace, message_id)
        held = content.held_since is not None or _is_later(content.not_before, now, delay)
        trace.next_look = now + timedelta(seconds=delay)
        if content.not_before is not None:
            trace.next_look = max(trace.next_look, content.not_before)
        wait = (trace.next_look - now).total_seconds()
        in_production = self.waits.hold if held else self.waits.after_try(content.attempts)
        step = Step(
            now,
            "held" if held else "waits",
            words.waits(wait, trace.reason if held else None),
            wait_seconds=round(wait, 3),
            waits_in_production_seconds=in_production,
        )
        self.journal.note(trace, step, Fate.HELD if held else Fate.WAITING)

    def _became_dead_letter(self, role: Role, message_id: str, body: str) -> None:
        now, content = self.clock(), payload_object(body)
        trace = self._by_message.get(message_id)
        if trace is not None:  # SQS itself has moved it
            trace.reason = "crashed"
            self._letters[message_id] = (role.name, trace)
            text = words.dead_letter(trace.reason)
            self.journal.note(trace, Step(now, "dead_letter", text), Fate.DEAD_LETTER)
            return
        trace = self._trace_of_letter(role, content, body)
        if trace is None:
            return
        if trace.attempt:
            trace.attempt.dead = True
        outcome = str(content.get("outcome") or "")
        trace.reason = shown(str(content.get("reason") or ""))
        trace.findings = _findings(content.get("findings")) or trace.findings
        if isinstance(deadline := content.get("deadline"), str):
            trace.deadline = parse_iso(deadline, needs_offset=True)
        fate = {"rejected": Fate.REJECTED, "refused": Fate.REFUSED}.get(outcome, Fate.DEAD_LETTER)
        status = content.get("status")
        text = words.dead_letter(
            trace.reason, _text(content.get("message")), is_answer=isinstance(status, int)
        )
        if trace.reason == "id_conflict":
            text = words.id_conflict(self._differences(trace))
        self._bind(trace, message_id)
        self._letters[message_id] = (role.name, trace)
        step = Step(
            now,
            "dead_letter",
            text,
            status=status if isinstance(status, int) else None,
        )
        self.journal.note(trace, step, fate)

    def _differences(self, trace: Trace) -> list[str]:
        """In what an event differs from the one of the same id that was delivered."""
        known = self._by_id.get(trace.lookup or ("", "", ""), [])
        before = next((one for one in known if one.outcome is Fate.DELIVERED), None)
        if before is None:
            return []
        here, there = payload_object(trace.event or ""), payload_object(before.event or "")
        pairs = {
            "name": (trace.name, before.name),
            "revenue": (trace.revenue, before.revenue),
            "currency": (trace.currency, before.currency),
            "time": tuple(one.get("eventTime") or one.get("timestamp") for one in (here, there)),
            "customer": tuple(one.get("customer_user_id") for one in (here, there)),
            "AppsFlyer id": tuple(one.get("appsflyer_id") for one in (here, there)),
        }
        return [name for name, (one, other) in pairs.items() if one != other]

    def _trace_of_letter(self, role: Role, content: Mapping[str, Any], body: str) -> Trace | None:
        if isinstance(first := content.get("message_id"), str) and first in self._by_message:
            return self._by_message[first]
        parsed = _content(role, body)
        return self._in_hand(parsed) or self._newest(parsed)

    def _deleted(self, role: Role, message_id: str) -> None:
        _, trace = self._letters.pop(message_id, (None, None)) if role.is_dead else (None, None)
        if trace is not None and trace.outcome in _DEAD:
            step = Step(self.clock(), "dropped", words.DROPPED)
            self.journal.note(trace, step, Fate.DROPPED)

    def _redriven(self, trace: Trace, message_id: str) -> None:
        self._bind(trace, message_id)
        trace.attempt, trace.reason, trace.rule = None, None, None
        self.journal.note(trace, Step(self.clock(), "redriven", words.REDRIVEN), Fate.QUEUED)

    def _letter_of(self, content: Envelope | Notice | None) -> Trace | None:
        """The dead letter that this message brings back: only those carry when they came in."""
        if content is None or content.first_seen is None:
            return None
        letters = {trace.key for _, trace in self._letters.values()}
        known = self._by_id.get(_lookup_of(content) or ("", "", ""), [])
        if not known and isinstance(content, Envelope) and content.event_id in self._by_message:
            known = [self._by_message[content.event_id]]
        return next((one for one in known if one.key in letters and one.outcome in _DEAD), None)

    # Batches

    def received(self, queue_url: str, records: Sequence[Record]) -> None:
        """A function is about to get these records."""
        self.sync()
        now, function = self.clock(), self._function_of(queue_url)
        for record in records:
            trace = self._by_message.get(record["messageId"])
            if trace is None:
                continue
            count = int(record["attributes"].get("ApproximateReceiveCount", "1"))
            trace.attempt = Attempt(record["messageId"])
            self._with_functions[trace.key] = trace
            self.journal.note(trace, Step(now, "received", words.received(function, count)))

    def settled(
        self,
        queue_url: str,
        records: Sequence[Record],
        handed_back: Collection[str],
        error: FunctionError | None,
    ) -> None:
        """The function has ended: with an error, or with these message ids handed back."""
        self.sync()
        function = self._function_of(queue_url)
        for record in records:
            message_id = record["messageId"]
            trace = self._by_message.get(message_id)
            if trace is None or trace.attempt is None or trace.attempt.message_id != message_id:
                continue
            self._with_functions.pop(trace.key, None)
            self._settle(trace, trace.attempt, function, error, is_back=message_id in handed_back)
            trace.attempt = None

    def _settle(
        self,
        trace: Trace,
        attempt: Attempt,
        function: str,
        error: FunctionError | None,
        *,
        is_back: bool,
    ) -> None:
        now = self.clock()
        if attempt.dead or attempt.requeued:
            return
        if error is not None or is_back:
            trace.reason = shown(error.type) if error else "handed_back"
            text = words.comes_again(function, error.type if error else None)
            # It may have been sent, and not remembered.
            sure: Sure | None = "perhaps" if attempt.began else None
            self.journal.note(trace, Step(now, "comes_again", text, sure=sure), Fate.WAITING)
        elif attempt.answered:
            return
        elif trace.kind == "webhook":
            trace.reason = None if trace.causes else (trace.reason or "no_event")
            step = Step(now, "mapped", words.mapped(trace.causes))
            self.journal.note(trace, step, Fate.DELIVERED)
        elif self.goes_elsewhere:
            self.journal.note(trace, Step(now, "delivered", words.ELSEWHERE), Fate.DELIVERED)
        else:
            trace.reason, trace.rule = "already_delivered", "S6"
            self.journal.note(trace, Step(now, "duplicate", words.DUPLICATE), Fate.DUPLICATE)

    # AppsFlyer

    def began(self, call: Call) -> None:
        """AppsFlyer has read a request."""
        self.sync()
        trace = self._trace_of_call(call)
        if trace is None:
            return
        self._calls[id(call.request)] = (call.request, trace)
        trace.attempts += 1
        trace.arrival = call.arrived
        if trace.attempt:
            trace.attempt.began += 1
        self.journal.note(trace, Step(call.arrived, "sent", words.sent(trace.attempts)))
        self.on_sent(trace)

    def judged(self, call: Call, entry: Entry) -> None:
        """AppsFlyer has recorded the event or not, and answers."""
        self.sync()
        _, trace = self._calls.pop(id(call.request), (None, None))
        if trace is None:
            return
        trace.arrival = call.arrived
        self._read_request(trace, call, entry)
        is_taken = entry.status is not None and 200 <= entry.status < 300  # noqa: PLR2004
        step = Step(
            self.clock(),
            "answered" if entry.status is not None else "silent",
            words.answered(entry.status, entry.why, entry.fault, recorded=entry.recorded),
            status=entry.status,
            sure=_sure(entry.status, recorded=entry.recorded),
        )
        if is_taken and trace.attempt:
            trace.attempt.answered = True
            trace.reason = None
        self.journal.note(trace, step, Fate.DELIVERED if is_taken else None)

    def _read_request(self, trace: Trace, call: Call, entry: Entry) -> None:
        """What the request shows of the event: what was sent, and what is said of its time."""
        body = call.request.body
        trace.size = len(body)
        trace.payload = without_emails(body.decode("utf-8", "replace"))
        if entry.recorded:
            trace.times_recorded += 1
        moment = parse_iso(entry.recorded_time or "", needs_offset=True)
        if moment is not None and trace.recorded is None:
            source, rule = entry.recorded_source or "", entry.recorded_rule or ""
            trace.recorded = Recording(moment, source, rule, sure=True)
        reading = self._read_again(trace, call)
        if reading is not None:
            timely = [one for one in reading.findings if one["rule"] in _ARRIVAL_RULES]
            lasting = [one for one in trace.findings if one["rule"] not in _ARRIVAL_RULES]
            trace.findings = (*lasting, *timely)

    def _read_again(self, trace: Trace, call: Call) -> Reading | None:
        """The event as its rules see it at its arrival."""
        event = payload_object(trace.event or "")
        if not event:
            return None
        payload_id = (call.payload or {}).get("appsflyer_id")
        try:
            envelope = Envelope(
                app_id=call.app_id, kind=call.kind, event=dict(event), first_seen=trace.came_in
            )
        except ValueError:
            return None
        found = payload_id if isinstance(payload_id, str) else None
        zone = self.zone_of(call.app_id)
        return read_event(envelope, zone, trace.came_in, call.arrived, appsflyer_id=found)

    def _trace_of_call(self, call: Call) -> Trace | None:
        """The event of a request: of those that functions have, the one that is most like it."""
        app_id, kind, payload = shown(call.app_id), call.kind.value, call.payload or {}
        candidates = [
            trace
            for trace in self._with_functions.values()
            if trace.kind == kind and trace.app_id == app_id
            and trace.attempt and not (trace.attempt.answered or trace.attempt.requeued)
        ]  # fmt: skip
        if call.dedup_id is not None:
            own = [one for one in candidates if _dedup_id(one) == shown_id(call.dedup_id)]
            candidates = own or candidates
        candidates = [one for one in candidates if one.name == call.event_name] or candidates
        if len(candidates) < 2:  # noqa: PLR2004 - nothing to choose from
            return candidates[0] if candidates else None
        # Of those alike the one that has not been sent: `max` takes the first of them.
        return max(
            candidates,
            key=lambda one: (_likeness(one, payload), -(one.attempt.began if one.attempt else 0)),
        )

    # The HTTP API

    def answered(
        self, route: str, parameters: Mapping[str, str], request: Request, response: Response
    ) -> None:
        """The HTTP API answers a request."""
        self.sync()
        arrived = from_milliseconds(int(request.arrived.timestamp() * 1000))
        entered = self._entered.pop(iso_form(arrived), [])
        before = self.journal.handed_in
        if (kind := _ROUTES.get(route)) is not None:
            self._answered_events(kind, parameters, request, response, entered)
        elif route == _WEBHOOKS:
            self._answered_webhook(parameters, request, response, entered)
        elif route.endswith(_INSTALLS):
            self._answered_install(parameters, request, response)
        request_id = dict(response.headers).get("apigw-requestid")
        for trace in (*entered, *self.journal.newest(self.journal.handed_in - before)):
            trace.request_id = request_id

    def _answered_events(
        self,
        kind: Kind,
        parameters: Mapping[str, str],
        request: Request,
        response: Response,
        entered: list[Trace],
    ) -> None:
        content = payload_object(response.body)
        if response.status == HTTPStatus.OK:
            return  # a preview: nothing was handed in
        app_id = parameters.get("app_id", "")
        results = content.get("events") or (
            [{"index": 0, "status": "rejected", "findings": content["findings"]}]
            if content.get("findings")
            else []
        )
        if not results:
            trace = self.journal.begin(kind.value, "http", request.arrived)
            trace.app_id = shown(app_id)
            self._not_taken(trace, response, content)
        waiting = list(entered)
        for result in results:
            if result.get("status") == "queued" and waiting:
                trace = waiting.pop(0)
                trace.came_in = request.arrived
                trace.findings = _findings(result.get("findings"))
                self.journal.changed(trace)
            else:
                self._entered_not(kind, app_id, request, result)

    def _entered_not(
        self, kind: Kind, app_id: str, request: Request, result: Mapping[str, Any]
    ) -> None:
        """An event of a request that was not put on a queue."""
        trace = self.journal.begin(kind.value, "http", request.arrived)
        events = _events(request.body)
        index = result.get("index", 0)
        event = events[index] if isinstance(index, int) and index < len(events) else None
        try:
            envelope = Envelope(
                app_id=app_id, kind=kind, event=event, event_id=result.get("event_id")
            )
        except ValueError:
            trace.app_id = shown(app_id)
        else:
            now = request.arrived
            self._read(trace, read_event(envelope, self.zone_of(app_id), now, now))
        trace.findings = _findings(result.get("findings")) or trace.findings
        status = str(result.get("status"))
        is_known = status == "queued"
        trace.reason = "told_before" if is_known else status
        self.journal.note(
            trace,
            Step(request.arrived, "handed_in", words.handed_in("http", _kind_word(trace))),
        )
        self.journal.note(
            trace,
            Step(self.clock(), "checked", words.not_queued(status)),
            Fate.DUPLICATE if is_known else Fate.REJECTED,
        )

    def _not_taken(self, trace: Trace, response: Response, content: Mapping[str, Any]) -> None:
        detail = _text(content.get("detail")) or _text(content.get("message"))
        trace.reason = f"http_{response.status}"
        step = Step(trace.came_in, "handed_in", words.handed_in(trace.source, _kind_word(trace)))
        self.journal.note(trace, step)
        self.journal.note(
            trace,
            Step(self.clock(), "rejected", words.not_taken(response.status, detail),
                 status=response.status),
            Fate.REJECTED,
        )  # fmt: skip

    def _answered_webhook(
        self,
        parameters: Mapping[str, str],
        request: Request,
        response: Response,
        entered: list[Trace],
    ) -> None:
        for trace in entered:
            trace.came_in = request.arrived
            self.journal.changed(trace)
        if entered:
            return
        provider = shown(parameters.get("provider", ""))
        trace = self.journal.begin("webhook", f"payments:{provider}", request.arrived)
        trace.app_id = shown(parameters.get("source", ""))
        if not 200 <= response.status < 300:  # noqa: PLR2004
            self._not_taken(trace, response, payload_object(response.body))
            return
        trace.reason = "ignored"
        step = Step(request.arrived, "ignored", words.IGNORED_WEBHOOK, status=response.status)
        self.journal.note(trace, step, Fate.DELIVERED)

    def _answered_install(
        self, parameters: Mapping[str, str], request: Request, response: Response
    ) -> None:
        content = payload_object(response.body)
        trace = self.journal.begin("install", "push", request.arrived)
        trace.app_id = shown(parameters.get("app_id", ""))
        if response.status != HTTPStatus.OK:
            self._not_taken(trace, response, content)
            return
        trace.reason = _text(content.get("status"))
        text = words.install(_text(content.get("detail")))
        step = Step(request.arrived, "kept", text, status=response.status)
        self.journal.note(trace, step, Fate.DELIVERED)

    # Functions

    def function_line(self, _function: str, line: bytes) -> None:
        """A line that a function prints."""
        said = parse_line(line.decode(errors="replace"))
        if "_aws" in said:
            self._count(said)
        elif said.get("message") in {"event not delivered", "payment not mapped"}:
            self.sync()
            trace = self._by_message.get(str(said.get("message_id")))
            if trace is not None:
                self._explain(trace, said)

    def _count(self, said: Mapping[str, Any]) -> None:
        for group in said["_aws"].get("CloudWatchMetrics", ())[:1]:
            for metric in group.get("Metrics", ()):
                value = said.get(metric["Name"], 0)
                total = sum(value) if isinstance(value, list) else value
                self.metrics[metric["Name"]] += int(total)
        self.journal.changed()

    def _explain(self, trace: Trace, said: Mapping[str, Any]) -> None:
        """Why an event was not delivered: the function says so after it was put on a queue."""
        reason = shown(str(said.get("reason") or ""))
        rule = said.get("rule")
        trace.rule = rule if isinstance(rule, str) and rule else trace.rule
        if trace.outcome.waits:
            trace.reason = reason
            held = said.get("outcome") in _HOLDS
            self.journal.put_outcome(trace, Fate.HELD if held else Fate.WAITING, self.clock())
            last = trace.steps[-1]
            if last.kind in {"waits", "held"} and last.wait_seconds is not None:
                trace.steps[-1] = Step(
                    last.at,
                    "held" if held else "waits",
                    words.waits(last.wait_seconds, reason),
                    sure="perhaps" if said.get("uncertain") else None,
                    wait_seconds=last.wait_seconds,
                    waits_in_production_seconds=(
                        self.waits.hold if held else last.waits_in_production_seconds
                    ),
                )
        elif trace.reason is None:
            trace.reason = reason
        self.journal.changed(trace)

    # Which trace

    def _bind(self, trace: Trace, message_id: str) -> None:
        trace.message_id = message_id
        trace.message_ids.append(message_id)
        self._by_message[message_id] = trace

    def _index(self, trace: Trace, lookup: _Lookup | None) -> None:
        if lookup is not None and trace.lookup is None:
            trace.lookup = lookup
            self._by_id.setdefault(lookup, []).append(trace)

    def _in_hand(self, content: Envelope | Notice | None) -> Trace | None:
        """The event of a message that a function puts on a queue: one that it has."""
        lookup = _lookup_of(content) if content else None
        known = [*self._by_id.get(lookup, ())] if lookup else []
        if isinstance(content, Envelope) and content.event_id in self._by_message:
            known.append(self._by_message[content.event_id or ""])
        in_hand = [one for one in known if one.key in self._with_functions and one.attempt]
        untouched = [one for one in in_hand if one.attempt and not one.attempt.is_done]
        return next(iter(untouched or in_hand), None)

    def _newest(self, content: Envelope | Notice | None) -> Trace | None:
        known = self._by_id.get(_lookup_of(content) or ("", "", ""), []) if content else []
        return known[-1] if known else None

    def _function_of(self, queue_url: str) -> str:
        role = self.roles.get(queue_url.rpartition("/")[2])
        return _CONSUMERS[role.name] if role else ""

    def _forget(self, trace: Trace) -> None:
        for message_id in trace.message_ids:
            self._by_message.pop(message_id, None)
            self._letters.pop(message_id, None)
        self._with_functions.pop(trace.key, None)
        if trace.lookup is not None:
            kept = [one for one in self._by_id.get(trace.lookup, ()) if one is not trace]
            if kept:
                self._by_id[trace.lookup] = kept
            else:
                self._by_id.pop(trace.lookup, None)


def _content(role: Role, body: str) -> Envelope | Notice | None:
    try:
        return parse_notice(body) if role.name == "payments" else parse_envelope(body)
    except NotAnEnvelopeError:
        return None


def _lookup_of(content: Envelope | Notice | None) -> _Lookup | None:
    """By which an event, or a webhook, is known while its messages change."""
    if isinstance(content, Notice):
        parts = (content.id or "", content.type or "", content.sha256, iso_form(content.first_seen))
        return (f"notices {content.source}", content.provider, " ".join(parts))
    if content is None or content.event_id is None:
        return None
    scope = f"source {content.source}" if content.source else f"app {content.app_id}"
    return (scope, content.kind.value, content.event_id)


def _texts(content: object) -> Iterator[str]:
    """All texts in a JSON value."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping | list | tuple):
        for one in content.values() if isinstance(content, Mapping) else content:
            yield from _texts(one)


def _is_later(not_before: datetime | None, now: datetime, delay: float) -> bool:
    return not_before is not None and delay > 0 and not_before > now


def _dedup_id(trace: Trace) -> str | None:
    own = payload_object(trace.event or "").get("customer_dedup_id")
    if isinstance(own, str):
        return shown_id(own)
    if trace.event_id is not None:
        return trace.event_id
    return trace.message_ids[0] if trace.message_ids else None


def _likeness(trace: Trace, payload: Mapping[str, Any]) -> int:
    """How many fields of a payload are those of an event; its time may have been stamped."""
    own = payload_object(trace.payload or "")
    same = sum(1 for name, value in payload.items() if name in own and own[name] == value)
    return same - len((own.keys() ^ payload.keys()) - _TIME_FIELDS)


def _sure(status: int | None, *, recorded: bool) -> Sure:
    """Whether AppsFlyer has recorded the event, as far as its sender can know (E16)."""
    if status is None:
        return "perhaps"
    if 200 <= status < 300:  # noqa: PLR2004
        return "surely" if recorded else "no"
    is_doubtful = status in _PERHAPS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return "perhaps" if is_doubtful and status not in _SURELY_NOT else "no"


def _findings(content: object) -> tuple[dict[str, str], ...]:
    found = []
    for one in content if isinstance(content, list | tuple) else ():
        if isinstance(one, Mapping):
            parts = {name: str(one.get(name, "")) for name in ("rule", "severity", "field")}
            found.append({**parts, "message": without_emails(str(one.get("message", "")))})
    return tuple(found)


def _events(body: bytes) -> list[Any]:
    try:
        value = loads(body)
    except InvalidJsonError:
        return []
    return value if isinstance(value, list) else [value]


def _text(value: object) -> str | None:
    return shown(value) if isinstance(value, str) else None


def _kind_word(trace: Trace) -> str:
    return trace.kind.replace("_", " ")
