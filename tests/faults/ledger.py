"""The books of a run: what was handed in, what AppsFlyer recorded, what is dead, what was in doubt.

Everything is known by its event id. AppsFlyer's side is the stand-in's ledger, ours is what the
relay says about itself: a run whose doubles are not in its own log has doubled in silence.
"""

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

import pytest

from relay import telemetry
from relay.domain.kinds import Kind, Surface
from relay_sandbox.stand_in import Entry
from tests.support.builders import (
    Json,
    make_envelope,
    make_event,
    make_web_envelope,
    make_web_event,
)

_NUMBERS = count()


def make_order(
    surface: Surface, event_id: str, name: str = "purchase", *, paid: bool = True
) -> Json:
    """An envelope whose event id can be read in what AppsFlyer gets; `paid` gives it revenue."""
    if surface is Surface.MOBILE:
        value = {"af_order_id": event_id, **({"af_revenue": "9.99"} if paid else {})}
        event = make_event(eventName=name, eventValue=value)
        return make_envelope(event_id=event_id, event=event)
    # AppsFlyer knows it by its customer_dedup_id (W11).
    event = make_web_event(event_name=name, event_revenue=9.99 if paid else None)
    return make_web_envelope(event_id=event_id, event=event)


def event_id_of(entry: Entry) -> str:
    """The event id of what came to the stand-in."""
    assert isinstance(entry.payload, Mapping)
    if entry.kind is not Kind.MOBILE_EVENT:
        return str(entry.payload["customer_dedup_id"])
    return str(json.loads(entry.payload["eventValue"])["af_order_id"])


def recorded_in(ledger: Iterable[Entry]) -> Counter[str]:
    """How often AppsFlyer recorded each event."""
    return Counter(event_id_of(entry) for entry in ledger if entry.recorded)


@dataclass(frozen=True)
class RunLedger:
    """What became of each event of a run that has settled, by event id."""

    handed_in: frozenset[str]
    recorded: Counter[str]
    dead: Counter[str]
    in_doubt: Counter[str]
    """How often its sending was counted as uncertain (E16)."""

    @property
    def lost(self) -> set[str]:
        """Neither recorded nor dead."""
        return {id_ for id_ in self.handed_in if not self.recorded[id_] + self.dead[id_]}

    @property
    def doubled(self) -> set[str]:
        """Recorded more than once."""
        return {id_ for id_, times in self.recorded.items() if times > 1}

    @property
    def unexplained(self) -> dict[str, int]:
        """What is in more than one place, and more often so than its doubts were counted.

        Empty: in = recorded + dead-lettered, but for events whose doubts were counted.
        """
        surplus = {
            id_: self.recorded[id_] + self.dead[id_] - 1 - self.in_doubt[id_]
            for id_ in self.recorded | self.dead
        }
        return {id_: times for id_, times in surplus.items() if times > 0}

    @property
    def strangers(self) -> set[str]:
        """Recorded or dead, though nobody handed it in."""
        return (self.recorded.keys() | self.dead.keys()) - self.handed_in

    def assert_balanced(self) -> None:
        """In = recorded + dead-lettered, exactly, and every double is a counted doubt."""
        assert self.lost == set()
        assert self.strangers == set()
        assert self.unexplained == {}

    def figures(self) -> dict[str, int]:
        """What the table shows of it."""
        return {
            "events": len(self.handed_in),
            "recorded": len(self.recorded),
            "dead": len(self.dead),
            "both": len(self.recorded.keys() & self.dead.keys()),
            "doubled": len(self.doubled),
            "uncertain": self.in_doubt.total(),
        }


class Heard(NamedTuple):
    """What functions said."""

    counted: Counter[str]
    """The metrics, each summed up."""
    in_doubt: Counter[str]
    """How often the sending of each message, by its id, was uncertain."""


def heard_in(text: str) -> Heard:
    """Reads what functions printed: log lines and embedded metrics."""
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    counted: Counter[str] = Counter()
    for blob in (line for line in lines if "_aws" in line):
        for metric in blob["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
            counted[metric["Name"]] += int(sum(blob[metric["Name"]]))
    return Heard(counted, Counter(line["message_id"] for line in lines if line.get("uncertain")))


@contextmanager
def overheard() -> Iterator[Callable[[], Heard]]:
    """Listens to what the layer says in this process: gives all that it said so far.

    Powertools keeps one logger a service name, bound to the stream of its first use: hence a new
    name each time.
    """
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as said:
        patch.setenv("POWERTOOLS_SERVICE_NAME", f"run-{next(_NUMBERS)}")
        patch.setenv("POWERTOOLS_METRICS_NAMESPACE", "AppsFlyerRelay")
        telemetry.logger.cache_clear()
        telemetry._metrics.cache_clear()  # noqa: SLF001 - it remembers the namespace
        yield lambda: heard_in(said.getvalue())
    telemetry.logger.cache_clear()
    telemetry._metrics.cache_clear()  # noqa: SLF001 - as above
