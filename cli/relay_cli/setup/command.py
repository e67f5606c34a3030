"""The command-line interface of `relay setup`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relay_cli.terminal.errors import CliError

if TYPE_CHECKING:
    from relay_cli.setup.app import AppToAdd
    from relay_cli.setup.run import Setup

_PUSH_SENDERS = "push_senders"


class SurfaceName(StrEnum):
    """AppsFlyer's two APIs, as option values; the same as in relay.domain.kinds.Surface."""

    MOBILE = "mobile"
    WEB = "web"


class Thing(StrEnum):
    """What can be removed, and what has a token."""

    APP = "app"
    PRODUCER = "producer"
    PUSH_SENDER = "push-sender"
    SOURCE = "source"


ReadyFile = Annotated[
    Path | None,
    typer.Option(
        help="A running sandbox. Without this and --stack: .relay/ready.json.", show_default=False
    ),
]
Stack = Annotated[str | None, typer.Option(help="A CloudFormation stack.", show_default=False)]
Surface = Annotated[
    SurfaceName | None, typer.Option(help="Which of AppsFlyer's APIs.", show_default=False)
]
Apps = Annotated[
    list[str] | None,
    typer.Option("--app", help="An app id; again for more. `*`: every app.", show_default=False),
]
TokenStdin = Annotated[
    bool, typer.Option("--token-stdin", help="Read the S2S token from standard input.")
]
SecretStdin = Annotated[
    bool, typer.Option("--secret-stdin", help="Read the secret from standard input.")
]
Json = Annotated[bool, typer.Option("--json", help="The result as one JSON object.")]
Advanced = Annotated[
    bool,
    typer.Option("--advanced", help="Allow parameters of 4 to 8 KB, which AWS bills."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without a question.")]
Name = Annotated[str | None, typer.Argument(help="A name of your choice.", show_default=False)]


def add_app(
    app_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="The app's id at AppsFlyer.")
    ] = None,
    *,
    surface: Surface = None,
    time_zone: Annotated[
        str | None,
        typer.Option(help="The app's time zone at AppsFlyer. Default: UTC.", show_default=False),
    ] = None,
    phone_region: Annotated[
        str | None,
        typer.Option(
            help="Two letters: the region of phone numbers without a country code.",
            show_default=False,
        ),
    ] = None,
    token_stdin: TokenStdin = False,
    ready_file: ReadyFile = None,
    stack: Stack = None,
) -> None:
    """Set up an app: its settings, and its S2S token.

    What an app has beside these stays as it is. In a sandbox its AppsFlyer
    knows the app and the token too.
    """
    from relay_cli.setup import asking

    setup = _setup(ready_file, stack)
    app = _app(app_id, surface, time_zone, phone_region)
    tokens = asking.secret("the S2S token", "--token-stdin", from_stdin=token_stdin)
    raise typer.Exit(setup.add_app(app, tokens))


def add_producer(
    name: Name = None,
    *,
    app: Apps = None,
    push: Annotated[
        bool, typer.Option("--push", help="A sender of installs: AppsFlyer's Push API.")
    ] = False,
    json: Json = False,
    advanced: Advanced = False,
    ready_file: ReadyFile = None,
    stack: Stack = None,
) -> None:
    """Let a producer send events, and print its token: once, for nobody keeps it.

    With --json: `{"token", "endpoint"}`.
    """
    from relay_cli.setup import asking

    setup = _setup(ready_file, stack, advanced=advanced)
    wanted = asking.needed(name, "The producer's name", "NAME")
    apps = app or [asking.needed(None, "The id of the app", "--app")]
    add = setup.add_push_sender if push else setup.add_producer
    raise typer.Exit(add(wanted, apps, as_json=json))


def allow(
    name: Annotated[str, typer.Argument(help="The producer's name.")],
    *,
    app: Apps = None,
    advanced: Advanced = False,
    ready_file: ReadyFile = None,
    stack: Stack = None,
) -> None:
    """Let a producer send for more apps."""
    if not app:
        raise CliError("give at least one --app")
    raise typer.Exit(_setup(ready_file, stack, advanced=advanced).allow(name, app))


def add_source(
    name: Name = None,
    *,
    provider: Annotated[
        str | None,
        typer.Option(help="The payment provider, as in `relay payments`.", show_default=False),
    ] = None,
    app: Apps = None,
    secret_stdin: SecretStdin = False,
    json: Json = False,
    advanced: Advanced = False,
    ready_file: ReadyFile = None,
    stack: Stack = None,
) -> None:
    """Add an account at a payment provider, and print where its webhooks go.

    With --json: `{"endpoint"}`.
    """
    from relay.payments.providers.registry import PROVIDERS
    from relay_cli.setup import asking

    setup = _setup(ready_file, stack, advanced=advanced)
    wanted = asking.needed(name, "The source's name", "NAME")
    kind = asking.needed(provider, "The provider", "--provider", list(PROVIDERS))
    apps = app or [asking.needed(None, "The id of the app", "--app")]
    secret = asking.secret(
        "the secret that signs its webhooks", "--secret-stdin", from_stdin=secret_stdin
    )
    raise typer.Exit(setup.add_source(wanted, kind, apps, secret, as_json=json))


def rotate(  # noqa: PLR0913 - keyword-only
    what: Annotated[Thing, typer.Argument(help="Whose token or secret.")],
    name: Annotated[str, typer.Argument(help="The app's id, or the name.")],
    *,
    surface: Surface = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="Drop the old ones: only the newest stays.")
    ] = False,
    token_stdin: TokenStdin = False,
    secret_stdin: SecretStdin = False,
    json: Json = False,
    ready_file: ReadyFile = None,
    stack: Stack = None,
) -> None:
    """Take a new token or secret; the old one works on until --finish.

    A producer's is made and printed once; an app's and a source's are read
    from standard input.
    """
    from relay_cli.setup import asking

    setup = _setup(ready_file, stack)
    if what in {Thing.PRODUCER, Thing.PUSH_SENDER}:
        parameter = _parameter(what)
        raise typer.Exit(setup.rotate_sender(parameter, name, finish=finish, as_json=json))
    new = None
    piped = token_stdin or secret_stdin
    if what is Thing.APP:
        app = _app(name, surface)
        if not finish:
            new = asking.secret("the new S2S token", "--token-stdin", from_stdin=piped)
        raise typer.Exit(setup.rotate_app(app, new))
    if not finish:
        new = asking.secret("the new secret", "--secret-stdin", from_stdin=piped)
    raise typer.Exit(setup.rotate_source(name, new))


def list_(*, json: Json = False, ready_file: ReadyFile = None, stack: Stack = None) -> None:
    """Show what is set up, and what is wrong with it; no token and no secret."""
    raise typer.Exit(_setup(ready_file, stack).show(as_json=json))


def remove(
    what: Annotated[Thing, typer.Argument(help="What to take out.")],
    name: Annotated[str, typer.Argument(help="The app's id, or the name.")],
    *,
    surface: Surface = None,
    yes: Yes = False,
    ready_file: ReadyFile = None,
    stack: Stack = None,
) -> None:
    """Take an app, a producer or a source out, with its tokens."""
    from relay_cli.setup import asking

    setup = _setup(ready_file, stack)
    app = _app(name, surface) if what is Thing.APP else None
    asking.agreed(f"Take the {what} {name} out, with its tokens?", yes=yes)
    if app is not None:
        raise typer.Exit(setup.remove_app(app))
    if what is Thing.SOURCE:
        raise typer.Exit(setup.remove_source(name))
    raise typer.Exit(setup.remove_sender(_parameter(what), name))


def schemas(
    folder: Annotated[Path, typer.Argument(help="Where to write them.", metavar="FOLDER")],
) -> None:
    """Write the JSON Schemas of the parameters, for Terraform and the like."""
    from relay_cli.setup.schemas import write

    write(folder)


def _setup(ready_file: Path | None, stack: str | None, *, advanced: bool = False) -> "Setup":
    from relay import telemetry
    from relay_cli.clients.installation import find_installation
    from relay_cli.clients.targets import Location
    from relay_cli.setup.run import Setup

    telemetry.silence()
    return Setup(find_installation(Location(ready_file, stack)), advanced=advanced)


def _app(
    app_id: str | None,
    surface: SurfaceName | None,
    time_zone: str | None = None,
    phone_region: str | None = None,
) -> "AppToAdd":
    from relay.domain import kinds
    from relay_cli.setup import asking
    from relay_cli.setup.app import AppToAdd

    wanted = asking.needed(app_id, "The app's id at AppsFlyer", "ID")
    kind = asking.needed(surface, "The surface", "--surface mobile or web", [*kinds.Surface])
    return AppToAdd(wanted, kinds.Surface(kind), time_zone, phone_region)


def _parameter(what: Thing) -> str:
    return _PUSH_SENDERS if what is Thing.PUSH_SENDER else "producers"
