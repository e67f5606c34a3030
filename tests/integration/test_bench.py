"""`make bench`: that it still runs, not how fast."""

import json
import os
import runpy
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from bench.__main__ import show
from bench.measuring import Figure, preparing
from bench.processes import Surroundings, run_beside
from relay.domain.kinds import Kind

Bench = Callable[..., tuple[object, str, str]]
BESIDE = """
import json, os
print("not the last line")
seconds = float(os.environ["BENCH_SECONDS"])
print(json.dumps({"events": 500, "seconds": seconds, "cpu_seconds": 0.05}))
print(os.environ["RELAY_APPSFLYER_URL"].startswith("https://127.0.0.1"), file=open("told", "w"))
"""


@pytest.fixture
def bench(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Bench:
    """`python -m bench`, in a folder of its own: its exit status, output and standard error."""

    def run(*options: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["bench", *options])
        monkeypatch.delitem(sys.modules, "bench.__main__", raising=False)
        with pytest.raises(SystemExit) as end:
            runpy.run_module("bench", run_name="__main__")
        return (end.value.code, *capsys.readouterr())

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return run


def test_bench_lets_others_stand_beside_the_handlers_and_tells_all_as_json(
    bench: Bench, tmp_path: Path
) -> None:
    """A round fails unless AppsFlyer took every event that the handler says it sent."""
    (tmp_path / "beside.py").write_text(BESIDE)
    command = f"{sys.executable} beside.py"

    beside = ["--beside", f"one={command}", "--beside", f"two={command}"]
    code, output, problem = bench("--rounds", "1", "--seconds", "0.1", "--json", *beside)

    assert code == 0, problem
    figures = json.loads(output)
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
def test_bench_wants_a_name_for_each_program_beside(bench: Bench, beside: str, says: str) -> None:
    code, output, problem = bench("--json", "--beside", beside)

    assert (code, output) == (2, "")
    assert says in problem


def test_bench_shows_a_figure_for_each_handler_and_each_kind() -> None:
    """What is measured for the tables is what `--json` tells, in the test above."""
    figures = dict.fromkeys(("relay", "relay, money once", "naive", "one"), Figure(5000, 100))
    prepared = {kind: preparing(kind, rounds=1, count=100) for kind in Kind}

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
