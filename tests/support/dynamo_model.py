"""What AWS's own model of DynamoDB says of the calls that the relay makes by itself.

boto3 checks its calls by this model (from botocore) before it sends them. `relay.aws.async_table`
sends its own; in tests they are checked here, and so is whatever answers them.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator

from relay.aws.async_table import CallFailedError, DynamoClient

_NOT_OF_THE_MODEL: Final = {"__type", "message", "Message"}
"""In every refusal: the protocol's."""

Call = Callable[[DynamoClient, str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


@cache
def model() -> ServiceModel:
    return botocore.session.get_session().get_service_model("dynamodb")


def faults_of_request(operation: str, request: Mapping[str, Any]) -> list[str]:
    """What the model does not allow in a request; nothing if it may be sent."""
    shape = model().operation_model(operation).input_shape
    assert shape is not None
    return [*_faults(request, shape)] or [*_beyond(request, shape, operation)]


def faults_of_response(operation: str, response: Mapping[str, Any]) -> list[str]:
    """What DynamoDB would not answer."""
    shape = model().operation_model(operation).output_shape
    assert shape is not None
    return list(_faults(response, shape))


def faults_of_refusal(code: str, content: Mapping[str, Any]) -> list[str]:
    """What DynamoDB would not say with this error, if the model knows it."""
    if code not in model().shape_names:
        return []
    content = {name: value for name, value in content.items() if name not in _NOT_OF_THE_MODEL}
    return list(_faults(content, model().shape_for(code)))


def _faults(value: Any, shape: Shape) -> Iterator[str]:
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        yield report.generate_report()


def _beyond(value: Any, shape: Shape, where: str) -> Iterator[str]:
    """What botocore leaves to AWS: lists that are too long, and words that are none of a choice.

    Only of requests: AWS may answer with words of tomorrow.
    """
    most = shape.metadata.get("max")
    if isinstance(shape, ListShape | MapShape) and most is not None and len(value) > most:
        yield f"{where}: {len(value)} elements, at most {most}"
    match shape:
        case StructureShape():
            for name, inner in value.items():
                yield from _beyond(inner, shape.members[name], f"{where}.{name}")
        case ListShape():
            for inner in value:
                yield from _beyond(inner, shape.member, where)
        case MapShape():
            for name, inner in value.items():
                yield from _beyond(name, shape.key, where)
                yield from _beyond(inner, shape.value, where)
        case StringShape() if shape.enum and value not in shape.enum:
            yield f"{where}: none of {shape.enum}"
        case _:
            pass


def checked(call: Call) -> Call:
    """`DynamoClient.call`, which fails where the model does not allow what is said."""

    async def checked_call(
        client: DynamoClient, operation: str, request: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        assert faults_of_request(operation, request) == [], operation
        try:
            response = await call(client, operation, request)
        except CallFailedError as error:
            faults = faults_of_refusal(error.code, error.content)
            if faults:
                raise AssertionError(error.code, faults) from error
            raise
        assert faults_of_response(operation, response) == [], operation
        return response

    return checked_call
