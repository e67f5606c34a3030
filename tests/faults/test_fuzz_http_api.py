"""Requests made of docs/openapi.json, right ones and wrong ones, through the whole HTTP API."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.faults.conftest import Saw, Scale
from tests.faults.drawing import draw
from tests.faults.heard import Heard, assert_discreet
from tests.faults.http_api import HttpApi
from tests.support.builders import MOBILE_APP, WEB_APP, Json
from tests.support.harnesses import PUSH_TOKEN
from tests.support.openapi import ROUTES
from tests.support.payments_harness import source_of

if TYPE_CHECKING:
    from tests.faults.document import AnyCase, Document

TOKENS = {"events": "shop-token", "installs": PUSH_TOKEN}
KNOWN: dict[str, list[Json]] = {
    "events": [{"app_id": MOBILE_APP}, {"app_id": WEB_APP}],
    "installs": [{"app_id": MOBILE_APP}],
    "payments": [
        {"provider": provider, "source": source_of(provider)}
        for provider in ("stripe", "paddle", "revenuecat", "standard_webhooks")
    ],
    "health": [],
}
"""Paths that lead somewhere, by the tag of the route."""


@pytest.fixture(scope="module")
def api() -> Iterator[HttpApi]:
    api = HttpApi()
    yield api
    api.close()


@pytest.fixture(scope="module")
def document(api: HttpApi) -> "Document":
    from tests.faults.document import Document  # noqa: PLC0415 - loads for a quarter of a second

    return Document(api)


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_http_api_under_requests_of_its_document_answers_by_it(
    route: str, api: HttpApi, document: "Document", scale: Scale, saw: Saw
) -> None:
    tag = ROUTES[route]["tags"][0]
    statuses: Counter[str] = Counter()

    def promise(case: "AnyCase", heard: Heard) -> None:
        status = document.call(case, TOKENS.get(tag))
        api.forget()
        statuses[f"answers_{status}"] += 1
        assert_discreet(heard.take())

    draw(document.cases(route, KNOWN[tag]), scale.drawn, promise)

    saw(requests=sum(statuses.values()), **statuses)
