"""`relay dlq list | show | redrive`: what could not be delivered, and another try."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.prompt import Confirm
from rich.text import Text

from relay.instants import utc_now
from relay_cli.aws import explained
from relay_cli.dead_letters import NOT_AN_ENVELOPE, Choice, DeadLetter, Groups
from relay_cli.dlq_views import groups_table, letter_blocks, tally_blocks
from relay_cli.errors import CliError, ExitCode
from relay_cli.mailbox import MOST_LETTERS, Mailbox
from relay_cli.redrive import Mover, Tally, stopped_by_signals
from relay_cli.screen import output, remarks, show
from relay_cli.targets import QUEUES, Targets, Where, find_targets

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """A dead-letter queue, and how people call it."""

    name: str
    url: str
    source: str | None
    """The queue that its events came from; None to be asked of SQS."""
    sqs: "SQSClient"

    def mailbox(self) -> Mailbox:
        """To look through it."""
        return Mailbox(self.sqs, self.url)

    def source_url(self) -> str:
        """The queue that its events go back to; raises `CliError`."""
        if self.source:
            return self.source
        with explained("SQS"):
            urls = self.sqs.list_dead_letter_source_queues(QueueUrl=self.url)["queueUrls"]
        if len(urls) != 1:
            raise CliError(
                f"{len(urls)} queues have this dead-letter queue: say with --to URL which of them "
                "its events go back to"
            )
        return urls[0]


def find_queues(
    surface: str | None, url: str | None, to: str | None, where: Where
) -> list[DeadLetterQueue]:
    """The dead-letter queues that are meant; raises `CliError`."""
    targets = find_targets(where, {"any": url})
    if url:
        return [DeadLetterQueue("queue", url, to, targets.sqs(url))]
    return [_of_surface(targets, one) for one in ((surface,) if surface else QUEUES)]


def _of_surface(targets: Targets, surface: str) -> DeadLetterQueue:
    url = targets.url(f"{surface}_dlq")
    source = targets.urls.get(f"{surface}_queue") or None
    return DeadLetterQueue(surface, url, source, targets.sqs(url))


def list_letters(queues: list[DeadLetterQueue]) -> ExitCode:
    """Shows what there is, by reason and app; raises `CliError`."""
    console = output()
    for queue in queues:
        now = utc_now()
        groups = Groups(now)
        with queue.mailbox() as mailbox, _progress(queue.name, mailbox.size()) as advance:
            for letters in mailbox.batches():
                for letter in letters:
                    groups.add(letter)
                advance(len(letters))
        found = groups.largest_first()
        if not found:
            console.print(Text(f"{queue.name}: no dead letters", "good"))
            continue
        console.print(groups_table(queue.name, found, now))
        if mailbox.full:
            console.print(Text(f"There may be more than these {MOST_LETTERS:,}.", "warn"))
    return ExitCode.OK


def show_letter(queues: list[DeadLetterQueue], id_: str) -> ExitCode:
    """Shows all letters with a message id or event id; raises `CliError`."""
    console, found = output(), 0
    for queue in queues:
        for letter in _find(queue, Choice(id=id_)):
            found += 1
            show(console, letter_blocks(letter, utc_now()))
    if not found:
        raise CliError("no dead letter has this id", code=ExitCode.UNDONE)
    return ExitCode.OK


def _find(queue: DeadLetterQueue, choice: Choice) -> list[DeadLetter]:
    with queue.mailbox() as mailbox:
        return [letter for batch in mailbox.batches() for letter in batch if choice.takes(letter)]


def redrive_letters(
    queues: list[DeadLetterQueue], choice: Choice, rate: float | None, *, sure: bool
) -> ExitCode:
    """Sends events back to the queues that they came from; raises `CliError`."""
    if choice.reason == NOT_AN_ENVELOPE:
        raise CliError(
            "letters of reason not_an_envelope cannot be redriven: only the size and digest of "
            "such a body are kept, so there is no event to send. Its producer must send it again."
        )
    if not sure and choice.is_all and output().is_terminal and not _confirmed(queues):
        return ExitCode.UNDONE
    done = ExitCode.OK
    stop = Event()
    with stopped_by_signals(stop):
        for queue in queues:
            tally = _redriven(queue, choice, rate, stop)
            show(output(), tally_blocks(tally, queue.name))
            if tally.failed or tally.twice or tally.interrupted:
                done = ExitCode.UNDONE
            if stop.is_set():
                break
    return done


def _redriven(queue: DeadLetterQueue, choice: Choice, rate: float | None, stop: Event) -> Tally:
    mailbox = queue.mailbox()
    mover = Mover(mailbox, queue.sqs, queue.source_url(), choice, utc_now(), rate, stop)
    with _progress(queue.name, mailbox.size()) as advance:
        return mover.run(advance)


def _confirmed(queues: list[DeadLetterQueue]) -> bool:
    number = sum(queue.mailbox().size() for queue in queues)
    return Confirm.ask(f"Send all of about {number} dead letters back?", console=remarks())


@contextmanager
def _progress(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; nothing elsewhere."""
    console = remarks()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, disable=not console.is_terminal, transient=True
    ) as bar:
        task = bar.add_task(name, total=total)
        yield lambda number: bar.advance(task, number)
