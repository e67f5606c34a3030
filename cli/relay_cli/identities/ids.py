"""What stands in a report where an id should: nothing that an event could be sent with. Pure."""

import re
from functools import lru_cache
from typing import Final

from relay.domain.findings import Findings
from relay.domain.kinds import Surface
from relay.rules.app_ids import check_app_id
from relay.rules.leniency import is_placeholder

_APPSFLYER_ID: Final = re.compile(r"[0-9]+-[0-9]+", re.ASCII)
"""M1: the form that AppsFlyer documents."""


def no_id(customer_user_id: str, appsflyer_id: str, app_id: str) -> str | None:
    """Why one of the ids is none, never its value; None if all are ids.

    A customer that stands for nobody (G4) would get the events of many people. An AppsFlyer id of
    another form (M1) would cost them: AppsFlyer takes such events and drops them.
    """
    if is_placeholder(customer_user_id, "users"):
        return "Customer User ID stands for nobody (G4)"
    if is_placeholder(appsflyer_id) or not _APPSFLYER_ID.fullmatch(appsflyer_id):
        return "AppsFlyer ID is none: digits, a hyphen, digits (M1)"
    return "App ID is none of a mobile app (E8)" if _is_no_app(app_id) else None


@lru_cache(maxsize=256)  # an account has few apps
def _is_no_app(app_id: str) -> bool:
    findings = Findings()
    check_app_id(Surface.MOBILE, app_id, findings)
    return findings.rejected
