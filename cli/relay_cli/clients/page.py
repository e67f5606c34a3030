"""The page's server of a running sandbox: what became of events."""

import json
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, NamedTuple

from relay_cli.clients.http import call
from relay_cli.clients.targets import DEFAULT_READY_FILE, read_ready_file, ready_text
from relay_cli.terminal.errors import CliError

Row = dict[str, Any]

_LONGEST_CALL: Final = 30.0
_SILENCE_SECONDS: Final = 40
"""The stream says something at least every 15 seconds."""
_AGAIN_SECONDS: Final = 0.5


class Message(NamedTuple):
    """A message of the stream."""

    event: str
    data: Any


class Page:
    """The page's server at a base URL."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    @classmethod
    def of_sandbox(cls, ready_file: Path | None) -> "Page":
        """That of a running sandbox; raises `CliError`."""
        path = ready_file or DEFAULT_READY_FILE
        return cls(ready_text(read_ready_file(path), "page", path))

    def find(self, **asked: object) -> list[Row | None]:
        """The events of an `event_id`, of `message_ids` or of a `request_id`."""
        found: list[Row | None] = self._post("find", asked)["traces"]
        return found

    def ended(self, keys: Sequence[str], seconds: float) -> tuple[list[Row], list[Row]]:
        """Those that have ended, once one has or the time is over; and those that have not."""
        answer = self._post("ended", {"keys": keys, "seconds": min(seconds, _LONGEST_CALL)})
        return answer["ended"], answer["open"]

    def stream(self) -> Iterator[Message]:
        """What changes, without end, nothing left out after a break. Raises `CliError`."""
        last_id, was_up = "", False
        while True:
            try:
                for message_id, message in self._messages(last_id):
                    last_id, was_up = message_id or last_id, True
                    yield message
            except (OSError, HTTPException, ValueError) as error:
                if not was_up:
                    raise CliError(f"{self.url} gave no answer: is the sandbox up?") from error
            was_up = False
            time.sleep(_AGAIN_SECONDS)

    def _messages(self, last_id: str) -> Iterator[tuple[str, Message]]:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        request = urllib.request.Request(f"{self.url}/api/stream", headers=headers)  # noqa: S310
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_SILENCE_SECONDS) as response:
            fields: dict[str, str] = {}
            for line in response:
                text = line.decode().rstrip("\n")
                if text:
                    name, _, value = text.partition(": ")
                    fields[name] = value
                elif "data" in fields:
                    data = json.loads(fields["data"])
                    yield fields.get("id", ""), Message(fields.get("event", ""), data)
                    fields = {}

    def _post(self, name: str, asked: Mapping[str, object]) -> dict[str, Any]:
        response = call(
            "POST",
            f"{self.url}/api/{name}",
            {"Content-Type": "application/json"},
            json.dumps(asked).encode(),
        )
        content = response.json()
        if response.status != 200:  # noqa: PLR2004 - OK
            raise CliError(f"{self.url} says: {content.get('error', response.status)}")
        return content
