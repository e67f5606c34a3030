"""What the page shows on every screen: counts, faults, apps, addresses, limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from relay.rules.mobile import MAX_BODY_BYTES
from relay_sandbox.journal.journal import MOST_TRACES
from relay_sandbox.journal.trace import Fate, Mark
from relay_sandbox.page.surroundings import Surroundings

_ADDRESSES: Final = (
    "page",
    "api",
    "aws",
    "stand_in",
    "mobile_queue",
    "web_queue",
    "payments_queue",
    "mobile_dlq",
    "web_dlq",
    "payments_dlq",
    "producer_token",
)


def state_of(surroundings: Surroundings) -> dict[str, Any]:
    """The state, as JSON."""
    journal, stand_in = surroundings.observer.journal, surroundings.stand_in
    ready = surroundings.ready
    return {
        "counts": _counts(surroundings),
        "metrics": dict(surroundings.observer.metrics),
        "faults": [*stand_in.faults.as_json(), *surroundings.machine_faults()],
        "apps": stand_in.accounts.as_json(),
        "addresses": {name: ready[name] for name in _ADDRESSES if name in ready},
        "payment_sources": _sources(ready),
        "limits": {"mobile_body_bytes": MAX_BODY_BYTES, "traces": MOST_TRACES},
        "kept": len(journal),
    }


def _counts(surroundings: Surroundings) -> dict[str, int]:
    journal = surroundings.observer.journal
    return {
        "handed_in": journal.handed_in,
        **{fate.value: journal.counts[fate] for fate in Fate},
        **{mark.value: journal.marks[mark] for mark in Mark},
        "dead_letters": surroundings.observer.dead_letters,
    }


def _sources(ready: Mapping[str, Any]) -> dict[str, str]:
    """The payment sources by provider, without their secrets."""
    return {name: one["source"] for name, one in ready.get("payment_sources", {}).items()}
