"""The names of a web event or visit: those that are sent, and what others are taken for (W13)."""

from collections.abc import Iterable
from typing import Final

from relay.rules.names import Vocabulary, fold

_MATTERS: Final = (
    "user_id", "event_name", "event_revenue", "event_revenue_currency", "event_value", "timestamp",
    "customer_dedup_id",
)  # fmt: skip
_MATTERS_ON_A_VISIT: Final = ("event_url",)

_WISHES: Final = (
    "consent", "tcf", "manual", "tcstring", "gdpr_applies", "ad_user_data_enabled",
    "ad_personalization_enabled", "consent_data", "sharing_filter_for_partners", "sharing_filter",
    "limit_ad_tracking", "lat", "att", "aie",
)  # fmt: skip


def web_vocabulary(fields: Iterable[str], not_here: Iterable[str] = ()) -> Vocabulary:
    """What the names of a web event are judged by; `fields` are those of the payload.

    `not_here` are fields that events have and this kind, a visit, does not.
    """
    known, event_only = tuple(fields), tuple(not_here)
    return Vocabulary(
        rule="W13",
        fields=known,
        not_here=event_only,
        matters=tuple(
            field
            for field in (*_MATTERS, *(_MATTERS_ON_A_VISIT if event_only else ()))
            if field in known
        ),
        consent_or_money=("event_value", "event_revenue", "event_revenue_currency"),
        user_ids={
            "customeruserid": "user_id.customer_user_id",
            "appsflyerid": "user_id.appsflyer_id",
        },
        foreign={
            **dict.fromkeys(("revenue", "afrevenue"), "event_revenue"),
            "eventtime": "timestamp",
            **dict.fromkeys(("currency", "eventcurrency", "afcurrency"), "event_revenue_currency"),
            "url": "event_url",
            "referrer": "http_referrer",
            "ua": "user_agent",
        },
        wishes=frozenset(map(fold, _WISHES)),
        elsewhere="put it into event_value to find it in the raw data",
    )
