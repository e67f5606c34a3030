"""Each type in the providers' current lists is counted, ignored for a reason, or left to a person.

`tests/data/event_types` holds the lists, with source and date. A type that is unknown on purpose
becomes a dead letter: what it does to the money differs, so a person should look.
"""

import json
from pathlib import Path

from paddle_billing.Entities.Events import EventTypeName

from relay.domain.movements import Treatment
from relay.domain.payment_rules import SourceApps
from relay.payments.providers.registry import PROVIDERS, source_settings
from tests.support.builders import Json
from tests.support.every import every

DATA = Path(__file__).parents[3] / "data" / "event_types"


def listed(provider: str) -> Json:
    content: Json = json.loads((DATA / f"{provider}.json").read_text("utf-8"))
    return content


def webhook(provider: str, name: str) -> Json:
    if provider == "paddle":
        return {"event_id": "evt_1", "event_type": name, "data": {}}
    if name.isupper():
        item = {"eventCode": name, "pspReference": "P1", "success": "true"}
        return {"live": "true", "notificationItems": [{"NotificationRequestItem": item}]}
    return {"type": name, "environment": "live"}


def treatments(provider: str) -> dict[str, Treatment]:
    settings = source_settings().model_validate({"provider": provider, "apps": SourceApps()})
    parse = PROVIDERS[provider].parse
    return {
        name: parse(json.dumps(webhook(provider, name)).encode(), settings)[0].treatment
        for name in listed(provider)["types"]
    }


@every("provider, least", [("adyen", 50), ("paddle", 60)])
def test_each_listed_type_has_its_treatment_and_its_reason(provider: str, least: int) -> None:
    found, why = treatments(provider), PROVIDERS[provider].why_ignored

    unknown = {name for name, treatment in found.items() if treatment is Treatment.UNKNOWN}
    ignored = {name for name, treatment in found.items() if treatment is Treatment.IGNORED}
    assert len(found) >= least
    assert unknown == set(listed(provider)["unknown_on_purpose"])
    assert {name for name in ignored if not why(name)} == set()


def test_paddles_list_is_that_of_the_library_that_is_installed() -> None:
    kinds = {str(kind) for kind in vars(EventTypeName).values() if isinstance(kind, EventTypeName)}

    assert set(listed("paddle")["types"]) == kinds
