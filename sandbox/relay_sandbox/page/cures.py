"""What to do about an event that waits or is a dead letter; where the sandbox can do it, how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from relay_sandbox.journal.trace import Trace

_ADVICE: Final[Mapping[str, str]] = {
    "rejected": "Mend what the findings name, and send the event anew.",
    "not_an_envelope": "Send an envelope: a JSON object with app_id, kind and event.",
    "id_conflict": "Give what is new a new event id, or send the same content again.",
    "bad_request": "Compare what was sent with what AppsFlyer says.",
    "attempts_used_up": "Redrive it when AppsFlyer is well again.",
    "uncertain_money": "Look in AppsFlyer whether the money is there. Redrive it if it is not.",
    "crashed": "Look into the function's log; redrive it when it is mended.",
    "identity_unknown": "Add who this customer is under Identities.",
    "hold_limit": "End what held it, then redrive it.",
}


def cure_of(trace: Trace) -> dict[str, Any] | None:
    """`{"text", "label", "action"}`; the last two are None where a person has to act."""
    reason = trace.reason or ""
    if reason == "account_blocked":
        return _by_click(
            "AppsFlyer accepts nothing for this app (E14). Events that wait go by themselves then.",
            "Open the account",
            {"app_id": trace.app_id, "state": "open"},
        )
    if reason == "credentials":
        return _by_click(
            "AppsFlyer has another S2S key of this app than the relay (E12, E13). Events that wait "
            "go by themselves once both have the same.",
            "Give both a new key",
            {"app_id": trace.app_id, "key": "renew"},
        )
    if reason == "unknown_app" and trace.app_id.isdigit():
        text = f"AppsFlyer's id of an iOS app begins with id (E8): send it to id{trace.app_id}."
        return {"text": text, "label": None, "action": None}
    advice = _ADVICE.get(reason) or _ADVICE.get(reason.partition(": ")[0])
    return {"text": advice, "label": None, "action": None} if advice else None


def _by_click(text: str, label: str, body: Mapping[str, Any]) -> dict[str, Any]:
    action = {"method": "POST", "path": "/api/apps", "body": dict(body)}
    return {"text": text, "label": label, "action": action}
