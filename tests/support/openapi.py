"""docs/openapi.json as the tests use it: what it says of an answer, and of an event."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from relay.domain.kinds import Kind
from tests.support.builders import Json

FILE = Path(__file__).parents[2] / "docs" / "openapi.json"
DOCUMENT: Json = json.loads(FILE.read_text(encoding="utf-8"))
EVENT_SCHEMAS = {
    Kind.MOBILE_EVENT: "MobileEvent",
    Kind.WEB_EVENT: "WebEvent",
    Kind.WEB_VISIT: "WebVisit",
}
ROUTES = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}


def closed(schema: Any) -> Any:
    """The schema with no properties allowed but those that it names.

    Clients should bear what is new in an answer; here it has to be in the document first.
    """
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(value) for name, value in schema.items()}
    is_answer = schema.get("type") == "object" and "properties" in schema and "required" in schema
    return {"additionalProperties": False} | inner if is_answer else inner


@cache
def _validator(schema: str) -> jsonschema_rs.Validator:
    """Of a schema as text; its references are to the document's components."""
    whole = closed({**json.loads(schema), "components": DOCUMENT["components"]})
    return jsonschema_rs.validator_for(whole)


def event_validator(kind: Kind) -> jsonschema_rs.Validator:
    """What the document says of one event of a kind."""
    return _validator(json.dumps({"$ref": f"#/components/schemas/{EVENT_SCHEMAS[kind]}"}))


def check_answer(route: str, response: Json) -> None:
    """Fails unless the document has this answer (as Lambda returns it) of this route."""
    answer = ROUTES[route]["responses"].get(str(response["statusCode"]))
    assert answer is not None, f"{route} does not answer {response['statusCode']}"
    headers = response["headers"]
    form = headers["content-type"]
    assert form in answer["content"], f"{route} does not answer {form}"
    body = response["body"] if form == "text/plain" else json.loads(response["body"])
    _validator(json.dumps(answer["content"][form]["schema"])).validate(body)
    named = {name.lower(): header for name, header in answer.get("headers", {}).items()}
    needed = {name for name, header in named.items() if header.get("required")}
    assert needed <= headers.keys() <= {"content-type", *named}


def properties_of(schema: str) -> Iterator[str]:
    """The properties of a named schema, those of the schemas within it included."""
    for name, form in DOCUMENT["components"]["schemas"][schema]["properties"].items():
        yield f"{schema}.{name}"
        inner = form.get("items", form).get("$ref")
        if inner:
            yield from properties_of(inner.rpartition("/")[2])
