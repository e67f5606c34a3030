"""Requests made of docs/openapi.json, right ones and wrong ones, through the whole HTTP API."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis import APIOperation, BaseSchema, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.faults.conftest import Saw, Scale
from tests.faults.drawing import draw
from tests.faults.heard import Heard, assert_discreet
from tests.faults.http_api import HttpApi
from tests.support.builders import MOBILE_APP, WEB_APP, Json
from tests.support.harnesses import PUSH_TOKEN
from tests.support.openapi import DOCUMENT, ROUTES, closed
from tests.support.payments_harness import source_of

AnyCase: TypeAlias = Case[Any]
AnyOperation: TypeAlias = APIOperation[Any, Any, Any, Any]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
"""Those that hold. Wrong data is not turned away as a whole: of an array with one wrong event the
others are queued (207), a preview shows what is wrong (200), what is signed right is kept (200)."""

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
def schema(api: HttpApi) -> BaseSchema:
    schema = schemathesis.openapi.from_dict(closed(DOCUMENT), config=SchemathesisConfig())
    schema.app = api
    return schema


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_http_api_under_requests_of_its_document_answers_by_it(
    route: str, api: HttpApi, schema: BaseSchema, scale: Scale, saw: Saw
) -> None:
    method, _, path = route.partition(" ")
    tag = ROUTES[route]["tags"][0]
    token = TOKENS.get(tag)
    statuses: Counter[str] = Counter()

    def promise(case: AnyCase, heard: Heard) -> None:
        answer = case.call(headers={"Authorization": f"Bearer {token}"} if token else None)
        api.forget()
        statuses[f"answers_{answer.status_code}"] += 1
        case.validate_response(answer, checks=CHECKS)
        assert_discreet(heard.take())

    draw(_cases(schema[path][method], KNOWN[tag]), scale.drawn, promise)

    saw(requests=sum(statuses.values()), **statuses)


def _cases(operation: AnyOperation, known: Sequence[Json]) -> st.SearchStrategy[AnyCase]:
    """Right ones and wrong ones, most of them to apps and sources that are set up."""
    if not known:  # it takes nothing that could be wrong
        cases: st.SearchStrategy[AnyCase] = operation.as_strategy()
        return cases
    return st.one_of(
        [
            operation.as_strategy(generation_mode=mode, path_parameters=one)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
            for one in (None, *known)
        ]
    )
