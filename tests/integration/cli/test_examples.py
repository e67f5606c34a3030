"""The examples of the help, as they stand, against a sandbox; in one process after the other."""

import asyncio
import hashlib
import hmac
import json
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

import pytest
import typer.main

from relay_cli.examples import EXAMPLES
from relay_cli.main import app
from relay_sandbox.sandbox import Sandbox
from tests.integration.cli import warm
from tests.integration.cli.conftest import ROOT, dead_letter, environment

pytestmark = [
    pytest.mark.xdist_group("sandbox"),
    pytest.mark.asyncio(loop_scope="session"),
]

SECRET = "whsec_of_a_test"
EVENT: Final = {
    "appsflyer_id": "1415211453000-6513894",
    "customer_user_id": "user-1001",
    "eventName": "af_login",
    "eventValue": {},
    "os": "14",
}
ENVELOPE: Final = {
    "app_id": "com.example.shop",
    "kind": "mobile_event",
    "event_id": "order-1001",
    "event": EVENT,
}
STORIES = ROOT / "tests/data/payment_stories/stripe"
WEBHOOK = ROOT / "tests/data/webhooks/stripe_invoice_paid_first.json"
INSTALLS = """AppsFlyer ID,Customer User ID,App ID,Install Time
1415211453000-6513894,user-1001,com.example.shop,2026-11-01 10:00:00
"""
PARSED_ONLY = {
    "relay send event.json --stack appsflyer-relay": "needs an AWS account",
    "relay sandbox --port 8700": "runs until it is stopped",
    "relay demo --once": "starts a sandbox: test_sandbox_and_demo.py",
    "relay doctor --stack appsflyer-relay": "needs an AWS account",
    "relay tail --stack appsflyer-relay": "needs an AWS account",
    "relay tail --json": "never ends: below",
}
ADD_PRODUCER = "relay setup producer add till --app com.example.shop"
BEFORE: Final = {
    "relay status order-1001": "relay send event.json --wait",
    "relay dlq resubmit letters.ndjson": "relay dlq export --to letters.ndjson",
    "relay identities get user-1001": "relay identities import installs.csv",
    "relay setup producer allow till --app id123456789": ADD_PRODUCER,
    "relay setup token rotate producer till": ADD_PRODUCER,
    "relay setup remove producer till --yes": ADD_PRODUCER,
}
CODES = {"relay doctor": (0, 1)}
"""Other exit codes than 0: what the doctor finds depends on what other tests have left."""
IN_FOLDER = {"relay dlq export --to letters.ndjson"}
"""What leaves a file, and no trace in the sandbox."""
LINES = list(dict.fromkeys(line for lines in EXAMPLES.values() for line in lines))


def make_folder(folder: Path, sandbox: Sandbox) -> Path:
    """What the examples speak of, in the current folder of whoever types them."""
    (folder / ".relay").mkdir()
    (folder / ".relay/ready.json").write_text(json.dumps(sandbox.ready))
    (folder / "event.json").write_text(json.dumps(ENVELOPE))
    (folder / "events.ndjson").write_text(json.dumps({**ENVELOPE, "id": "1"}) + "\n")
    (folder / "installs.csv").write_text(INSTALLS)
    shutil.copy(WEBHOOK, folder / "webhook.json")
    shutil.copy(STORIES / "stripe_trial_converted.json", folder / "story.json")
    moment, body = int(time.time()), WEBHOOK.read_bytes()
    signed = hmac.new(SECRET.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    (folder / "headers.txt").write_text(f"Stripe-Signature: t={moment},v1={signed}\n")
    return folder


@pytest.fixture(scope="module")
def done() -> set[str]:
    """What has been run in the sandbox, and need not be for another example."""
    return set()


async def put_letter(sandbox: Sandbox) -> None:
    """A dead letter with the id that the examples name."""
    body = dead_letter(1001, reason="credentials", outcome="held")
    url = sandbox.ready["mobile_dlq"]
    await sandbox.aws.call(sandbox.aws.sqs.send_message, QueueUrl=url, MessageBody=body)


@pytest.mark.parametrize("line", [line for line in LINES if line not in PARSED_ONLY])
async def test_example_of_the_help_works_as_it_stands(
    line: str,
    done: set[str],
    sandbox_for_faults: Sandbox,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = make_folder(tmp_path, sandbox_for_faults)
    if " dlq " in line:
        await put_letter(sandbox_for_faults)
    for one in {BEFORE.get(line, line)} - done - {line}:
        await run(one, folder, tmp_path_factory)
        done.add(one)

    ended = await run(line, folder, tmp_path_factory)

    assert ended.returncode in CODES.get(line, (0,)), (ended.stdout, ended.stderr)
    done.add(line)
    done -= IN_FOLDER
    if " remove " in line:
        done.discard(ADD_PRODUCER)


async def run(
    line: str, folder: Path, scratch: pytest.TempPathFactory
) -> subprocess.CompletedProcess[bytes]:
    return await asyncio.to_thread(
        warm.run,
        shlex.split(line)[1:],
        stdin=SECRET.encode() if "-stdin" in line else b"",
        cwd=folder,
        env=environment(RELAY_WEBHOOK_SECRET=SECRET, EDITOR="sed -i s/af_purchase/af_subscribe/"),
        scratch=scratch.mktemp("streams"),
    )


@pytest.mark.parametrize("line", PARSED_ONLY)
async def test_example_that_is_not_run_has_options_that_there_are(line: str) -> None:
    command, (_, *words) = typer.main.get_command(app), shlex.split(line)

    with command.make_context("relay", words, resilient_parsing=True) as context:
        name, found, rest = command.resolve_command(context, words)  # type: ignore[attr-defined]
        with found.make_context(name, rest, parent=context):
            pass

    assert line in LINES


async def test_tail_prints_lines_until_it_is_stopped(
    sandbox_for_faults: Sandbox, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = make_folder(tmp_path, sandbox_for_faults)
    await run("relay send event.json", folder, tmp_path_factory)
    process = await asyncio.create_subprocess_exec(
        warm.program(), "tail", "--json", cwd=folder, env=environment(), stdout=subprocess.PIPE
    )
    assert process.stdout

    line = await process.stdout.readline()
    process.terminate()
    await process.wait()

    assert isinstance(json.loads(line), dict)
