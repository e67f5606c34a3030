"""Finds the dead letters that a filter selects, without taking any of them away."""

from collections.abc import Sequence
from threading import Event

from relay_cli.dlq.dead_letter import DeadLetter
from relay_cli.dlq.filter import Filter
from relay_cli.dlq.queues import DeadLetterQueue, scan
from relay_cli.terminal.signals import stop_on_signals

Found = tuple[DeadLetterQueue, DeadLetter]
"""A dead letter, and the queue on which it is."""


def find_letters(queues: Sequence[DeadLetterQueue], filter_: Filter) -> list[Found]:
    """All that match; raises `CliError`."""
    found, stop = list[Found](), Event()
    with stop_on_signals(stop):
        for queue in queues:
            with scan(queue, queue.reader(), stop) as letters:
                found += [(queue, letter) for letter in letters if filter_.matches(letter)]
    return found
