"""What to do about an event that waits or is a dead letter; where the sandbox can do it, how.

One row for each reason of docs/operations.md ("Reasons of dead letters"), which says more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from relay_sandbox.journal.trace import Trace


class Cure(NamedTuple):
    """`needs_mending`: redriven as it is, the event would come back."""

    text: str
    needs_mending: bool = False


CURES: Final[Mapping[str, Cure]] = {
    "rejected": Cure("Mend what the findings name, and send the event anew.", needs_mending=True),
    "unknown_app": Cure(
        "Correct its app id. If the id is right, set the app up, then redrive.", needs_mending=True
    ),
    "wrong_queue": Cure(
        "Send web events to the web queue, and mobile events to the mobile queue.",
        needs_mending=True,
    ),
    "not_an_envelope": Cure(
        "Send an envelope: a JSON object with app_id, kind and event.", needs_mending=True
    ),
    "bad_request": Cure(
        "Compare what was sent with what AppsFlyer says, and mend it.", needs_mending=True
    ),
    "content_type": Cure(
        "AppsFlyer wants another form of request. Update the relay, then redrive."
    ),
    "account_blocked": Cure("Redrive when AppsFlyer accepts events of this app again (E14)."),
    "status": Cure("Look at AppsFlyer's answer in its steps. Redrive when it answers otherwise."),
    "attempts_used_up": Cure("Redrive when AppsFlyer is well again."),
    "uncertain_money": Cure(
        "Look in AppsFlyer whether the money is there. Redrive it if it is not, drop it if it is."
    ),
    "appsflyer_unwell": Cure("Redrive when AppsFlyer is well again."),
    "credentials": Cure("Put the app's right S2S key in place (E12, E13), then redrive."),
    "id_conflict": Cure(
        "Give what is new a new event id, or send the same content again.", needs_mending=True
    ),
    "identity_unknown": Cure("Add who this customer is under Identities. Then redrive."),
    "original_unknown": Cure(
        "Tell of the payment that it gives back, then redrive. Drop it if the payment is older "
        "than the relay."
    ),
    "kind_unknown": Cure("Redrive: what it waited for has been told by now."),
    "foreign_app": Cure("Add its app to the apps of the payment source, then redrive."),
    "revenue_unknown": Cure(
        "Choose an amount for the app (revenue) that the provider gives, then redrive."
    ),
    "unknown_source": Cure("Set the payment source up again, then redrive."),
    "trail_unreadable": Cure("Put the item of the money trail right, then redrive."),
    "unknown_type": Cure(
        "Look it up at the provider by its id: this relay cannot read webhooks of its type.",
        needs_mending=True,
    ),
    "unreadable": Cure(
        "Look it up at the provider by its id: this relay cannot read it.", needs_mending=True
    ),
    "configuration": Cure("Correct the setting that the function's log names, then redrive."),
    "in_progress": Cure("Redrive: the other message with its id has ended by now."),
    "too_large_to_wait": Cure("Only its digest is kept: send it again, smaller.", True),  # noqa: FBT003
    "crashed": Cure("Look into the function's log; redrive it when what failed is mended."),
}
"""By reason, or by what stands before its colon."""


def cure_for(reason: str) -> Cure | None:
    """The cure for a reason; None if there is no such reason.

    A hold that has lasted too long is cured by ending what held it: `hold_limit: credentials`.
    """
    first, _, cause = reason.partition(": ")
    word = cause if first == "hold_limit" else first
    return CURES.get("status" if word.startswith("status_") else word)


def cure_of(trace: Trace) -> dict[str, Any] | None:
    """`{"text", "needs_mending", "label", "action"}`; the last two are None where a person acts."""
    reason = trace.reason or ""
    found = _by_click(reason.removeprefix("hold_limit: "), trace.app_id)
    if found is not None:
        return found
    cure = cure_for(reason)
    if cure is None:
        return None
    text = cure.text
    if reason == "unknown_app" and trace.app_id.isdigit():
        text = f"AppsFlyer's id of an iOS app begins with id (E8): send it to id{trace.app_id}."
    return {"text": text, "needs_mending": cure.needs_mending, "label": None, "action": None}


def _by_click(reason: str, app_id: str) -> dict[str, Any] | None:
    """What the sandbox itself can do."""
    if reason == "account_blocked":
        return _action(
            "AppsFlyer accepts nothing for this app (E14). Events that wait go by themselves then.",
            "Open the account",
            {"app_id": app_id, "state": "open"},
        )
    if reason == "credentials":
        return _action(
            "AppsFlyer has another S2S key of this app than the relay (E12, E13). Events that wait "
            "go by themselves once both have the same.",
            "Give both a new key",
            {"app_id": app_id, "key": "renew"},
        )
    return None


def _action(text: str, label: str, body: Mapping[str, Any]) -> dict[str, Any]:
    action = {"method": "POST", "path": "/api/apps", "body": dict(body)}
    return {"text": text, "needs_mending": False, "label": label, "action": action}
