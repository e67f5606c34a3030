"""`relay payments story`: plays a file, and shows what AppsFlyer would hear of."""

from pathlib import Path

from relay import telemetry
from relay.exact_json import dumps
from relay_cli.payments.player import Played, play
from relay_cli.payments.story import read_story
from relay_cli.payments.story_view import story_blocks
from relay_cli.terminal.console import show, stdout_console
from relay_cli.terminal.errors import ExitCode


def play_file(path: Path, *, as_json: bool) -> ExitCode:
    """Plays a story and shows it as a table, or as one line of JSON; raises `CliError`."""
    story = read_story(path)
    telemetry.silence()
    played = play(story)
    if as_json:
        stdout_console().out(as_line(played))
    else:
        show(stdout_console(), story_blocks(story, played))
    return ExitCode.OK


def as_line(played: Played) -> str:
    """`{"events": [[name, revenue, currency], ...], "dead": [[type, reason], ...]}`."""
    events = [[event.name, event.revenue, event.currency] for event in played.events]
    dead = [[letter.type, letter.reason] for letter in played.dead]
    return dumps({"events": events, "dead": dead}).decode()
