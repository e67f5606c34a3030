"""Functions run in their own processes, under Lambda's runtime client and under our own.

The forked ones as on Linux, and those that are started as everywhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from relay_sandbox.deployment.stack import FunctionSettings
from relay_sandbox.errors import PayloadTooLargeError, SandboxError
from relay_sandbox.lambda_runtime import execution
from relay_sandbox.lambda_runtime.execution import FunctionLog
from relay_sandbox.lambda_runtime.function import Function
from relay_sandbox.processes.children import Child
from relay_sandbox.processes.forker import Launch, launching

Deploy = Callable[..., AbstractAsyncContextManager[Function]]


@contextlib.asynccontextmanager
async def afresh(*_: object) -> AsyncIterator[Launch]:
    yield Child.start


WAYS = [pytest.param(("relay_sandbox.lambda_runtime.fallback_runtime", afresh), id="ours, started")]
if importlib.util.find_spec("awslambdaric"):
    WAYS.append(pytest.param(("awslambdaric", launching), id="AWS's, forked"))


@pytest.fixture(params=WAYS)
def deploy(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Deploy:
    """Return what deploys a function with this code, in each of the ways that the sandbox has."""
    runtime, ready_to_launch = request.param
    monkeypatch.setattr(execution, "runtime_module", lambda: runtime)

    @contextlib.asynccontextmanager
    async def deployed(
        code: str, *, timeout_seconds: float = 20, limit: int = 1, **variables: str
    ) -> AsyncIterator[Function]:
        (tmp_path / "app.py").write_text(textwrap.dedent(code))
        (tmp_path / "layer").mkdir(exist_ok=True)
        (tmp_path / "layer" / "in_the_layer.py").write_text("WORD = 'shared'\n")
        settings = FunctionSettings(
            key="worker",
            name="relay-Worker-1",
            arn="arn:aws:lambda:us-east-1:123456789012:function:relay-Worker-1",
            handler="app.lambda_handler",
            runtime="python3.13",
            timeout_seconds=timeout_seconds,
            memory_mb=512,
            folder=tmp_path,
            layers=(tmp_path / "layer",),
            environment=variables,
        )
        log = FunctionLog(tmp_path / "worker.log")
        async with ready_to_launch((), {}, log.write) as launch:
            function = Function(settings, log, "http://127.0.0.1:9", limit, launch=launch)
            try:
                yield function
            finally:
                await function.stop()

    return deployed


def process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def result(function: Function, event: object) -> Any:
    invocation = await function.invoke(event)
    assert invocation.error is None
    return invocation.result


async def test_invoke_gives_the_handlers_result(deploy: Deploy) -> None:
    code = """
        def lambda_handler(event, context):
            return {"doubled": event["n"] * 2, "text": event["text"]}
    """
    async with deploy(code) as function:
        assert await result(function, {"n": 21, "text": "äöü"}) == {"doubled": 42, "text": "äöü"}


async def test_context_is_lambdas(deploy: Deploy) -> None:
    code = """
        def lambda_handler(event, context):
            return [context.aws_request_id, context.invoked_function_arn, context.function_name,
                    context.memory_limit_in_mb, context.get_remaining_time_in_millis()]
    """
    async with deploy(code, timeout_seconds=7) as function:
        invocation = await function.invoke({})

    assert isinstance(invocation.result, list)
    request_id, arn, name, memory, remaining = invocation.result
    assert request_id == invocation.request_id
    assert arn == function.settings.arn
    assert (name, memory) == ("relay-Worker-1", "512")
    assert 0 < remaining <= 7000


async def test_process_has_lambdas_environment_and_nothing_of_ours(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_USER", "secret")
    monkeypatch.setenv("AWS_PROFILE", "production")
    code = """
        import os
        import in_the_layer
        def lambda_handler(event, context):
            return {**os.environ, "cwd": os.getcwd(), "word": in_the_layer.WORD}
    """
    async with deploy(code, RELAY_SETTING="7") as function:
        seen = await result(function, {})

    assert seen.keys().isdisjoint({"OF_THE_USER", "AWS_PROFILE", "VIRTUAL_ENV"})
    assert seen["RELAY_SETTING"] == "7"
    assert seen["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "relay-Worker-1"
    assert seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
    assert seen["AWS_REGION"] == seen["AWS_DEFAULT_REGION"] == "us-east-1"
    assert seen["LAMBDA_TASK_ROOT"] == seen["cwd"] == str(function.settings.folder)
    assert (seen["_HANDLER"], seen["TZ"]) == ("app.lambda_handler", ":UTC")
    assert seen["word"] == "shared"


async def test_handler_that_raises_gives_an_error_with_its_traceback(
    deploy: Deploy,
) -> None:
    code = """
        def lambda_handler(event, context):
            return event["missing"]
    """
    async with deploy(code) as function:
        invocation = await function.invoke({})

    assert invocation.error is not None
    assert (invocation.error.type, invocation.error.message) == ("KeyError", "'missing'")
    assert 'event["missing"]' in "".join(invocation.error.stack_trace)


async def test_process_is_kept_for_the_next_invocation_also_after_an_error(
    deploy: Deploy,
) -> None:
    code = """
        import os
        def lambda_handler(event, context):
            return {"pid": os.getpid()}[event]
    """
    async with deploy(code) as function:
        first = await result(function, "pid")
        await function.invoke("unknown")
        assert await result(function, "pid") == first


async def test_crash_is_an_error_and_the_next_invocation_has_a_new_process(
    deploy: Deploy,
) -> None:
    code = """
        import os
        def lambda_handler(event, context):
            if event == "crash":
                os._exit(3)
            return os.getpid()
    """
    async with deploy(code) as function:
        before = await result(function, "pid")
        crashed = await function.invoke("crash")
        after = await result(function, "pid")

    assert crashed.error is not None
    assert crashed.error.type == "Runtime.ExitError"
    assert "exit status 3" in crashed.error.message
    assert after != before


async def test_function_past_its_time_is_killed_and_reported_in_lambdas_words(
    deploy: Deploy, tmp_path: Path
) -> None:
    code = """
        import os, pathlib, time
        def lambda_handler(event, context):
            pathlib.Path("pid").write_text(str(os.getpid()))
            time.sleep(600)
    """
    async with deploy(code, timeout_seconds=0.3) as function:
        invocation = await function.invoke({})

    assert invocation.error is not None
    assert invocation.error.type == "Sandbox.Timedout"
    assert invocation.error.message.endswith("Error: Task timed out after 0.30 seconds")
    assert not process_exists(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import a_module_that_is_not_there", "No module named 'a_module_that_is_not_there'"),
        ("def lambda_handler(:", "app.py"),
        ("x = {}['missing-key']", "missing-key"),
        ("import os; os._exit(4)", "exit status 4"),
        ("pass", "lambda_handler"),
    ],
)
async def test_function_that_cannot_be_loaded_gives_the_reason(
    deploy: Deploy, code: str, message: str
) -> None:
    async with deploy(code) as function:
        with pytest.raises(SandboxError, match=message):
            await function.warm_up()
        invocation = await function.invoke({})

    assert invocation.error is not None


async def test_invocations_at_the_same_time_have_a_process_each_up_to_the_limit(
    deploy: Deploy, tmp_path: Path
) -> None:
    code = """
        import os, pathlib, time
        def lambda_handler(event, context):
            pathlib.Path(f"here-{os.getpid()}").touch()
            while len(list(pathlib.Path(".").glob("here-*"))) < 2:
                time.sleep(0.01)
            return os.getpid()
    """
    async with deploy(code, limit=2) as function:
        pids = await asyncio.gather(*(result(function, n) for n in range(5)))

    assert len(set(pids)) == 2


async def test_log_of_an_invocation_is_what_it_printed_and_goes_to_the_file(
    deploy: Deploy, tmp_path: Path
) -> None:
    code = """
        import logging
        def lambda_handler(event, context):
            print("printed", event)
            logging.warning("logged %s", event)
    """
    async with deploy(code) as function:
        one = await function.invoke("first")
        two = await function.invoke("second")

    assert "printed first" in one.log
    assert "logged first" in one.log
    assert "first" not in two.log
    assert "printed second" in (tmp_path / "worker.log").read_text()


async def test_event_over_6_mb_is_refused(deploy: Deploy) -> None:
    async with deploy("def lambda_handler(event, context): ...") as function:
        with pytest.raises(PayloadTooLargeError):
            await function.invoke("x" * 6 * 1024 * 1024)


async def test_result_of_nearly_6_mb_comes_back_whole(deploy: Deploy) -> None:
    async with deploy("def lambda_handler(event, context): return event * 5_000_000") as function:
        assert await result(function, "x") == "x" * 5_000_000


async def test_stop_ends_all_processes(deploy: Deploy) -> None:
    code = """
        import os
        def lambda_handler(event, context):
            return os.getpid()
    """
    async with deploy(code) as function:
        pid = await result(function, {})
        assert process_exists(pid)

    assert not process_exists(pid)
