"""Why a webhook became no event, in words for people (docs/operations.md, "Reasons ...")."""

from collections.abc import Sequence
from typing import Final

from relay.domain.movements import ParsedWebhook

_WORDS: Final = {
    "configuration": "the app's settings are wrong: correct them",
    "foreign_app": "its metadata names an app that is not among the source's",
    "id_conflict": "this money was told before with another amount",
    "identity_unknown": "not known whose it is or for which app: no customer, or neither an app "
    "in the metadata nor an install nor a web app",
    "kind_unknown": "whether it is a first payment or a renewal was never told",
    "original_unknown": "takes back, or turns round, what was never told",
    "revenue_unknown": "the provider does not tell the amount on the basis of the rules",
    "table_unavailable": "holds an id that is too long to be kept",
    "trail_unreadable": "an item of the money trail cannot be read",
    "unexpected": "this is a fault of relay's own, please report it",
    "unknown_app": "the app is not set up",
    "unknown_source": "the source is another provider's, or gone",
    "unknown_type": "a type that the relay does not know: look it up at the provider",
    "unreadable": "cannot be read",
}
_STOPPED: Final = {"hold_limit", "attempts_used_up"}


def in_words(reason: str, detail: str = "") -> str:
    """A dead letter's reason and its own message; the code itself if there are no words for it."""
    code, _, rest = reason.partition(": ")
    if code in _STOPPED and rest:
        code = rest
    return ": ".join(filter(None, (_WORDS.get(code, reason), detail)))


def caveats_of(webhook: ParsedWebhook) -> Sequence[str]:
    """What a provider says of a webhook that it cannot treat in full; not every one has such."""
    return [caveat.text for caveat in getattr(webhook, "caveats", ())]
