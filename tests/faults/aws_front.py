"""What stands before the local AWS: it passes calls on, and fails those that it is told to."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from relay_sandbox.http.server import Connection, Request, Response
from tests.support.local_http import local_client

PARAMETER_STORE: Final = "AmazonSSM"
DYNAMODB: Final = "DynamoDB_20120810"
SENDING: Final = "AmazonSQS.SendMessageBatch"

_NOT_PASSED_ON: Final = {"host", "content-length", "connection", "transfer-encoding"}


@dataclass(frozen=True)
class AwsFault:
    """One way in which the calls of a service, or of one operation, fail.

    `how`: a code of AWS's, with its `status`; "reset" and "hang", before the call was carried out;
    "lost", when it was; "part": every other entry of a batch is refused. `share` 3: every third
    call, the first included; one that is repeated fares as it did before.
    """

    of: str
    how: str
    status: int = 400
    share: int = 1


class AwsFront:
    """Speaks HTTP as AWS does. What it does not fail is done by the AWS at `url`."""

    def __init__(self, url: str) -> None:
        self.failed = 0
        """How many calls were failed, in whole or in part."""
        self._fault: AwsFault | None = None
        self._calls: dict[bytes, int] = {}
        self._aws = local_client(base_url=url, timeout=60)

    def fail(self, fault: AwsFault | None) -> None:
        """From now on this fails, and nothing else does."""
        self._fault = fault
        self._calls.clear()

    async def aclose(self) -> None:
        """Closes the connections to AWS."""
        await self._aws.aclose()

    async def handle(self, request: Request, connection: Connection) -> Response | None:
        """Serves one call."""
        fault = self._fault
        if fault is None or not self._strikes(fault, request):
            return await self._passed_on(request, request.body)
        self.failed += 1
        match fault.how:
            case "reset":
                connection.abort()
            case "hang":
                await connection.until_closed()
            case "lost":
                await self._passed_on(request, request.body)
                connection.abort()
            case "part":
                return await self._in_part(request)
            case code:
                return _json(fault.status, {"__type": f"aws#{code}", "message": "not now"})
        return None

    def _strikes(self, fault: AwsFault, request: Request) -> bool:
        if not (request.header("x-amz-target") or "").startswith(fault.of):
            return False
        return self._calls.setdefault(request.body, len(self._calls)) % fault.share == 0

    async def _passed_on(self, request: Request, body: bytes) -> Response:
        headers = [(k, v) for k, v in request.headers if k not in _NOT_PASSED_ON]
        answer = await self._aws.request(
            request.method, request.target, content=body, headers=headers
        )
        kept = tuple((k, v) for k, v in answer.headers.items() if k not in _NOT_PASSED_ON)
        return Response(answer.status_code, kept, answer.content)

    async def _in_part(self, request: Request) -> Response:
        call: dict[str, Any] = json.loads(request.body)
        match (request.header("x-amz-target") or "").rpartition(".")[2]:
            case "SendMessageBatch":
                refused, kept = _halves(call["Entries"])
                answer = await self._rest(request, {**call, "Entries": kept}) if kept else {}
                answer["Failed"] = [
                    {"Id": entry["Id"], "Code": "InternalError", "SenderFault": False}
                    for entry in refused
                ]
            case "BatchExecuteStatement":
                refused, kept = _halves(call["Statements"])
                answer = await self._rest(request, {**call, "Statements": kept}) if kept else {}
                done = iter(answer.get("Responses", []))
                throttled = {"Error": {"Code": "ThrottlingError", "Message": "not now"}}
                answer["Responses"] = [
                    next(done) if number % 2 else throttled
                    for number in range(len(call["Statements"]))
                ]
            case "BatchWriteItem":
                [(table, items)] = call["RequestItems"].items()
                refused, kept = _halves(items)
                answer = await self._rest(request, {"RequestItems": {table: kept}}) if kept else {}
                answer["UnprocessedItems"] = {table: refused}
            case _:  # is no batch
                return await self._passed_on(request, request.body)
        return _json(200, answer)

    async def _rest(self, request: Request, call: object) -> dict[str, Any]:
        response = await self._passed_on(request, json.dumps(call).encode())
        answer: dict[str, Any] = json.loads(response.body)
        return answer


def _halves(entries: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    """What is refused, and what is carried out."""
    return entries[::2], entries[1::2]


def _json(status: int, value: object) -> Response:
    body = json.dumps(value).encode()
    return Response(status, (("content-type", "application/x-amz-json-1.0"),), body)
