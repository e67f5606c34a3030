"""Batches what many tasks ask of a table into few calls, and repeats what it is too busy for."""

import asyncio
from asyncio import Future, Task
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Generic, NamedTuple, TypeVar

from relay.aws.busy import repeat_while_busy
from relay.aws.table import Key
from relay.errors import TableUnavailableError

CALLS_AT_ONCE: Final = 2

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
Call = Callable[[Mapping[Key, Asked]], Awaitable[Mapping[Key, Answer | TableUnavailableError]]]
"""Asks the table about keys; each has an answer of its own, or an error."""


class _Waiting(NamedTuple, Generic[Asked, Answer]):
    key: Key
    asked: Asked
    answer: "Future[Answer]"


class Batcher(Generic[Asked, Answer]):
    """Batches questions about single keys for `call`, at most `keys_a_call` at a time.

    While calls are under way, further questions queue up, so batches grow with the load. No call
    contains a key twice. A batcher belongs to the event loop that first uses it.
    """

    def __init__(self, call: "Call[Asked, Answer]", keys_a_call: int) -> None:
        self._call = call
        self._keys_a_call = keys_a_call
        self._waiting: list[_Waiting[Asked, Answer]] = []
        self._calling = 0
        self._callers: set[Task[None]] = set()  # the event loop itself holds tasks only weakly

    async def ask(self, key: Key, asked: Asked) -> Answer:
        """The answer about a key. Raises `TableUnavailableError`.

        Repeated while DynamoDB is busy, in a later call: the others of its call do not wait for it.
        """
        return await repeat_while_busy(lambda: self._ask_once(key, asked))

    async def _ask_once(self, key: Key, asked: Asked) -> Answer:
        answer: Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(key, asked, answer))
        if self._calling < CALLS_AT_ONCE:
            self._calling += 1
            caller = asyncio.create_task(self._call_for_all())
            self._callers.add(caller)
            caller.add_done_callback(self._callers.discard)
        return await answer

    async def _call_for_all(self) -> None:
        try:
            await asyncio.sleep(0)  # include the questions of tasks that are ready to run now
            while self._waiting:
                await self._call_for(self._take())
        finally:
            # Decrement before yielding, so that the next question starts a new caller.
            self._calling -= 1

    def _take(self) -> "dict[Key, _Waiting[Asked, Answer]]":
        """Takes the first that fit into a call; a second one of a key waits for the next."""
        chunk: dict[Key, _Waiting[Asked, Answer]] = {}
        remaining = []
        for one in self._waiting:
            if one.key in chunk or len(chunk) == self._keys_a_call:
                remaining.append(one)
            else:
                chunk[one.key] = one
        self._waiting = remaining
        return chunk

    async def _call_for(self, chunk: "Mapping[Key, _Waiting[Asked, Answer]]") -> None:
        try:
            answers = await self._call({key: one.asked for key, one in chunk.items()})
        except Exception as error:  # noqa: BLE001 - every waiting task gets it, whatever it is
            for one in chunk.values():
                _end(one.answer, error)
        else:
            for key, one in chunk.items():
                _end(one.answer, answers[key])


def _end(waiting: "Future[Answer]", answer: Answer | Exception) -> None:
    """Gives a task its answer, unless it was cancelled meanwhile."""
    if waiting.done():
        return
    if isinstance(answer, Exception):
        waiting.set_exception(answer)
    else:
        waiting.set_result(answer)
