"""The names of a mobile event: those that are sent, and what others are taken for (M21)."""

from collections.abc import Iterable
from typing import Final

from relay.rules.names import Vocabulary

_UNSETTABLE: Final = "is a field of AppsFlyer's that a server cannot set: left out"  # seed 000
_FORMER: Final = "is an old field that AppsFlyer no longer takes: left out"
_ON_THE_ENVELOPE: Final = "-; the app and the event's id are told beside the event"


def mobile_vocabulary(fields: Iterable[str]) -> Vocabulary:
    """What the names of a mobile event are judged by; `fields` are those of the payload."""
    return Vocabulary(
        rule="M21",
        fields=tuple(fields),
        matters=(
            "appsflyer_id", "customer_user_id", "eventName", "eventValue", "eventCurrency",
            "eventTime", "consent_data", "sharing_filter", "att", "aie",
        ),
        consent_or_money=("consent_data", "sharing_filter", "eventValue", "eventCurrency"),
        renamed={"bundle_id": "bundleIdentifier"},
        left_out={
            **dict.fromkeys(("af_events_api", "counter", "referrer"), _FORMER),
            **dict.fromkeys(
                ("wifi", "operator", "language", "device_model", "device_category", "app_name"),
                _UNSETTABLE,
            ),
            "app_version": f"{_UNSETTABLE}; send app_version_name",
            "user_agent": f"{_UNSETTABLE}; send ua",
        },
        foreign={
            **dict.fromkeys(("uid", "userid"), "customer_user_id"),
            **dict.fromkeys(("afrevenue", "revenue", "eventrevenue"), "eventValue.af_revenue"),
            **dict.fromkeys(("currency", "afcurrency", "eventrevenuecurrency"), "eventCurrency"),
            **dict.fromkeys(("gaid", "adid", "aaid"), "advertising_id"),
            "timestamp": "eventTime",
            "osversion": "os",
            **dict.fromkeys(
                (
                    "consent", "tcf", "manual", "tcstring", "gdprapplies", "aduserdataenabled",
                    "adpersonalizationenabled",
                ),
                "consent_data",
            ),
            "sharingfilterforpartners": "sharing_filter",
            **dict.fromkeys(("limitadtracking", "lat"), "aie"),
            **dict.fromkeys(("appid", "id", "eventid"), _ON_THE_ENVELOPE),
            "fullname": "-; send first_name and last_name",
        },
        elsewhere="put it into custom_data or eventValue to find it in the raw data",
    )  # fmt: skip
