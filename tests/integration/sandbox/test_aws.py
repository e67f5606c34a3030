"""The local AWS serves AWS's clients, and the user's real settings do not reach it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from relay_sandbox.errors import SandboxError
from relay_sandbox.local_aws import aws as aws_module
from relay_sandbox.local_aws.aws import LocalAws, environment

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("local AWS"),  # shared by all of them
]


async def test_local_aws_serves_the_aws_cli(aws: LocalAws) -> None:
    aws_cli = [sys.executable, "-m", "awscli", "--endpoint-url", aws.url]
    command = [*aws_cli, "sqs", "create-queue", "--queue-name", "by-cli"]

    done = await aws.call(
        subprocess.run, command, env=environment(aws.url), capture_output=True, check=True
    )

    assert f"{aws.url}/123456789012/by-cli".encode() in done.stdout


async def test_client_ignores_the_users_own_aws_settings(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "a-profile-that-does-not-exist")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://192.0.2.1")
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:3128")

    client = aws.client("sqs")
    made = await aws.call(client.create_queue, QueueName="whatever-the-settings")

    assert made["QueueUrl"].startswith(aws.url)


async def test_reset_forgets_everything(aws: LocalAws) -> None:
    queue = await aws.call(aws.sqs.create_queue, QueueName="forgotten")

    await aws.reset()

    with pytest.raises(ClientError, match="NonExistentQueue"):
        await aws.call(aws.sqs.get_queue_attributes, QueueUrl=queue["QueueUrl"])


async def test_local_aws_that_does_not_start_gives_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit('no port for you')\n")
    monkeypatch.setattr(aws_module, "_MODULE", "broken")

    with pytest.raises(SandboxError, match="no port for you"):
        async with LocalAws(tmp_path / "aws.log"):
            pass
