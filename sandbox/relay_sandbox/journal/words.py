"""The sentences of the journal: what happened, in plain words. None holds what a sender sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

DUPLICATE: Final = (
    "An event with this id and this content was delivered before, so nothing was sent (S6)."
)
REDRIVEN: Final = "Redriven: it is on its queue again, with its tries counted from zero."
DROPPED: Final = "Its dead letter was deleted: nothing more becomes of it."
SPLIT: Final = "One of its events has a message of its own now."
ELSEWHERE: Final = "Sent to the endpoint that was set instead of the stand-in."
IGNORED_WEBHOOK: Final = "Taken and ignored: webhooks of this type say nothing about money."

_PROVIDERS: Final = {
    "stripe": "Stripe",
    "revenuecat": "RevenueCat",
    "paddle": "Paddle",
    "adyen": "Adyen",
    "standard_webhooks": "your own billing",
}
_SOURCES: Final = {"sqs": "by SQS", "http": "over HTTP", "push": "by AppsFlyer's Push API"}
_REASONS: Final[Mapping[str, str]] = {
    "credentials": "AppsFlyer refuses the app's S2S key (E12, E13). Put the right key there; the "
    "event goes by itself then",
    "account_blocked": "AppsFlyer accepts nothing for this app at present (E14)",
    "appsflyer_unwell": "most sends fail at present, so it is not sent (the circuit is open)",
    "identity_unknown": "AppsFlyer has not told of an install of this customer yet (M1)",
    "original_unknown": "the payment that it gives back is not known yet",
    "in_progress": "another message with this event id is being handled",
    "in_doubt": "AppsFlyer may have recorded it already",
    "configuration": "a setting is wrong: the function's log says which",
    "parameters_unavailable": "Parameter Store does not answer",
    "unknown_app": "no app of this id is set up",
    "not_before": "it is not to be sent before a moment that its sender set (S3)",
    "no_time": "the function had no time left for it",
    "id_conflict": "an event with this id but other content was delivered before (S6): what is new "
    "needs a new event id, what is told again the same content",
    "bad_request": "AppsFlyer says that it is wrong (E11)",
    "not_an_envelope": "its message is no envelope: a JSON object with app_id, kind and event",
    "rejected": "it breaks a rule",
    "connect_failed": "no connection to AppsFlyer came about",
    "connect_timed_out": "no connection to AppsFlyer came about in time",
    "connect_refused": "nobody listens at AppsFlyer's address",
    "tls_failed": "AppsFlyer's certificate was not accepted",
    "name_not_resolved": "AppsFlyer's name has no address",
    "reset_before_write": "AppsFlyer closed the connection at once",
    "reset_after_write": "AppsFlyer closed the connection without an answer; it may have recorded "
    "the event (E16)",
    "read_timed_out": "AppsFlyer gave no answer in time; it may have recorded the event (E16)",
    "not_http": "what came was no answer; AppsFlyer may have recorded the event (E16)",
    "wrong_queue": "it is on the queue of the other kind of events",
    "content_type": "AppsFlyer does not take the form of the request",
    "kind_unknown": "whether the purchase changes another one was not told in time",
    "foreign_app": "the webhook names an app that is not among the apps of its source",
    "revenue_unknown": "the provider does not give the amount that the app asks for",
    "unknown_source": "no payment source of this name is set up",
    "trail_unreadable": "an item of the money trail cannot be read",
    "unknown_type": "webhooks of its type are not known",
    "unreadable": "the webhook cannot be read",
    "deliveries_unavailable": "the table of deliveries does not answer",
    "identities_unavailable": "the table of identities does not answer",
    "table_unavailable": "a table does not answer",
    "unexpected": "the function failed in a way that nobody foresaw: its log says more",
    "handed_back": "the function handed it back",
    "Runtime.ExitError": "the function's process ended in the middle of it",
    "Sandbox.Timedout": "the function's time was over in the middle of it",
    "crashed": "the function failed on it again and again, so SQS has put it aside",
}


def handed_in(source: str, what: str) -> str:
    """How it came in."""
    if source.startswith("payments:"):
        provider = _provider(source.partition(":")[2])
        how = "came from" if what == "webhook" else "was made of a webhook of"
        return f"{_a(what)} {how} {provider}."
    return f"{_a(what)} was handed in {_SOURCES.get(source, source)}."


def received(function: str, count: int) -> str:
    """A function gets its message."""
    again = f", for the {_ordinal(count)} time" if count > 1 else ""
    return f"{function} received it{again}."


def sent(number: int) -> str:
    """A request to AppsFlyer."""
    return f"Sent to AppsFlyer, {_ordinal(number)} try."


def answered(status: int | None, why: str, fault: str | None, *, recorded: bool) -> str:
    """AppsFlyer's answer, or that there was none."""
    what = "No answer" if status is None else f"AppsFlyer answered {status}{_phrase(status)}"
    if fault is not None:
        truth = "had recorded it" if recorded else "had not recorded it"
        return f"{what}. In truth it {truth} (fault: {fault})."
    return f"{what}: {why}."


def waits(seconds: float, reason: str | None) -> str:
    """It waits, and why."""
    what = f"Waits for {_seconds(seconds)}" if seconds > 0 else "On its queue again"
    return f"{what}: {because(reason)}." if reason else f"{what}."


def because(reason: str) -> str:
    """A reason's code in words; the code itself if there are none."""
    known = _REASONS.get(reason)
    if known is not None:
        return known
    before, _, after = reason.partition(": ")
    if before == "attempts_used_up":
        return f"all tries are used up; the last: {because(after)}"
    if before == "hold_limit":
        return f"it was held for as long as events are: {because(after)}"
    if before == "too_large_to_wait":
        return f"it had to wait, and no longer fits into a message of SQS: {because(after)}"
    if before == "uncertain_money":
        return f"it is money, and AppsFlyer may have recorded it: {because(after)}"
    if reason.startswith("status_"):
        return f"AppsFlyer answered {reason.removeprefix('status_')}"
    return reason


def dead_letter(reason: str, message: str | None = None, *, is_answer: bool = False) -> str:
    """It became a dead letter; `message` is AppsFlyer's answer, or the relay's own."""
    said = f' AppsFlyer says: "{message}"' if message and is_answer else ""
    more = f" ({message})" if message and not is_answer else ""
    return f"A dead letter: {because(reason)}{more}.{said}"


def id_conflict(differences: Sequence[str]) -> str:
    """A dead letter: its id was used for something else."""
    what = ", ".join(differences) or "content"
    return (
        f"A dead letter: an event with this id was delivered before, with another {what} (S6). "
        "What is new needs a new event id; what is told again must say the same."
    )


def comes_again(function: str, error: str | None) -> str:
    """SQS delivers a message again."""
    why = f"{function} ended with {error}" if error else f"{function} handed it back"
    return f"{why}: SQS gives it out again after its visibility time-out."


def mapped(events: int) -> str:
    """What a webhook became."""
    if events == 0:
        return "No event came of it: the function's log and metrics say why."
    return f"It became {'an event' if events == 1 else f'{events} events'}."


def not_queued(status: str) -> str:
    """Why the HTTP API put an event on no queue."""
    return {
        "queued": "The same request came before: the event is on its queue or sent already.",
        "rejected": "It breaks a rule, so it was not put on a queue.",
        "not_queued": "The queue did not take it in time: send it again.",
        "too_large": "It is too large for a queue.",
    }.get(status, f"The HTTP API says: {status}.")


def not_taken(status: int, detail: str | None) -> str:
    """The HTTP API took nothing."""
    return f"The HTTP API answered {status}{_phrase(status)}{f': {detail}' if detail else ''}."


def install(detail: str | None) -> str:
    """AppsFlyer told of an install."""
    return f"AppsFlyer told of an install{f': {detail}' if detail else ''}."


def _a(what: str) -> str:
    return f"An {what}" if what[:1] in "aeiou" else f"A {what}"


def _provider(name: str) -> str:
    return _PROVIDERS.get(name, name)


def _seconds(seconds: float) -> str:
    return f"{round(seconds, 1):g} s"


def _ordinal(number: int) -> str:
    ending = "th" if 10 < number % 100 < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")  # noqa: PLR2004
    return f"{number}{ending}"


def _phrase(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""
