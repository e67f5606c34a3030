"""`relay forget`: erases a customer from all that the relay stores."""

from relay.errors import TableUnavailableError
from relay.stores.identities import Identities
from relay.stores.money_trail import Trail
from relay_cli.clients.tables import Tables
from relay_cli.clients.targets import Location
from relay_cli.dlq.dead_letter import DeadLetter
from relay_cli.dlq.queues import DeadLetterQueue, find_queues
from relay_cli.input.ndjson import encode
from relay_cli.terminal.console import confirm, stdout_console, write_line
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.terminal.progress import bar

_ANY_DAYS = 1
"""A retention; nothing is stored here."""


def erase_customer(
    customer_user_id: str, location: Location, *, assume_yes: bool, as_json: bool = False
) -> ExitCode:
    """Erases a customer and reports what was erased; raises `CliError`."""
    if not customer_user_id.strip():
        raise CliError("which customer is meant? An empty id is nobody's")
    tables = Tables(location)
    queues = find_queues(None, None, None, location)
    question = f"Erase this customer from {tables.origin} for good?"
    if not assume_yes and not confirm(question):
        return ExitCode.FAILED
    try:
        identities = Identities(tables.table("identities_table")).forget(customer_user_id)
        trail = Trail(tables.table("trail_table"), _ANY_DAYS).forget(customer_user_id)
    except TableUnavailableError as error:
        raise CliError(f"a table does not answer ({error}): run the same command again") from error
    dead_letters = sum(_erase_dead_letters(queue, customer_user_id) for queue in queues)
    if as_json:
        counts = {"identities": identities, "trail": trail, "dead_letters": dead_letters}
        write_line(encode(counts))
        return ExitCode.OK
    console = stdout_console()
    console.print(
        f"{identities} identities, {trail} items of the money trail and {dead_letters} dead "
        "letters erased."
    )
    console.print(
        "Not reached from here: an event that waits in a queue (7 days at most), and what "
        "AppsFlyer has.",
        style="quiet",
    )
    return ExitCode.OK


def _erase_dead_letters(queue: DeadLetterQueue, customer_user_id: str) -> int:
    erased = 0
    with queue.reader() as reader, bar(queue.name, reader.size()) as advance:
        for batch in reader.batches():
            advance(len(batch))
            matching = [
                dead_letter for dead_letter in batch if _mentions(dead_letter, customer_user_id)
            ]
            if matching:
                remaining = reader.delete(matching)
                erased += len(matching) - len(remaining)
                if remaining:
                    raise CliError(f"SQS did not delete {len(remaining)} letters: run it again")
    return erased


def _mentions(dead_letter: DeadLetter, customer_user_id: str) -> bool:
    """Whether a dead letter names the customer anywhere."""
    content = dead_letter.notice.content if dead_letter.notice else None
    event = dead_letter.envelope.event if dead_letter.envelope else None
    return _contains(content, customer_user_id) or _contains(event, customer_user_id)


def _contains(content: object, customer_user_id: str) -> bool:
    if isinstance(content, dict):
        return any(_contains(value, customer_user_id) for value in content.values())
    if isinstance(content, list):
        return any(_contains(value, customer_user_id) for value in content)
    return not isinstance(content, bool) and str(content) == customer_user_id
