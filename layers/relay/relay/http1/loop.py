"""The event loop of a function: a name is asked for once at a time, whoever waits for it.

asyncio asks the system's resolver in threads of its executor, one for each new connection. Where a
name server is silent such a thread hangs far longer than any time-out of ours, and requests in
flight would take up every thread there is: then nothing else gets one, not even the call that puts
waiting events back on their queue.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

_THREADS: Final = 16
"""One for each name, one for each kind of call to AWS, and some to spare."""


class FunctionLoop(asyncio.SelectorEventLoop):
    """An event loop in which concurrent requests for the same address share one answer."""

    def __init__(self) -> None:
        super().__init__()
        self.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="loop"))
        self._asked: dict[tuple[Any, ...], asyncio.Future[Any]] = {}

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """As asyncio's. Who stops waiting does not stop the answer for the others."""
        question = (host, port, *sorted(options.items()))
        answer = self._asked.get(question)
        if answer is None:
            answer = self.create_task(super().getaddrinfo(host, port, **options))
            self._asked[question] = answer
            answer.add_done_callback(lambda done: self._answered(question, done))
        return await asyncio.shield(answer)

    def _answered(self, question: tuple[Any, ...], answer: "asyncio.Future[Any]") -> None:
        del self._asked[question]
        if not answer.cancelled():
            answer.exception()  # perhaps nobody waits any more
