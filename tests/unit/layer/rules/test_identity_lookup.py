"""Which events have to be looked up, and whose id is theirs already."""

from relay.domain.kinds import Kind
from relay.rules.identity_lookup import customer_to_look_up
from tests.support.builders import Json
from tests.support.every import every


@every(
    "event, customer",
    [
        ({}, "user-1"),
        ({"appsflyer_id": " "}, "user-1"),
        ({"appsflyer_id": "undefined"}, "user-1"),
        ({"appsflyer_id": "1415211453000-6513894"}, None),
        ({"appsflyer_id": "a-device"}, None),
        ({"AppsFlyer-Id": "1415211453000-6513894"}, None),
    ],
    ids=str,
)
def test_event_without_an_appsflyer_id_is_looked_up_by_its_customer(
    event: Json, customer: str | None
) -> None:
    whole = {"customer_user_id": " user-1", **event}

    assert customer_to_look_up(Kind.MOBILE_EVENT, whole) == customer
    assert customer_to_look_up(Kind.WEB_EVENT, whole) is None
