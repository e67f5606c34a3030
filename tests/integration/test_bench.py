"""`make bench`: that it still runs, not how fast."""

import subprocess
import sys

from relay_sandbox.options import PROJECT


def test_bench_shows_a_figure_for_each_handler_and_each_kind() -> None:
    """A round fails unless AppsFlyer took every event that the handler says it sent."""
    command = [sys.executable, "-m", "bench", "--rounds", "1", "--seconds", "0.1"]

    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    for row in ("every check on", "half the events", "no checks", "mobile_event", "web_visit"):
        assert row in done.stdout
