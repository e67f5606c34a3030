"""docs/openapi.json as a source of requests, and as what their answers are held to."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.faults.http_api import HttpApi
from tests.support.builders import Json
from tests.support.openapi import DOCUMENT, closed

AnyCase: TypeAlias = Case[Any]

_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
"""Those that hold. Wrong data is not turned away as a whole: of an array with one wrong event the
others are queued (207), a preview shows what is wrong (200), what is signed right is kept (200)."""


class Document:
    """Requests go to `api`."""

    def __init__(self, api: HttpApi) -> None:
        self._schema = schemathesis.openapi.from_dict(closed(DOCUMENT), config=SchemathesisConfig())
        self._schema.app = api

    def cases(self, route: str, known: Sequence[Json]) -> st.SearchStrategy[AnyCase]:
        """Right ones and wrong ones, most of them to apps and sources that are set up."""
        method, _, path = route.partition(" ")
        operation = self._schema[path][method]
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

    def call(self, case: AnyCase, token: str | None) -> int:
        """Sends it, holds the answer to the document, and gives its status."""
        answer = case.call(headers={"Authorization": f"Bearer {token}"} if token else None)
        case.validate_response(answer, checks=_CHECKS)
        status: int = answer.status_code
        return status
