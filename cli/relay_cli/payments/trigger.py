"""`relay payments trigger`: a webhook as the provider would send it."""

import json
import secrets
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path

from rich.text import Text

from relay.instants import utc_now
from relay_cli.errors import CliError, ExitCode
from relay_cli.http_call import call
from relay_cli.payments.samples import PAYMENT_OF, TAKING_BACK, Order, build, money_id
from relay_cli.payments.signing import sign
from relay_cli.screen import output
from relay_cli.targets import DEFAULT_READY_FILE, read_ready_file, ready_text


@dataclass(frozen=True, slots=True)
class Address:
    """Where webhooks go, under which source's name, and what signs them."""

    url: str
    source: str
    secret: str

    @classmethod
    def of_sandbox(cls, path: Path | None, provider: str) -> "Address":
        """That of a running sandbox; raises `CliError`."""
        path = path or DEFAULT_READY_FILE
        ready = read_ready_file(path)
        sources = ready.get("payment_sources")
        source = sources.get(provider) if isinstance(sources, dict) else None
        if not isinstance(source, dict):
            raise CliError(f"the sandbox has no source of {provider}")
        name, secret = (ready_text(source, one, path) for one in ("source", "secret"))
        return cls(f"{ready_text(ready, 'api', path)}/v1/payments/{provider}/{name}", name, secret)


def new_tag() -> str:
    """Part of ids that nobody has used yet."""
    return secrets.token_hex(6)


def trigger(order: Order, address: Address) -> ExitCode:
    """Posts what an order tells, its payment first where it takes one back and names none."""
    console = output()
    orders = [order]
    if order.kind in TAKING_BACK and order.about is None:
        payment = PAYMENT_OF.get(order.provider, "first_payment")
        orders = [replace(order, kind=payment), replace(order, about=order.tag)]
    for one in orders:
        for webhook in build(one):
            signed = sign(one.provider, json.dumps(webhook).encode(), address.secret, utc_now())
            answer = call("POST", address.url, signed.headers, signed.body)
            if answer.status != HTTPStatus.OK:
                said = answer.json().get("detail", "")
                raise CliError(
                    f"{address.url} answers {answer.status}: {said}", code=ExitCode.UNDONE
                )
        console.print(f"{one.kind}: taken, event id {address.source}:{money_id(one)}")
    console.print(Text(f"To take this payment back: --about {order.tag}", "quiet"))
    return ExitCode.OK
