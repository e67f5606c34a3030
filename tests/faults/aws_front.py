"""What stands before the local AWS: it passes calls on, and fails those that it is told to."""

import json
import zlib
from dataclasses import dataclass
from typing import Any, Final

import httpx

from relay_sandbox.http1 import Connection, Request, Response

PARAMETER_STORE: Final = "AmazonSSM"
DYNAMODB: Final = "DynamoDB_20120810"
SENDING: Final = "AmazonSQS.SendMessageBatch"

_NOT_PASSED_ON: Final = {"host", "content-length", "connection", "transfer-encoding"}


@dataclass(frozen=True)
class AwsFault:
    """One way in which the calls of a service, or of one operation, fail.

    `how`: a code of AWS's, with its `status`; "reset" and "hang", before the call was carried out;
    "lost", when it was; "part", for SENDING: every other entry of it is refused. `share` 3: about
    every third call, chosen by what is in it, so that one that is repeated fails again.
    """

    of: str
    how: str
    status: int = 400
    share: int = 1

    def strikes(self, operation: str, body: bytes) -> bool:
        """Whether a call is one of those that fail."""
        return operation.startswith(self.of) and zlib.crc32(body) % self.share == 0


class AwsFront:
    """Speaks HTTP as AWS does. What it does not fail is done by the AWS at `url`."""

    def __init__(self, url: str) -> None:
        self.fault: AwsFault | None = None
        """What fails at present."""
        self.failed = 0
        """How many calls were failed, in whole or in part."""
        self._aws = httpx.AsyncClient(base_url=url, trust_env=False, timeout=60)

    async def aclose(self) -> None:
        """Closes the connections to AWS."""
        await self._aws.aclose()

    async def handle(self, request: Request, connection: Connection) -> Response | None:
        """Serves one call."""
        fault = self.fault
        if fault is None or not fault.strikes(request.header("x-amz-target") or "", request.body):
            return await self._passed_on(request, request.body)
        self.failed += 1
        match fault.how:
            case "reset":
                connection.abort()
            case "hang":
                await connection.gone()
            case "lost":
                await self._passed_on(request, request.body)
                connection.abort()
            case "part":
                return await self._in_part(request)
            case code:
                return _json(fault.status, {"__type": f"aws#{code}", "message": "not now"})
        return None

    async def _passed_on(self, request: Request, body: bytes) -> Response:
        headers = [(k, v) for k, v in request.headers if k not in _NOT_PASSED_ON]
        answer = await self._aws.request(
            request.method, request.target, content=body, headers=headers
        )
        kept = tuple((k, v) for k, v in answer.headers.items() if k not in _NOT_PASSED_ON)
        return Response(answer.status_code, kept, answer.content)

    async def _in_part(self, request: Request) -> Response:
        call = json.loads(request.body)
        refused, kept = call["Entries"][::2], call["Entries"][1::2]
        answer: dict[str, Any] = {"Successful": []}
        if kept:
            body = json.dumps({**call, "Entries": kept}).encode()
            answer |= json.loads((await self._passed_on(request, body)).body)
        answer["Failed"] = [
            {"Id": entry["Id"], "Code": "InternalError", "SenderFault": False} for entry in refused
        ]
        return _json(200, answer)


def _json(status: int, value: object) -> Response:
    body = json.dumps(value).encode()
    return Response(status, (("content-type", "application/x-amz-json-1.0"),), body)
