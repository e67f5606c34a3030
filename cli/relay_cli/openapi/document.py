"""The OpenAPI 3.1 document of the HTTP API, from the template, the layer and the samples."""

import json
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from relay.domain.kinds import Kind
from relay_cli.openapi.events import events_of, read_rules
from relay_cli.openapi.messages import install_of, webhook_of
from relay_cli.openapi.operations import OPERATIONS, SECURITY, Operation
from relay_cli.openapi.responses import responses_of
from relay_cli.openapi.shapes import Components, Schema
from relay_cli.samples import Sample, read_samples
from relay_cli.terminal.errors import CliError
from relay_sandbox.deployment.routes import read_api
from relay_sandbox.deployment.template import Template
from relay_sandbox.errors import SandboxError

_SERVER: Final[Schema] = {
    "url": "https://{api_id}.execute-api.{region}.amazonaws.com",
    "description": "The output ApiUrl of the stack.",
    "variables": {"api_id": {"default": "api_id"}, "region": {"default": "us-east-1"}},
}
_DESCRIPTION: Final = (
    "Events, payment webhooks and installs by HTTP. What is accepted is on a queue and will be "
    "delivered to AppsFlyer, or kept with the reason. Every error is `application/problem+json` "
    "(RFC 9457), but for those of API Gateway itself."
)


def document_of(project: Path) -> Schema:
    """The document for a checkout of the project; raises `CliError`."""
    components = Components()
    bodies = _Bodies(project, components)
    _check_routes(project / "template.yaml")
    paths: dict[str, Schema] = {}
    for key, operation in OPERATIONS.items():
        method, _, path = key.partition(" ")
        paths.setdefault(path, {})[method.lower()] = _operation(key, operation, bodies, components)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "AppsFlyer Relay",
            "description": _DESCRIPTION,
            "version": metadata.version("appsflyer-relay"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [_SERVER],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.schemas.items())),
            "securitySchemes": dict(SECURITY),
        },
    }


def _check_routes(path: Path) -> None:
    """Raises `CliError` unless the template has exactly the routes that are described."""
    try:
        template = Template.read(path)
        functions = {name: name for name in template.source["Resources"]}
        api = read_api(template, template.parameters({}), functions)
    except SandboxError as error:
        raise CliError(str(error)) from error
    differing = sorted({route.key for route in api.routes} ^ OPERATIONS.keys())
    if differing:
        raise CliError(
            f"{path.name} and cli/relay_cli/openapi/operations.py do not have the same routes: "
            f"{', '.join(differing)}"
        )


def _operation(key: str, operation: Operation, bodies: "_Bodies", components: Components) -> Schema:
    body = bodies.of(key, operation)
    return {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": list(operation.parameters),
        **({"requestBody": body} if body else {}),
        "responses": responses_of(operation.responses, components),
        "security": [
            {name: list(scopes) for name, scopes in one.items()} for one in operation.security
        ],
    }


class _Bodies:
    """The request bodies, with the project's own samples as examples."""

    def __init__(self, project: Path, components: Components) -> None:
        self._components = components
        self._rules = read_rules(project / "docs" / "appsflyer.md")
        self._page = project / "docs" / "payments-schema.md"
        self._samples = read_samples(project / "events")

    def of(self, key: str, operation: Operation) -> Schema | None:
        """The request body of an operation, if it has one."""
        if operation.body is None:
            return None
        schema, components = operation.body, self._components
        if isinstance(schema, Kind):
            content = {"schema": events_of(schema, components, self._rules)}
            content["examples"] = dict(self._examples(key))
        elif schema == "install":
            content = {"schema": install_of(components), "examples": dict(self._examples(key))}
        else:
            content = {"schema": webhook_of(components, self._page)}
        return {"required": True, "content": {"application/json": content}}

    def _examples(self, key: str) -> Iterator[tuple[str, Schema]]:
        """The bodies of the accepted samples, by the samples' names."""
        for sample in self._samples:
            if sample.event.get("routeKey") == key and _is_accepted(sample):
                yield sample.name, {"summary": sample.description, "value": _body(sample.event)}


def _is_accepted(sample: Sample) -> bool:
    """Whether the API accepts its body without a cookie."""
    is_success = sample.status is not None and sample.status < 300  # noqa: PLR2004 - a 2xx
    return is_success and "cookies" not in sample.event


def _body(event: Mapping[str, Any]) -> object:
    try:
        return json.loads(event["body"])
    except (ValueError, KeyError) as error:
        raise CliError("a sample of events/ has a body that is not JSON") from error
