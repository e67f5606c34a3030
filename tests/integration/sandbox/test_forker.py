"""Processes that are forked: as those that are started, and no promise goes with the forker."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay_sandbox.lambda_runtime.execution import LIBRARIES
from relay_sandbox.local_aws.aws import environment
from relay_sandbox.processes.children import Child
from relay_sandbox.processes.forker import Forker, launching
from tests.integration.processes import descendants

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")


class Printed:
    """What processes have printed."""

    def __init__(self) -> None:
        self.text = ""

    def __call__(self, data: bytes) -> None:
        self.text += data.decode()


@pytest.fixture
def printed() -> Printed:
    return Printed()


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module that a process can be asked to run, `work`, and a library of its, `library`."""
    (tmp_path / "library.py").write_text("import os\nread = os.environ.get('READ_ONCE')\n")
    (tmp_path / "work.py").write_text(
        textwrap.dedent("""
            import library, os, sys, time
            print(*sys.argv[1:], library.read, os.environ.get("READ_ONCE"), os.getcwd(), flush=True)
            time.sleep(float(os.environ.get("SLEEP", "0")))
            sys.exit(3)
        """)
    )
    return tmp_path


@pytest.fixture
async def forker(module: Path, printed: Printed) -> AsyncIterator[Forker]:
    common = {"PYTHONPATH": str(module), "READ_ONCE": "common"}
    made = await Forker.start(["not_there", "library"], common, printed)
    yield made
    await made.stop()


async def test_process_finds_libraries_loaded_and_has_an_environment_of_its_own(
    forker: Forker, module: Path, printed: Printed
) -> None:
    child = await forker.fork(
        "work", "word", environment={"READ_ONCE": "own"}, folder=module, on_output=printed
    )
    assert await child.ended == 3
    child.drain_output()
    assert printed.text == f"work word common own {module}\n".removeprefix("work ")


async def test_functions_processes_find_their_libraries_and_the_models_of_aws_loaded(
    tmp_path: Path, printed: Printed
) -> None:
    (tmp_path / "look.py").write_text(
        textwrap.dedent("""
            import sys
            print([name for name in sys.argv[1:] if name not in sys.modules])
            import botocore.session
            session = botocore.session.get_session()
            session.get_component("data_loader").file_loader = None
            for service in ("dynamodb", "sqs", "ssm"):
                session.create_client(service)
            print("no file was read")
        """)
    )
    modules = [library for library in LIBRARIES if not library.endswith(".py")]
    async with launching(LIBRARIES, environment("http://127.0.0.1:9"), printed) as launch:
        child = await launch(
            *("look", *modules),
            environment=environment("http://127.0.0.1:9"),
            folder=tmp_path,
            on_output=printed,
        )
        await child.ended
        child.drain_output()

    assert printed.text == "[]\nno file was read\n"


async def test_processes_at_once_each_have_their_own_output_and_end(
    forker: Forker, module: Path
) -> None:
    outputs = [Printed() for _ in range(5)]
    begun = [
        forker.fork("work", str(n), environment={}, folder=module, on_output=output)
        for n, output in enumerate(outputs)
    ]
    ended = [await child.ended for child in await asyncio.gather(*begun)]
    await asyncio.sleep(0)  # the loop hands the output on
    assert ended == [3] * 5
    assert [output.text.split()[0] for output in outputs] == list("01234")


async def test_process_is_killed_as_soon_as_it_is_there(
    forker: Forker, module: Path, printed: Printed
) -> None:
    child = await forker.fork(
        "work", environment={"SLEEP": "600"}, folder=module, on_output=printed
    )
    await child.kill()
    assert child.ended.result() == -signal.SIGKILL


async def test_process_that_nobody_waits_for_any_more_is_killed(
    forker: Forker, module: Path, printed: Printed
) -> None:
    before = descendants(os.getpid())
    asked = asyncio.create_task(
        forker.fork("work", environment={"SLEEP": "600"}, folder=module, on_output=printed)
    )
    await asyncio.sleep(0)  # it is asked for
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    other = await forker.fork("work", environment={}, folder=module, on_output=printed)
    await other.ended
    while descendants(os.getpid()) - before:  # noqa: ASYNC110 - there is nothing to wait for
        await asyncio.sleep(0.01)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_forker_that_ends_takes_its_processes_along_and_later_ones_are_started(
    forker: Forker, module: Path, printed: Printed
) -> None:
    running = await forker.fork(
        "work", environment={"SLEEP": "600"}, folder=module, on_output=printed
    )
    os.kill(parent_of(running.pid), signal.SIGKILL)
    assert await running.ended == -signal.SIGKILL
    later = await forker.fork(
        "work", environment={"PYTHONPATH": str(module)}, folder=module, on_output=printed
    )
    assert await later.ended == 3


async def test_where_nothing_can_be_forked_processes_are_started(
    monkeypatch: pytest.MonkeyPatch, printed: Printed
) -> None:
    def refused(_: int) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "pidfd_open", refused)
    async with launching(["library"], {}, printed) as launch:
        assert launch == Child.start
