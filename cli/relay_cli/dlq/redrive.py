"""Our own mover: from a dead-letter queue back to where its events came from.

SQS's own (StartMessageMoveTask) takes all or nothing, leaves the marks of a dead letter on the
message, and knows no letter that was put there by us.

Each step is safe to be stopped after, and to be done twice: a letter is deleted only when its
event is on the queue again, and the event keeps its id, so a second copy can be told from a second
event.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Final

from relay.aws.sqs import Message
from relay_cli.clients.aws import put
from relay_cli.dlq.dead_letter import DeadLetter, renewed
from relay_cli.dlq.filter import Choice
from relay_cli.dlq.reader import Mailbox

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_A_CALL: Final = 10
_CLOCKS_APART: Final = timedelta(seconds=2)
"""How far SQS's clock may be from ours; a letter younger than that is the next run's."""

Progress = Callable[[int], None]
"""Told how many more letters have been looked at."""


@dataclass(slots=True)
class Tally:
    """What became of the letters of one run."""

    sent: int = 0
    missed: int = 0
    """Of those sent, how many had missed their deadline."""
    left: int = 0
    """Not meant by the choice."""
    no_event: int = 0
    """Without an event that could be sent again."""
    newer: int = 0
    """Came in while we were at it: an event may well fail again at once."""
    twice: int = 0
    """Sent, but not deleted: they are on both queues."""
    problems: dict[str, int] = field(default_factory=dict)
    """How many SQS did not take, by what it said."""
    interrupted: bool = False
    full: bool = False
    """Whether there may be more letters than one run can look at."""

    @property
    def failed(self) -> int:
        """How many letters were meant, and are still where they were."""
        return sum(self.problems.values())


@dataclass(slots=True)
class Mover:
    """Moves what `choice` takes from a mailbox to the queue at `target`.

    `rate` is the most letters a second; None is as fast as it goes. `stop` ends the run between
    two calls. `now` is when the run began.
    """

    mailbox: Mailbox
    sqs: "SQSClient"
    target: str
    choice: Choice
    now: datetime
    rate: float | None = None
    stop: Event = field(default_factory=Event)
    _moved: set[tuple[str, str]] = field(default_factory=set, init=False)
    """App and event id of what was sent: an event that fails again at once comes back so."""

    def run(self, progress: Progress) -> Tally:
        """Moves until there is nothing left to move; raises `CliError`."""
        tally, began = Tally(), time.monotonic()
        with self.mailbox:
            for letters in self.mailbox.batches(self._a_call()):
                self._move(letters, tally)
                progress(len(letters))
                if self.stop.wait(self._pause(tally, began)):
                    tally.interrupted = True
                    break
        tally.full = self.mailbox.full
        return tally

    def _move(self, letters: Sequence[DeadLetter], tally: Tally) -> None:
        meant = [letter for letter in letters if self._is_meant(letter, tally)]
        moving = [(letter, body) for letter in meant if (body := renewed(letter)) is not None]
        tally.no_event += len(meant) - len(moving)
        messages = [Message(body, letter.app_id) for letter, body in moving]
        failed = put(self.sqs, self.target, messages) if messages else {}
        for problem in failed.values():
            tally.problems[problem] = tally.problems.get(problem, 0) + 1
        sent = [letter for position, (letter, _) in enumerate(moving) if position not in failed]
        tally.sent += len(sent)
        self._moved |= {(letter.app_id, letter.event_id) for letter in sent}
        tally.missed += sum(letter.has_missed(self.now) for letter in sent)
        if sent:
            tally.twice += len(self.mailbox.delete(sent))
        if len(failed) == len(moving) and failed:
            self.stop.set()  # the queue takes nothing: the others need not be tried

    def _is_meant(self, letter: DeadLetter, tally: Tally) -> bool:
        if self._came_in_meanwhile(letter):
            tally.newer += 1
            return False
        if not self.choice.takes(letter):
            tally.left += 1
            return False
        return True

    def _came_in_meanwhile(self, letter: DeadLetter) -> bool:
        if letter.sent_at > self.now + _CLOCKS_APART:
            return True
        # In the seconds in which the clocks do not tell, its id does.
        is_moved = (letter.app_id, letter.event_id) in self._moved
        return is_moved and letter.sent_at > self.now - _CLOCKS_APART

    def _a_call(self) -> int:
        return _A_CALL if self.rate is None else max(1, min(_A_CALL, int(self.rate)))

    def _pause(self, tally: Tally, began: float) -> float:
        """Seconds by which the run is ahead of its rate."""
        if self.rate is None:
            return 0.0
        return max(0.0, tally.sent / self.rate - (time.monotonic() - began))
