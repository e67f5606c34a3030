"""The command-line interface of `relay payments`."""

import os
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from relay_cli import options
from relay_cli.help import Command
from relay_cli.terminal.errors import CliError


class NamingProviders(Command):
    """A command whose help names the providers, which are loaded for that alone."""

    def remarks(self) -> list[str]:
        """The names."""
        from relay.payments.providers.registry import PROVIDERS

        return [f"Providers: {', '.join(PROVIDERS)}."]


_CODE_LENGTH = 3
_MIN_AMOUNT, _AMOUNT_LIMIT = Decimal("0.001"), 10**12
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
_SECRET = "RELAY_WEBHOOK_SECRET"  # noqa: S105 - a variable's name


def trigger(  # noqa: PLR0913 - one for each field of a webhook
    provider: Annotated[str, typer.Argument(help="The provider, as in a webhook's address.")],
    kind: Annotated[
        str,
        typer.Argument(
            help="What it tells: trial, first_payment, renewal, purchase, refund, "
            "refund_reversed, dispute, dispute_won or cancellation."
        ),
    ],
    *,
    customer: Annotated[str, typer.Option(help="The customer user id.")] = "customer-1",
    appsflyer_id: Annotated[
        str, typer.Option(help="The customer's AppsFlyer id; empty: to be looked up.")
    ] = "1624875600000-2718281",
    app_id: Annotated[str, typer.Option("--app", help="The app.")] = "id123456789",
    amount: Annotated[str, typer.Option(help="In major units.")] = "9.99",
    currency: Annotated[str, typer.Option(help="ISO 4217.")] = "EUR",
    about: Annotated[
        str | None,
        typer.Option(
            help="Which payment is taken back, or what is reversed, as an earlier call said.",
            metavar="TAG",
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            help=f"A webhook's address, ending in /PROVIDER/SOURCE; its secret is in {_SECRET}."
        ),
    ] = None,
    ready_file: options.ReadyFile = None,
    json: Json = False,
) -> None:
    """Send a webhook as a provider would: fresh, and signed.

    To a sandbox that runs here, or to a URL.
    """
    from relay.instants import utc_now
    from relay.payments.providers.samples import Order
    from relay_cli.payments.trigger import Address, new_tag
    from relay_cli.payments.trigger import trigger as send

    metadata = {"app_user_id": customer, "appsflyer_id": appsflyer_id, "af_app_id": app_id}
    order = Order(
        provider, kind, new_tag(), utc_now(), customer, _amount(amount), _currency(currency),
        {name: value for name, value in metadata.items() if value},
    )  # fmt: skip
    if url is None:
        address = Address.of_sandbox(ready_file, provider)
    else:
        secret = os.environ.get(_SECRET)
        if not secret:
            raise CliError(f"set {_SECRET} to what signs the webhooks of that source")
        address = Address(url, url.rstrip("/").rpartition("/")[2], secret)
    raise typer.Exit(send(order, address, about, as_json=json))


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise CliError("--amount must be a number, as in 9.99") from error
    if not amount.is_finite() or not _MIN_AMOUNT <= amount < _AMOUNT_LIMIT:
        raise CliError(f"--amount must be above zero, and below {_AMOUNT_LIMIT:,}")
    return amount


def _currency(code: str) -> str:
    if not (len(code) == _CODE_LENGTH and code.isascii() and code.isalpha()):
        raise CliError("--currency must be three letters, as in EUR")
    return code.upper()


def explain(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="The body of a webhook; or several, in the order in which they come.",
            metavar="FILE...",
        ),
    ],
    *,
    provider: Annotated[
        str | None, typer.Option(help="Whose webhook it is, where it cannot be seen.")
    ] = None,
    mobile_app: Annotated[
        list[str] | None, typer.Option(help="A mobile app of the source.", metavar="ID")
    ] = None,
    web_app: Annotated[
        list[str] | None, typer.Option(help="A web app of the source.", metavar="ID")
    ] = None,
    rules: Annotated[
        Path | None, typer.Option(help="A file with an app's settings, for its payment rules.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what a webhook would become, and why; of several, what they become together.

    No signature is needed, and nothing is looked up or sent.
    """
    from relay_cli.payments.explain import explain as show

    raise typer.Exit(show(files, provider, mobile_app or [], web_app or [], rules, as_json=json))


def story(
    file: Annotated[
        Path,
        typer.Argument(
            help="A story: provider, settings, rules, install, webhooks. `-` is standard input."
        ),
    ],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object instead of a table: events and dead.")
    ] = False,
) -> None:
    """Play webhooks in their order, and show the events that AppsFlyer would hear of.

    Through the relay's own code, in virtual time, until nothing waits. No signature is needed, and
    nothing is looked up or sent.
    """
    from relay_cli.payments.play_story import play_file

    raise typer.Exit(play_file(file, as_json=as_json))


def verify(
    file: Annotated[
        Path,
        typer.Argument(
            help="The body of a webhook, byte for byte as it came. `-`: standard input."
        ),
    ],
    *,
    ndjson: Annotated[
        bool,
        typer.Option(
            "--ndjson",
            help="One JSON object a line in (id, provider, payload, headers, secrets, now, "
            "tolerance, settings), one out (id, valid, reason). It fails for no verdict.",
        ),
    ] = False,
    provider: Annotated[
        str | None, typer.Option(help="Whose webhook it is, where it cannot be seen.")
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(
            help="A header of the request, as in 'Stripe-Signature: t=...'.", metavar="HEADER"
        ),
    ] = None,
    headers: Annotated[
        Path | None, typer.Option(help="A file with its headers: such lines, or a JSON object.")
    ] = None,
    now: Annotated[
        int | None,
        typer.Option(help="When it came in, in Unix seconds; otherwise now.", show_default=False),
    ] = None,
    tolerance: Annotated[
        int | None, typer.Option(help="Seconds that its time may be off.", show_default="300")
    ] = None,
    json: Json = False,
) -> None:
    """Show whether a webhook's signature is right, and if not, why.

    The secrets, one a line, are in RELAY_WEBHOOK_SECRET; without it you are asked. No secret and
    nothing of the webhook is shown.
    """
    if ndjson:
        from relay_cli.payments.verify import verify_stream

        verify_stream(file)
        return
    from relay_cli.payments.verify_file import verify_file

    code = verify_file(
        file, provider, headers_file=headers, headers=header or [], now=now, tolerance=tolerance,
        as_json=json,
    )  # fmt: skip
    raise typer.Exit(code)
