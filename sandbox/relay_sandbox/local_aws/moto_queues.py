"""Tells the sandbox what happens on moto's queues, as it happens.

One line of JSON for each message that is put on a queue (also by SQS itself, which moves what fails
too often to the dead-letter queue), that is deleted, and for each queue that is emptied. The lines
go into a pipe: bodies may hold personal data, and never reach a log.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from threading import Lock
from typing import Any

import flask
from moto.sqs.models import Message, Queue, SQSBackend

_CALLER = re.compile(r"Credential=function\.(\w+)/")

Tell = Callable[[dict[str, Any]], None]


def teller(descriptor: int) -> Tell:
    """Return what writes to the pipe: whole lines, one after the other."""
    lock = Lock()  # moto serves each request in its own thread

    def tell(fact: dict[str, Any]) -> None:
        data = memoryview(json.dumps(fact).encode() + b"\n")
        with lock:
            while data:
                data = data[os.write(descriptor, data) :]

    return tell


def patch_moto(tell: Tell) -> None:
    """Patch moto in this process: `tell` gets each fact as `{"what": "put" ...}`."""
    put, delete, purge = Queue.add_message, Queue.delete_message, SQSBackend.purge_queue

    def add_message(self: Queue, message: Message) -> None:
        # Told before it can be received: what follows from it is told after it.
        tell(
            {
                "what": "put",
                "queue": self.name,
                "id": message.id,
                "body": message.body,
                "sent": int(_sent_milliseconds(message)),
                "delay": _delay_seconds(message),
                "caller": _caller(),
            }
        )
        put(self, message)

    def delete_message(self: Queue, receipt_handle: str) -> None:
        gone = [one.id for one in self._messages if one.had_receipt_handle(receipt_handle)]
        delete(self, receipt_handle)
        for message_id in gone:
            tell({"what": "deleted", "queue": self.name, "id": message_id, "caller": _caller()})

    def purge_queue(self: SQSBackend, queue_name: str) -> None:
        gone = [one.id for one in self.get_queue(queue_name)._messages]  # noqa: SLF001
        purge(self, queue_name)
        for message_id in gone:
            tell({"what": "deleted", "queue": queue_name, "id": message_id, "caller": _caller()})

    Queue.add_message = add_message
    Queue.delete_message = delete_message
    SQSBackend.purge_queue = purge_queue


def _delay_seconds(message: Message) -> float:
    if not message.delayed_until:
        return 0.0
    milliseconds = float(message.delayed_until) - _sent_milliseconds(message)
    return max(0.0, milliseconds / 1000)


def _sent_milliseconds(message: Message) -> float:
    """As its `SentTimestamp` says: the time that the relay gives an event without one."""
    sent: Any = message.sent_timestamp
    return float(sent)


def _caller() -> str:
    """The function whose call this is ("accept"); "" for any other caller."""
    if not flask.has_request_context():
        return ""
    match = _CALLER.search(flask.request.headers.get("Authorization", ""))
    return match[1] if match else ""
