"""What stands around the functions: AppsFlyer and AWS, over TLS, both answering at once.

A program of its own, so that it has a core of its own. It writes one line of JSON with its
addresses, and stops when its standard input closes.
"""

import asyncio
import hashlib
import json
import os
import ssl
import sys
from typing import Any, ClassVar, Final, cast

import trustme

from bench.events import APP_ID, WEB_APP_ID

S2S_KEY: Final = "bench-s2s-key"
PRODUCER_TOKEN: Final = "bench-producer-token"  # noqa: S105 - it opens nothing
LATENCY_VARIABLE: Final = "BENCH_LATENCY_MS"
"""How long AppsFlyer takes to answer; none unless it is set."""

_PARAMETERS: Final = {
    f"apps/mobile/{APP_ID}": '{"time_zone": "UTC", "phone_region": "US"}',
    f"apps/web/{WEB_APP_ID}": '{"time_zone": "America/New_York", "phone_region": "US"}',
    f"tokens/mobile/{APP_ID}": S2S_KEY,
    f"tokens/web/{WEB_APP_ID}": S2S_KEY,
    "producers": json.dumps(
        [
            {
                "name": "bench",
                "token_sha256": [hashlib.sha256(PRODUCER_TOKEN.encode()).hexdigest()],
                "apps": [APP_ID],
            }
        ]
    ),
}


class Responder(asyncio.Protocol):
    """Just enough HTTP/1.1 to take requests with a Content-Length, and to answer each."""

    latency_seconds: ClassVar[float] = 0.0

    def __init__(self) -> None:
        self._received = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport to answer on."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answers every request that is complete."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            _, _, rest = head.partition(b"\r\ncontent-length:")
            length = int(rest.partition(b"\r\n")[0] or 0)
            if len(self._received) < end + 4 + length:
                return
            body = self._received[end + 4 : end + 4 + length]
            self._received = self._received[end + 4 + length :]
            answer = self.answer(head, body)
            if self.latency_seconds:
                asyncio.get_running_loop().call_later(
                    self.latency_seconds, self._transport.write, answer
                )
            else:
                self._transport.write(answer)

    def answer(self, head: bytes, body: bytes) -> bytes:
        """The answer, head and all."""
        raise NotImplementedError


class AppsFlyer(Responder):
    """Takes every event that carries the right key, and counts those."""

    latency_seconds = float(os.environ.get(LATENCY_VARIABLE, "0")) / 1000
    taken: ClassVar[int] = 0
    received_bytes: ClassVar[int] = 0

    def answer(self, head: bytes, body: bytes) -> bytes:
        """E10 or E13."""
        if b"\r\nauthentication: " + S2S_KEY.encode() not in head or not body:
            return b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
        AppsFlyer.taken += 1
        AppsFlyer.received_bytes += len(head) + 4 + len(body)
        return (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nServer: bench\r\n"
            b"Date: Sun, 01 Mar 2026 12:00:00 GMT\r\nContent-Length: 2\r\n\r\nOK"
        )


class Aws(Responder):
    """GetParameters, a table and a queue that take all; a GET tells what was counted."""

    written: ClassVar[int] = 0

    def answer(self, head: bytes, body: bytes) -> bytes:
        """As AWS answers, in JSON."""
        if head.startswith(b"get "):
            return _json(
                {
                    "taken": AppsFlyer.taken,
                    "written": Aws.written,
                    "received_bytes": AppsFlyer.received_bytes,
                }
            )
        if b".sendmessagebatch" in head:
            entries = [{"Id": one["Id"], "MessageId": "m"} for one in json.loads(body)["Entries"]]
            return _json({"Successful": entries, "Failed": []})
        if b".putitem" in head:
            Aws.written += 1
            return _json({})
        if b".batchexecutestatement" in head:
            claims = body.count(b'"Statement"')
            Aws.written += claims
            return _json({"Responses": [{"TableName": "deliveries"}] * claims})
        if b".batchwriteitem" in head:
            Aws.written += body.count(b'"PutRequest"')
            return _json({"UnprocessedItems": {}})
        names = json.loads(body)["Names"]
        found = [
            {"Name": name, "Type": "String", "Value": value}
            for name in names
            for key, value in _PARAMETERS.items()
            if name.endswith("/" + key)
        ]
        return _json({"Parameters": found, "InvalidParameters": []})


def _json(content: dict[str, Any]) -> bytes:
    body = json.dumps(content).encode()
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: %d\r\n\r\n"
    )
    return (head % len(body)).encode() + body


async def _serve(authority_file: str) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(authority_file)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    loop = asyncio.get_running_loop()
    appsflyer = await loop.create_server(AppsFlyer, "127.0.0.1", 0, ssl=tls)
    aws = await loop.create_server(Aws, "127.0.0.1", 0, ssl=tls)
    addresses = {
        "appsflyer": f"https://127.0.0.1:{appsflyer.sockets[0].getsockname()[1]}",
        "aws": f"https://127.0.0.1:{aws.sockets[0].getsockname()[1]}",
    }
    print(json.dumps(addresses), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
