"""The command `relay`: its subcommands, their options and help.

Each group of commands has a folder. `command.py` holds the command-line interface of the group, the
modules beside it hold what it does. A command imports what it needs when it runs, so that `--help`
stays fast.
"""

import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from itertools import zip_longest
from typing import Annotated, Any, NoReturn

import typer

from relay_cli.check import command as check
from relay_cli.dlq import command as dlq
from relay_cli.doctor import command as doctor
from relay_cli.identities import command as identities
from relay_cli.local import command as local
from relay_cli.openapi import command as openapi
from relay_cli.payments import command as payments
from relay_cli.rules import command as rules
from relay_cli.send import command as send
from relay_cli.setup import command as setup
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.watch import command as watch

_HELP = "Delivers what your own servers know to AppsFlyer's server-to-server APIs."
_EXIT_CODES = (
    "Exit codes: 0 = all went as it should. 1 = something was rejected, not taken, or did not end "
    "as expected. 2 = nothing could be done: a file, an option or an address is of no use."
)
_OWN_PACKAGES = ("relay", "relay_cli", "relay_sandbox")


class _App(typer.Typer):
    """A Typer app that reports errors as sentences for people."""

    def __call__(self, args: Sequence[str] | None = None, **kwargs: Any) -> Any:
        arguments = with_seconds(sys.argv[1:] if args is None else args)
        try:
            return super().__call__(arguments, **kwargs)
        except CliError as error:
            _exit(str(error), error.code)
        except MemoryError:
            _exit("there is not enough memory for this")
        except OSError as error:
            _exit(f"this cannot be done: {error.strerror or type(error).__name__}")
        except Exception as error:  # noqa: BLE001 - the text of an exception may hold the content of a file
            _exit(
                f"this is a fault of relay's own, {type(error).__name__} at "
                f"{_error_location(error)}: please report it"
            )


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
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
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


_dead_letters = typer.Typer(
    help="The dead-letter queues: what could not be delivered, and why.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
)
_dead_letters.command("list", epilog=_EXIT_CODES)(dlq.list_dead_letters)
_dead_letters.command("show", epilog=_EXIT_CODES)(dlq.show)
_dead_letters.command("export", epilog=_EXIT_CODES)(dlq.export)
_dead_letters.command("redrive", epilog=_EXIT_CODES)(dlq.redrive)
_dead_letters.command("drop", epilog=_EXIT_CODES)(dlq.drop)

_identities = typer.Typer(
    help="Who customers are to AppsFlyer: customer user id to AppsFlyer id.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
)
_identities.command("import", epilog=_EXIT_CODES)(identities.import_)

_payments = typer.Typer(
    help="Webhooks of payment providers: try them, and see what they become.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
)
_payments.command("trigger", cls=payments.NamingProviders, epilog=_EXIT_CODES)(payments.trigger)
_payments.command("explain", cls=payments.NamingProviders, epilog=_EXIT_CODES)(payments.explain)
_payments.command("story", epilog=_EXIT_CODES)(payments.story)
_payments.command("verify", cls=payments.NamingProviders, epilog=_EXIT_CODES)(payments.verify)

_setup = typer.Typer(
    help="Set up apps, producers and payment sources, in a sandbox or a stack.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
)
_setup_apps = typer.Typer(help="Apps: settings and S2S token.", no_args_is_help=True)
_setup_apps.command("add", epilog=_EXIT_CODES)(setup.add_app)
_setup_producers = typer.Typer(help="Who may send events over HTTP.", no_args_is_help=True)
_setup_producers.command("add", epilog=_EXIT_CODES)(setup.add_producer)
_setup_producers.command("allow", epilog=_EXIT_CODES)(setup.allow)
_setup_sources = typer.Typer(help="Accounts at payment providers.", no_args_is_help=True)
_setup_sources.command("add", epilog=_EXIT_CODES)(setup.add_source)
_setup_tokens = typer.Typer(help="Tokens and secrets.", no_args_is_help=True)
_setup_tokens.command("rotate", epilog=_EXIT_CODES)(setup.rotate)
_setup.add_typer(_setup_apps, name="app")
_setup.add_typer(_setup_producers, name="producer")
_setup.add_typer(_setup_sources, name="source")
_setup.add_typer(_setup_tokens, name="token")
_setup.command("list", epilog=_EXIT_CODES)(setup.list_)
_setup.command("remove", epilog=_EXIT_CODES)(setup.remove)
_setup.command("schemas", epilog=_EXIT_CODES)(setup.schemas)

app.command("check", epilog=_EXIT_CODES)(check.check)
app.command("send", epilog=_EXIT_CODES)(send.send)
app.command("status", epilog=_EXIT_CODES)(watch.status)
app.command("tail", epilog=_EXIT_CODES)(watch.tail)
app.command("doctor", epilog=_EXIT_CODES)(doctor.doctor)
app.command("rule", epilog=_EXIT_CODES)(rules.rule)
app.add_typer(_setup, name="setup")
app.add_typer(_dead_letters, name="dlq")
app.add_typer(_payments, name="payments")
app.add_typer(_identities, name="identities")
app.command("forget", epilog=_EXIT_CODES)(identities.forget)
app.command("openapi", epilog=_EXIT_CODES)(openapi.openapi)
app.command("sandbox", epilog=_EXIT_CODES)(local.sandbox)
app.command("demo", epilog=_EXIT_CODES)(local.demo)
