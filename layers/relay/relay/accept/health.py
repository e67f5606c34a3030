"""What GET /v1/health says: whether a producer could be served, and which parameters are wrong.

Anybody may ask. So it reads at leisure, a few parameters at most, and tells names and no content.
"""

from typing import Annotated, Literal, NotRequired, TypedDict

from relay.config.apps import Apps
from relay.config.producers import Entries, Producers
from relay.errors import ConfigurationError, ParametersUnavailableError


class HealthContent(TypedDict):
    """The API and its function are up. `ok`: at least one producer could be served."""

    status: Literal["ok", "degraded"]
    parameters: NotRequired[
        Annotated[
            list[str],
            "Only if `degraded`: the names in Parameter Store of what is wrong, is missing or "
            "cannot be read. Other producers and apps may be served all the same.",
        ]
    ]


def health_of(producers: Producers, apps: Apps) -> HealthContent:
    """`degraded` while a parameter is wrong that somebody needs, or nobody could be served."""
    try:
        entries = producers.entries()
    except (ConfigurationError, ParametersUnavailableError):
        return _degraded([producers.parameter])
    app_ids = _named_apps(entries)
    survey = apps.survey(app_ids)
    apps_served = survey.usable | {"*"}
    is_served = any(
        one.token_sha256 and apps_served.intersection(one.apps) for one in entries.producers
    )
    wrong = set(survey.wrong)
    if not is_served:
        wrong |= survey.unread
    if entries.broken or not (is_served or wrong):
        wrong.add(producers.parameter)
    return _degraded(wrong) if wrong else {"status": "ok"}


def _named_apps(entries: Entries) -> list[str]:
    """The apps that producers name, each once."""
    named = dict.fromkeys(app_id for one in entries.producers for app_id in one.apps)
    return [app_id for app_id in named if app_id != "*"]


def _degraded(parameters: list[str] | set[str]) -> HealthContent:
    return {"status": "degraded", "parameters": sorted(parameters)}
