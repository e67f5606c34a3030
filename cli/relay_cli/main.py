"""The command `relay`: its subcommands, their options and help.

Each group of commands has a folder. `command.py` holds the command-line interface of the group, the
modules beside it hold what it does. A command imports what it needs when it runs, so that `--help`
stays fast.
"""

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import metadata
from itertools import zip_longest
from typing import Annotated, Any, NoReturn

import typer

from relay_cli.capacity import command as capacity
from relay_cli.check import command as check
from relay_cli.dlq import command as dlq
from relay_cli.dlq import correct_command as correct
from relay_cli.doctor import command as doctor
from relay_cli.help import Command, Group
from relay_cli.identities import command as identities
from relay_cli.local import command as local
from relay_cli.openapi import command as openapi
from relay_cli.payments import command as payments
from relay_cli.rules import command as rules
from relay_cli.send import command as send
from relay_cli.setup import command as setup
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.terminal.pipes import reader_may_leave, write_nowhere
from relay_cli.watch import command as watch

_HELP = "Delivers what your own servers know to AppsFlyer's server-to-server APIs."
_OWN_PACKAGES = ("relay", "relay_cli", "relay_sandbox")


class _App(typer.Typer):
    """A Typer app that reports errors as sentences for people."""

    def __call__(self, args: Sequence[str] | None = None, **kwargs: Any) -> Any:
        arguments = with_seconds(sys.argv[1:] if args is None else args)
        try:
            with _ends_with_its_reader():
                return super().__call__(arguments, **kwargs)
        except CliError as error:
            _exit(str(error), error.code)
        except MemoryError:
            _exit("there is not enough memory for this")
        except ModuleNotFoundError as error:
            _exit(
                f"this needs the package {error.name}: in a checkout of the project, `make dev` "
                "sets it up"
            )
        except OSError as error:
            _exit(f"this cannot be done: {error.strerror or type(error).__name__}")
        except Exception as error:  # noqa: BLE001 - the text of an exception may hold the content of a file
            _exit(
                f"this is a fault of relay's own, {type(error).__name__} at "
                f"{_error_location(error)}: please report it"
            )


@contextmanager
def _ends_with_its_reader() -> Iterator[None]:
    """Exit code 0 where who reads the output stops early; Click would make it 1."""
    try:
        yield
    except SystemExit as ending:
        if isinstance(ending.__context__, BrokenPipeError):
            write_nowhere()
            sys.exit(ExitCode.OK)
        raise
    finally:
        with reader_may_leave():
            if sys.stdout is not None:
                sys.stdout.flush()


def with_seconds(arguments: Sequence[str]) -> list[str]:
    """The arguments, with a number after `--wait` where there is none: Typer wants one there."""
    found: list[str] = []
    for argument, following in zip_longest(arguments, arguments[1:], fillvalue=""):
        found.append(argument)
        if argument == "--wait" and not _is_number(following):
            found.append(send.DEFAULT_SECONDS)
    return found


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal() and text.isascii()


def _exit(message: str, code: ExitCode = ExitCode.INVALID_INPUT) -> NoReturn:
    with suppress(OSError):
        print(f"relay: {message}", file=sys.stderr)  # noqa: T201 - loading Rich would take 0.1 s
    sys.exit(code)


def _error_location(error: BaseException) -> str:
    """The innermost frame in the relay's own code."""
    frames = [
        (frame.f_globals.get("__name__", ""), number)
        for frame, number in traceback.walk_tb(error.__traceback__)
    ]
    own_frames = [
        f"{name}:{number}" for name, number in frames if name.partition(".")[0] in _OWN_PACKAGES
    ]
    return own_frames[-1]  # never empty: this module is always among them


app = _App(
    name="relay",
    help=_HELP,
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,  # errors in plain words, and our own help
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _print_version(requested: bool) -> None:  # noqa: FBT001 - Typer passes it by position
    if requested:
        typer.echo(f"relay {metadata.version('appsflyer-relay')}")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """The options of `relay` itself."""


def _command(
    group: typer.Typer, name: str, function: Callable[..., None], cls: type[Command] = Command
) -> None:
    """Adds a command, with our help."""
    group.command(name, cls=cls)(function)


_dead_letters = typer.Typer(
    help="The dead-letter queues: what could not be delivered, and why.",
    cls=Group,
    no_args_is_help=True,
)
_command(_dead_letters, "list", dlq.list_dead_letters)
_command(_dead_letters, "show", dlq.show)
_command(_dead_letters, "edit", correct.edit)
_command(_dead_letters, "export", dlq.export)
_command(_dead_letters, "resubmit", correct.resubmit)
_command(_dead_letters, "redrive", dlq.redrive)
_command(_dead_letters, "drop", dlq.drop)

_identities = typer.Typer(
    help="Who customers are to AppsFlyer: customer user id to AppsFlyer id.",
    cls=Group,
    no_args_is_help=True,
)
_command(_identities, "get", identities.get)
_command(_identities, "import", identities.import_)

_payments = typer.Typer(
    help="Webhooks of payment providers: try them, and see what they become.",
    cls=Group,
    no_args_is_help=True,
)
_command(_payments, "trigger", payments.trigger, cls=payments.NamingProviders)
_command(_payments, "explain", payments.explain, cls=payments.NamingProviders)
_command(_payments, "story", payments.story)
_command(_payments, "verify", payments.verify, cls=payments.NamingProviders)

_setup = typer.Typer(
    help="Set up apps, producers and payment sources, in a sandbox or a stack.",
    cls=Group,
    no_args_is_help=True,
)
_setup_apps = typer.Typer(help="Apps: settings and S2S token.", cls=Group, no_args_is_help=True)
_command(_setup_apps, "add", setup.add_app)
_setup_producers = typer.Typer(
    help="Who may send events over HTTP.", cls=Group, no_args_is_help=True
)
_command(_setup_producers, "add", setup.add_producer)
_command(_setup_producers, "allow", setup.allow)
_setup_sources = typer.Typer(help="Accounts at payment providers.", cls=Group, no_args_is_help=True)
_command(_setup_sources, "add", setup.add_source)
_setup_tokens = typer.Typer(help="Tokens and secrets.", cls=Group, no_args_is_help=True)
_command(_setup_tokens, "rotate", setup.rotate)
_setup.add_typer(_setup_apps, name="app")
_setup.add_typer(_setup_producers, name="producer")
_setup.add_typer(_setup_sources, name="source")
_setup.add_typer(_setup_tokens, name="token")
_command(_setup, "list", setup.list_)
_command(_setup, "remove", setup.remove)
_command(_setup, "schemas", setup.schemas)

_command(app, "check", check.check)
_command(app, "send", send.send)
_command(app, "status", watch.status)
_command(app, "tail", watch.tail)
_command(app, "doctor", doctor.doctor)
_command(app, "rule", rules.rule)
app.add_typer(_setup, name="setup")
app.add_typer(_dead_letters, name="dlq")
app.add_typer(_payments, name="payments")
app.add_typer(_identities, name="identities")
_command(app, "forget", identities.forget)
_command(app, "capacity", capacity.capacity)
_command(app, "openapi", openapi.openapi)
_command(app, "sandbox", local.sandbox)
_command(app, "demo", local.demo)
