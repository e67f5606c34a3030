"""`relay payments trigger`: sends a webhook as the provider would."""

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path

from rich.text import Text

from relay.instants import utc_now
from relay.payments.providers.registry import PROVIDERS, source_settings
from relay.payments.providers.samples import Json, Order
from relay_cli.clients.http import call
from relay_cli.clients.targets import DEFAULT_READY_FILE, read_ready_file, ready_text
from relay_cli.payments.samples import (
    PAYMENTS,
    RETURNS,
    REVERSALS,
    build,
    check_kind,
    payment_of,
)
from relay_cli.payments.signing import sign
from relay_cli.terminal.console import stdout_console
from relay_cli.terminal.errors import CliError, ExitCode


@dataclass(frozen=True, slots=True)
class Address:
    """The URL for webhooks, the name of the source, and its signing secret."""

    url: str
    source: str
    secret: str

    @classmethod
    def of_sandbox(cls, path: Path | None, provider: str) -> "Address":
        """The address of a running sandbox; raises `CliError`."""
        path = path or DEFAULT_READY_FILE
        ready = read_ready_file(path)
        sources = ready.get("payment_sources")
        source = sources.get(provider) if isinstance(sources, dict) else None
        if not isinstance(source, dict):
            raise CliError(f"the sandbox has no source of {provider}")
        name, secret = (ready_text(source, one, path) for one in ("source", "secret"))
        return cls(f"{ready_text(ready, 'api', path)}/v1/payments/{provider}/{name}", name, secret)


def new_tag() -> str:
    """A new, random part for ids."""
    return secrets.token_hex(6)


def trigger(
    order: Order, address: Address, original_tag: str | None = None, *, as_json: bool = False
) -> ExitCode:
    """Sends the webhooks of an order, and first those that it depends on.

    `original_tag`: the tag of the payment to return, or of the return to reverse. None: make one
    up. As JSON, a line says `{"kind", "event_id", "about"}` of each. Raises `CliError`.
    """
    check_kind(order.provider, order.kind)
    orders = orders_for(order, original_tag)
    for one in orders:
        webhooks = build(one)
        for webhook in webhooks:
            _post(one.provider, webhook, address)
        event_id = f"{address.source}:{movement_id(one.provider, webhooks)}"
        if as_json:
            told = {"kind": one.kind, "event_id": event_id, "about": one.tag}
            print(json.dumps(told))  # noqa: T201 - this alone
        else:
            stdout_console().print(f"{one.kind}: taken, event id {event_id}")
    if not as_json:
        _show_next_step(orders[-1])
    return ExitCode.OK


def orders_for(order: Order, original_tag: str | None) -> list[Order]:
    """The order, after those that it depends on; each with its own tag."""
    return_kind = REVERSALS.get(order.kind, order.kind)
    if return_kind not in RETURNS:
        return [order]
    if original_tag is not None and "-" in original_tag and order.kind in REVERSALS:
        return [replace(order, tag=original_tag)]
    payment_tag = order.tag if original_tag is None else original_tag.partition("-")[0]
    payment = replace(order, kind=payment_of(order.provider), tag=payment_tag)
    returned = replace(order, kind=return_kind, tag=f"{payment_tag}-{secrets.token_hex(2)}")
    before = [payment] if original_tag is None else []
    return [
        *before,
        returned,
        *([replace(returned, kind=order.kind)] if order.kind in REVERSALS else []),
    ]


def movement_id(provider: str, webhooks: Iterable[Json]) -> str:
    """The movement's id, with which the event id ends, as the relay derives it from webhooks."""
    settings = source_settings().model_validate({"provider": provider, "apps": {}})
    for webhook in webhooks:
        for parsed in PROVIDERS[provider].parse(json.dumps(webhook).encode(), settings):
            movement = PROVIDERS[provider].interpret(parsed.type, parsed.content, settings).movement
            if movement is not None:
                return movement.id
    raise AssertionError  # pragma: no cover - each sample has a movement


def _post(provider: str, webhook: Json, address: Address) -> None:
    signed = sign(provider, json.dumps(webhook).encode(), address.secret, utc_now())
    response = call("POST", address.url, signed.headers, signed.body)
    if response.status != HTTPStatus.OK:
        detail = response.json().get("detail", "")
        raise CliError(f"{address.url} answers {response.status}: {detail}", code=ExitCode.FAILED)


def _show_next_step(last: Order) -> None:
    if last.kind in PAYMENTS:
        stdout_console().print(Text(f"To take this payment back: --about {last.tag}", "quiet"))
    if last.kind in RETURNS:
        stdout_console().print(Text(f"To reverse it: --about {last.tag}", "quiet"))
