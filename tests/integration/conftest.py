"""What several integration tests need, and what is worth making once.

A sandbox takes seconds to come up. The tests of one xdist group share it.
"""

import json
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from relay_sandbox.lambda_runtime import execution
from relay_sandbox.lambda_runtime.execution import function_environment
from relay_sandbox.sandbox import Sandbox, SandboxOptions
from tests.integration.emulator import Build, build
from tests.integration.processes import alive, descendants

AWS_SECRET = "planted-aws-secret"
AWS_SESSION = "planted-aws-session"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The functions and the layer, as `sam build` makes them for this machine (about 6 s)."""
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def sandbox_for_payments(sandbox_for_page: Sandbox) -> Sandbox:
    """The one for the page, without faults; group "sandbox for the page"."""
    sandbox_for_page.stand_in.faults.clear()
    return sandbox_for_page


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _running_for_faults(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    options = SandboxOptions(
        work_dir=tmp_path_factory.mktemp("relay"),
        retry_schedule="0.1,0.1,0.1",
        visibility_seconds=5,
        parameters={"ReadTimeoutSeconds": "1", "LogLevel": "DEBUG"},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execution, "function_environment", _everything_is_logged)
        before = descendants(os.getpid())
        async with Sandbox(options) as running:
            own = descendants(os.getpid()) - before
            yield running
            started = own.union(*map(descendants, own))
    assert len(started) >= 4 or sys.platform != "linux", "the local AWS and some functions"
    assert not alive(started), "a sandbox that is stopped leaves no process behind"


def _everything_is_logged(*given: Any) -> dict[str, str]:
    """Lambda's own settings at their most talkative, and credentials that can be searched for."""
    return {
        **function_environment(*given),
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
        "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
        "AWS_SESSION_TOKEN": AWS_SESSION,
        "POWERTOOLS_DEBUG": "true",
        "POWERTOOLS_DEV": "true",
    }


@pytest_asyncio.fixture(loop_scope="session")
async def sandbox_for_faults(_running_for_faults: Sandbox) -> Sandbox:
    """A sandbox that gives up soon, without faults, records and dead letters; group "sandbox"."""
    running = _running_for_faults
    await running.settled(10)  # what the test before has on its way would be recorded in this one
    running.stand_in.ledger.clear()
    running.stand_in.faults.clear()
    for queue in ("mobile_dlq", "web_dlq", "payments_dlq"):
        while await taken_off(running, queue):
            pass
    return running


async def left_on(sandbox: Sandbox, queue: str) -> list[str]:
    """The bodies of ten messages at most of a queue, where they stay."""
    answer = await sandbox.aws.call(
        sandbox.aws.sqs.receive_message,
        QueueUrl=sandbox.ready[queue],
        MaxNumberOfMessages=10,
        VisibilityTimeout=0,
    )
    return [message["Body"] for message in answer.get("Messages", [])]


async def taken_off(sandbox: Sandbox, queue: str) -> list[Any]:
    """Takes what is on a dead-letter queue off it, ten messages at most."""
    answer = await sandbox.aws.call(
        sandbox.aws.sqs.receive_message, QueueUrl=sandbox.ready[queue], MaxNumberOfMessages=10
    )
    for message in answer.get("Messages", []):
        await sandbox.aws.call(
            sandbox.aws.sqs.delete_message,
            QueueUrl=sandbox.ready[queue],
            ReceiptHandle=message["ReceiptHandle"],
        )
    return [json.loads(message["Body"]) for message in answer.get("Messages", [])]
