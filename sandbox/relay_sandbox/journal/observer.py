"""Writes the journal: tells from facts of all parts of the sandbox what became of each event.

Facts come as they happen: what is put on queues and deleted (`moto_queues`), batches (`Poller`),
requests to AppsFlyer (`StandIn`), answers of the HTTP API (`Gateway`), lines that functions print.
Nothing is asked for. What happens on queues comes through a pipe, which is emptied before any other
fact is looked at, so that facts are in order.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from relay.instants import from_milliseconds, iso_form, parse_iso, utc_now
from relay.messages.envelope import Envelope
from relay.messages.notice import Notice
from relay_sandbox.http.messages import Request, Response
from relay_sandbox.journal import words
from relay_sandbox.journal.facts import (
    Content,
    QueueName,
    Role,
    Waits,
    findings_of,
    is_event,
    is_later,
    kind_word,
    lookup_of,
    read_message,
    sure_of,
    text_of,
    texts_of,
)
from relay_sandbox.journal.http_api import HttpApi
from relay_sandbox.journal.index import DEAD, Index
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

_CONSUMERS: Final[Mapping[QueueName, str]] = {
    "mobile": "forward_mobile",
    "web": "forward_web",
    "payments": "map_payment",
}
_ARRIVAL_RULES: Final = frozenset({"T3", "T5", "T8", "T9"})
_HOLDS: Final = frozenset({"held", "blocked"})


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
    waits: Waits = field(default_factory=Waits)
    goes_elsewhere: bool = False
    metrics: Counter[str] = field(default_factory=Counter)
    """The counters that the functions have written as embedded metrics, summed up."""
    on_sent: Callable[[Trace], None] = lambda _: None
    """Is called when AppsFlyer has got a request of an event."""
    _index: Index = field(default_factory=Index)
    _calls: dict[int, tuple[Request, Trace]] = field(default_factory=dict)
    _http: HttpApi = field(init=False)

    def __post_init__(self) -> None:
        self.journal.on_forget = self._index.forget
        self._http = HttpApi(self.journal, self.clock, self._read_envelope)

    @property
    def dead_letters(self) -> int:
        """How many dead letters there are."""
        return len(self._index.letters)

    def letters(self) -> Iterator[tuple[str, tuple[QueueName, Trace]]]:
        """The dead letters by message id, each with its queue's name; the oldest first."""
        yield from list(self._index.letters.items())

    def find(self, event_id: str) -> list[Trace]:
        """The traces of an event id, the oldest first: also of an `Idempotency-Key`."""
        return self._index.find(self.journal, event_id)

    def trace_of_message(self, message_id: str) -> Trace | None:
        """The trace of a message that somebody has put on a queue."""
        self.sync()
        return self._index.by_message.get(message_id)

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
        sent = from_milliseconds(fact["sent"])
        content, findings = read_message(role, body, sent)
        if (moved := self._index.by_message.get(message_id)) is not None:
            self._redriven(moved, message_id)
        elif caller == _CONSUMERS[role.name]:
            self._put_back(role, message_id, content, sent, fact["delay"])
        else:
            letter = self._index.letter_of(content) if not caller else None
            if letter is not None:
                self._redriven(letter, message_id)
            else:
                self._handed_in(role, message_id, content, sent, caller)
                trace = self._index.by_message[message_id]
                trace.findings = (*findings, *trace.findings)

    def _handed_in(
        self, role: Role, message_id: str, content: Content, now: datetime, caller: str = ""
    ) -> None:
        if isinstance(content, Notice):
            trace = self._begin_notice(content, now)
        elif isinstance(content, Envelope):
            trace = self._begin_event(content, now, caller)
        else:
            kind = "webhook" if role.name == "payments" else f"{role.name}_event"
            trace = self.journal.begin(kind, "sqs", now)
        self._index.bind(trace, message_id)
        if trace.event_id is None and isinstance(content, Envelope):
            trace.event_id = message_id  # as the relay names it from now on
        if caller in {"accept", "receive_payment"} and content and content.first_seen:
            self._http.entered.setdefault(iso_form(content.first_seen), []).append(trace)
        self.journal.note(
            trace, Step(now, "handed_in", words.handed_in(trace.source, kind_word(trace)))
        )

    def _begin_notice(self, notice: Notice, now: datetime) -> Trace:
        trace = self.journal.begin("webhook", f"payments:{notice.provider}", now)
        trace.app_id = shown(notice.source)
        trace.event_id = shown_id(notice.id) if notice.id else None
        trace.name = shown(notice.type) if notice.type else None
        trace.own_time = notice.occurred_at
        trace.ids = frozenset(texts_of(notice.content))
        self._index.index(trace, lookup_of(notice))
        return trace

    def _begin_event(self, envelope: Envelope, now: datetime, caller: str) -> Trace:
        source, webhook = "http" if caller == "accept" else "sqs", None
        if caller == "map_payment":
            webhook = self._index.webhook_of(envelope)
            source = webhook.source if webhook else f"payments:{shown(envelope.source or '')}"
        trace = self.journal.begin(envelope.kind.value, source, now)
        if webhook:
            webhook.causes += 1
            trace.caused_by = webhook.key
        reading = read_event(envelope, self.zone_of(envelope.app_id), now, now)
        self._read(trace, reading)
        if envelope.findings and caller:
            trace.findings = tuple(dict(one) for one in envelope.findings)
        self._index.index(trace, lookup_of(envelope))
        return trace

    def _read_envelope(self, trace: Trace, envelope: Envelope, now: datetime) -> None:
        self._read(trace, read_event(envelope, self.zone_of(envelope.app_id), now, now))

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

    def _put_back(
        self, role: Role, message_id: str, content: Content, now: datetime, delay: float
    ) -> None:
        trace = self._index.in_hand(content)
        if trace is None or content is None:
            self._handed_in(role, message_id, content, now)
            self._split_off(self._index.by_message[message_id], content, now)
            return
        self._index.index(trace, lookup_of(content))
        if trace.event_id is None and isinstance(content, Envelope) and content.event_id:
            trace.event_id = shown_id(content.event_id)
        trace.attempts = max(trace.attempts, content.attempts)
        if trace.attempt:
            trace.attempt.requeued = True
        self._index.bind(trace, message_id)
        held = content.held_since is not None or is_later(content.not_before, now, delay)
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

    def _split_off(self, part: Trace, content: Content, now: datetime) -> None:
        """A message with several events is put back as one message for each of them."""
        whole_id = (content.event_id or "").rpartition(":")[0] if is_event(content) else ""
        whole = self._index.by_message.get(whole_id)
        if whole is None or whole.attempt is None:
            return
        part.caused_by = whole.key
        whole.attempt.requeued = True
        whole.causes += 1
        whole.reason = "split"
        self.journal.note(whole, Step(now, "split", words.SPLIT), Fate.DELIVERED)

    def _became_dead_letter(self, role: Role, message_id: str, body: str) -> None:
        now, content = self.clock(), payload_object(body)
        trace = self._index.by_message.get(message_id)
        if trace is not None:  # SQS itself has moved it
            trace.reason = "crashed"
            self._index.letters[message_id] = (role.name, trace)
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
        trace.findings = findings_of(content.get("findings")) or trace.findings
        if isinstance(deadline := content.get("deadline"), str):
            trace.deadline = parse_iso(deadline, needs_offset=True)
        fate = {"rejected": Fate.REJECTED, "refused": Fate.REFUSED}.get(outcome, Fate.DEAD_LETTER)
        status = content.get("status")
        text = words.dead_letter(
            trace.reason, text_of(content.get("message")), is_answer=isinstance(status, int)
        )
        if trace.reason == "id_conflict":
            text = words.id_conflict(self._differences(trace))
        self._index.bind(trace, message_id)
        self._index.letters[message_id] = (role.name, trace)
        step = Step(
            now,
            "dead_letter",
            text,
            status=status if isinstance(status, int) else None,
        )
        self.journal.note(trace, step, fate)

    def _differences(self, trace: Trace) -> list[str]:
        """In what an event differs from the one of the same id that was delivered."""
        known = self._index.by_id.get(trace.lookup or ("", "", ""), [])
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
        if isinstance(first := content.get("message_id"), str) and first in self._index.by_message:
            return self._index.by_message[first]
        parsed = read_message(role, body, self.clock()).content
        return self._index.in_hand(parsed) or self._index.newest(parsed)

    def _deleted(self, role: Role, message_id: str) -> None:
        _, trace = (
            self._index.letters.pop(message_id, (None, None)) if role.is_dead else (None, None)
        )
        if trace is not None and trace.outcome in DEAD:
            step = Step(self.clock(), "dropped", words.DROPPED)
            self.journal.note(trace, step, Fate.DROPPED)

    def _redriven(self, trace: Trace, message_id: str) -> None:
        self._index.bind(trace, message_id)
        trace.attempt, trace.reason, trace.rule = None, None, None
        self.journal.note(trace, Step(self.clock(), "redriven", words.REDRIVEN), Fate.QUEUED)

    # Batches

    def received(self, queue_url: str, records: Sequence[Record]) -> None:
        """A function is about to get these records."""
        self.sync()
        now, function = self.clock(), self._function_of(queue_url)
        for record in records:
            trace = self._index.by_message.get(record["messageId"])
            if trace is None:
                continue
            count = int(record["attributes"].get("ApproximateReceiveCount", "1"))
            trace.attempt = Attempt(record["messageId"])
            self._index.with_functions[trace.key] = trace
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
            trace = self._index.by_message.get(message_id)
            if trace is None or trace.attempt is None or trace.attempt.message_id != message_id:
                continue
            self._index.with_functions.pop(trace.key, None)
            self._settle(trace, trace.attempt, function, error, is_back=message_id in handed_back)
            trace.attempt = None
            self.journal.changed(trace)

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
        trace = self._index.trace_of_call(call)
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
            sure=sure_of(entry.status, recorded=entry.recorded),
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

    # The HTTP API

    def answered(
        self, route: str, parameters: Mapping[str, str], request: Request, response: Response
    ) -> None:
        """The HTTP API answers a request."""
        self.sync()
        self._http.answered(route, parameters, request, response)

    # Functions

    def function_line(self, _function: str, line: bytes) -> None:
        """A line that a function prints."""
        said = parse_line(line.decode(errors="replace"))
        if "_aws" in said:
            self._count(said)
        elif said.get("message") in {"event not delivered", "payment not mapped"}:
            self.sync()
            trace = self._index.by_message.get(str(said.get("message_id")))
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

    def _function_of(self, queue_url: str) -> str:
        role = self.roles.get(queue_url.rpartition("/")[2])
        return _CONSUMERS[role.name] if role else ""
