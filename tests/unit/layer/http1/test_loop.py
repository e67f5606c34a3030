"""Names that do not resolve keep nobody waiting who needs none of them."""

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from threading import Event
from typing import Any

import pytest

from relay.http1.loop import FunctionLoop

SILENT = "silent.example.com"
ADDRESS = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 443))]


class Names:
    """The system's resolver. Questions about `SILENT` hang until `released`."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.hanging = Event()
        self.released = Event()
        self.problem: OSError | None = None

    def getaddrinfo(self, host: str, *_: Any, **__: Any) -> list[Any]:
        self.asked[host] += 1
        if host == SILENT:
            self.hanging.set()
            self.released.wait()
            if self.problem:
                raise self.problem
        return ADDRESS


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    yield names
    names.released.set()


def run(story: Callable[[], Awaitable[Any]]) -> Any:
    async def whole() -> Any:
        return await story()

    with asyncio.Runner(loop_factory=FunctionLoop) as runner:
        return runner.run(whole())


def ask(host: str) -> "asyncio.Task[Any]":
    loop = asyncio.get_running_loop()
    return loop.create_task(loop.getaddrinfo(host, 443, type=socket.SOCK_STREAM))


async def settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_requests_for_one_address_share_a_question(names: Names) -> None:
    async def story() -> list[Any]:
        tasks = [ask(SILENT) for _ in range(100)]
        await settled()
        names.released.set()
        return await asyncio.gather(*tasks)

    assert run(story) == [ADDRESS] * 100
    assert names.asked[SILENT] == 1


def test_name_that_hangs_takes_no_thread_from_others(names: Names) -> None:
    """A hundred requests wait for it: another name resolves, and a blocking call is made."""

    async def story() -> tuple[Any, int]:
        tasks = [ask(SILENT) for _ in range(100)]
        await asyncio.to_thread(names.hanging.wait)
        found = await ask("other.example.com"), await asyncio.to_thread(lambda: 5)
        names.released.set()
        await asyncio.gather(*tasks)
        return found

    assert run(story) == (ADDRESS, 5)


def test_request_that_stops_waiting_leaves_the_answer_to_the_others(names: Names) -> None:
    async def story() -> Any:
        impatient, patient = ask(SILENT), ask(SILENT)
        await settled()
        impatient.cancel()
        names.released.set()
        return await patient

    assert run(story) == ADDRESS


def test_name_is_asked_for_again_once_it_is_answered(names: Names) -> None:
    async def story() -> None:
        await ask("other.example.com")
        await ask("other.example.com")

    run(story)

    assert names.asked["other.example.com"] == 2


@pytest.mark.parametrize("waits", [True, False])
def test_name_without_an_address_fails_for_who_waits_and_is_no_complaint(
    names: Names, caplog: pytest.LogCaptureFixture, *, waits: bool
) -> None:
    names.problem = socket.gaierror("temporary failure")

    async def story() -> None:
        task = ask(SILENT)
        await settled()
        if not waits:
            task.cancel()
        names.released.set()
        with pytest.raises(OSError if waits else asyncio.CancelledError):
            await task
        await asyncio.to_thread(lambda: None)

    run(story)

    assert caplog.text == ""


def test_loop_that_ends_while_a_name_hangs_is_no_complaint(
    names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        ask(SILENT)
        await asyncio.to_thread(names.hanging.wait)
        asyncio.get_running_loop().call_soon(names.released.set)

    run(story)

    assert caplog.text == ""
