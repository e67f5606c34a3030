"""`make bench`: that it still runs, not how fast."""

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console
from typer import Typer
from typer.testing import CliRunner

from bench.__main__ import main, show
from bench.measuring import Figure, preparing
from bench.processes import Surroundings, run_beside
from relay.domain.kinds import Kind
from relay_sandbox.options import PROJECT

BENCH = [sys.executable, "-m", "bench", "--rounds", "1", "--seconds", "0.1"]
BESIDE = """
import json, os
print("not the last line")
seconds = float(os.environ["BENCH_SECONDS"])
print(json.dumps({"events": 500, "seconds": seconds, "cpu_seconds": 0.05}))
print(os.environ["RELAY_APPSFLYER_URL"].startswith("https://127.0.0.1"), file=open("told", "w"))
"""


def bench(*options: str, folder: Path = PROJECT) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*BENCH, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_bench_lets_others_stand_beside_the_handlers_and_tells_all_as_json(tmp_path: Path) -> None:
    """A round fails unless AppsFlyer took every event that the handler says it sent."""
    (tmp_path / "beside.py").write_text(BESIDE)
    command = f"{sys.executable} beside.py"

    done = bench(
        "--json", "--beside", f"one={command}", "--beside", f"two={command}", folder=tmp_path
    )

    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures.keys() == {"relay", "relay, money once", "naive", "one", "two"}
    assert figures["two"] == {"events_per_second": 5000, "cpu_us": 100}
    assert all(one.keys() == {"events_per_second", "cpu_us"} for one in figures.values())
    assert (tmp_path / "told").read_text() == "True\n"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("false", "ended with status 1"),
        ("true", "the last line of 'true' must be"),
        ("echo 5", "the last line of 'echo 5' must be"),
        ("/no/such/program", "cannot be started"),
        ("'", "cannot be started"),
    ],
)
def test_program_beside_that_is_of_no_use_is_named(command: str, says: str) -> None:
    around = SimpleNamespace(environment=dict(os.environ))

    with pytest.raises(RuntimeError, match=says):
        run_beside(command, cast("Surroundings", around), 0.1)


@pytest.mark.parametrize(
    ("beside", "says"), [("no command", "NAME=COMMAND"), ("relay=true", "a name of its own")]
)
def test_bench_wants_a_name_for_each_program_beside(beside: str, says: str) -> None:
    program = Typer()
    program.command()(main)

    done = CliRunner().invoke(program, ["--json", "--beside", beside], env={"COLUMNS": "200"})

    assert done.exit_code == 2
    assert says in done.stderr
    assert done.stdout == ""


def test_bench_shows_a_figure_for_each_handler_and_each_kind() -> None:
    """What is measured for the tables is what `--json` tells, in the test above."""
    figures = dict.fromkeys(("relay", "relay, money once", "naive", "one"), Figure(5000, 100))
    prepared = {kind: preparing(kind, rounds=1) for kind in Kind}

    output = StringIO()

    show(Console(file=output, width=80), figures, prepared, rounds=1)

    for row in (
        "every check on",
        "half the events",
        "no checks",
        "one",
        "mobile_event",
        "web_visit",
    ):
        assert row in output.getvalue()
