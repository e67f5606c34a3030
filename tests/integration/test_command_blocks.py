"""What the documents tell to type works as it is written, against the sandbox."""

import gzip
import json
import os
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from relay_sandbox.sandbox import Sandbox
from tests.integration import warm_aws
from tests.integration.cli import warm
from tests.support.command_blocks import PAGES, ROOT, blocks_of, script_of

pytestmark = pytest.mark.xdist_group("sandbox for the page")

STACK = "appsflyer-relay"
OUTPUTS = {
    "ApiUrl": "api",
    "MobileQueueUrl": "mobile_queue",
    "WebQueueUrl": "web_queue",
    "PaymentsQueueUrl": "payments_queue",
    "MobileDeadLetterQueueUrl": "mobile_dlq",
    "WebDeadLetterQueueUrl": "web_dlq",
    "PaymentsDeadLetterQueueUrl": "payments_dlq",
    "IdentitiesTableName": "identities_table",
    "DeliveriesTableName": "deliveries_table",
    "PaymentTrailTableName": "trail_table",
}
INSTALLS = b"""Install Time,App ID,Customer User ID,AppsFlyer ID
2026-10-26 08:00:00,id123456789,user-84213,1698765432100-1234567
"""
_LETTER = {
    "app_id": "com.example.shop",
    "kind": "mobile_event",
    "event": {"eventName": "af_login", "appsflyer_id": "1415211453000-6513894", "os": "14"},
    "first_seen": "2026-11-22T10:00:00.000Z",
    "dead_since": "2026-11-22T10:00:00.000Z",
}
_FINDING = {"rule": "M1", "severity": "reject", "field": "appsflyer_id", "message": "none"}
LETTERS = [
    {
        **_LETTER,
        "event_id": "order-1001",
        "outcome": "rejected",
        "reason": "rejected",
        "findings": [_FINDING],
    },
    {
        **_LETTER,
        "event_id": "order-1002",
        "outcome": "held",
        "reason": "hold_limit: account_blocked",
    },
]
"""What the commands on dead letters speak of."""


def test_every_block_says_what_it_is() -> None:
    faults = [
        f"{block.page}:{block.line}: {fault}"
        for page in PAGES
        for block in blocks_of(page)
        if (fault := block.fault)
    ]

    assert faults == []


@pytest_asyncio.fixture(loop_scope="session")
async def stack(sandbox_for_page: Sandbox) -> AsyncIterator[Sandbox]:
    """The sandbox as a stack of that name, so that `--stack` finds it."""
    ready = sandbox_for_page.ready
    template = {
        "Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}},
        "Outputs": {
            name: {"Value": str(ready[key])} for name, key in OUTPUTS.items() if key in ready
        },
    }
    formation = sandbox_for_page.aws.client("cloudformation")
    await sandbox_for_page.aws.call(
        formation.create_stack, StackName=STACK, TemplateBody=json.dumps(template)
    )
    yield sandbox_for_page
    await sandbox_for_page.aws.call(formation.delete_stack, StackName=STACK)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    "page", [page for page in PAGES if script_of(page)], ids=lambda page: str(page.name)
)
async def test_commands_of_a_page_work_as_they_are_written(
    stack: Sandbox, page: Path, tmp_path: Path
) -> None:
    for name in (".venv", "events", "tests", "docs", "deploy", "template.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "bin").mkdir()
    if re.search(r"\baws ", script_of(page)):
        (tmp_path / "bin" / "aws").symlink_to(warm_aws.program())
    if page.name != "README.md":  # what is read first starts as it does for its readers
        (tmp_path / "bin" / "relay").symlink_to(warm.program())
    (tmp_path / ".relay").mkdir()
    (tmp_path / ".relay" / "ready.json").write_text(json.dumps(stack.ready), "utf-8")
    (tmp_path / "installs.csv.gz").write_bytes(gzip.compress(INSTALLS))
    if page.name == "operations.md":
        for letter in LETTERS:
            await stack.aws.call(
                stack.aws.sqs.send_message,
                QueueUrl=stack.ready["mobile_dlq"],
                MessageBody=json.dumps(letter),
            )

    process = await stack.aws.call(
        subprocess.run,
        ["bash", "-c", script_of(page)],
        cwd=tmp_path,
        env=_environment(stack, tmp_path / "bin"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert process.returncode == 0, (
        f"{page.name}\n{process.stdout[-3000:]}\n{process.stderr[-3000:]}"
    )


def _environment(sandbox: Sandbox, programs: Path) -> dict[str, str]:
    """A person's: the programs on the path, the AWS that is meant, and the addresses named so."""
    ready = sandbox.ready
    return {
        "PATH": os.pathsep.join([str(programs), str(ROOT / ".venv" / "bin"), os.environ["PATH"]]),
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C.UTF-8",
        "AWS_ENDPOINT_URL": ready["aws"],
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_PAGER": "",
        "EDITOR": "sed -i s/af_login/af_purchase/",
        "API_URL": ready["api"],
        "STAND_IN": ready["stand_in"],
    }
