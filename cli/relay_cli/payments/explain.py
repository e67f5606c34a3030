"""`relay payments explain`: the event that a webhook becomes, and why. Looks nothing up."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic import ValidationError
from rich.table import Table
from rich.text import Text

from relay.aws.parameter_store import ParameterStore
from relay.aws.table import Condition, Item, Key
from relay.config.apps import Apps
from relay.domain.movements import Interpretation, Movement, ParsedWebhook, Treatment
from relay.domain.payment_rules import SourceApps, SourceSettings
from relay.errors import ConfigurationError, UnreadableWebhookError
from relay.exact_json import InvalidJsonError, UnwritableError, dumps, loads
from relay.instants import utc_now
from relay.payments.decide import Decider
from relay.payments.errors import MappingError
from relay.payments.events import event_of
from relay.payments.providers.registry import PROVIDERS
from relay.payments.receive import MAX_BODY_BYTES
from relay.stores.identities import Identities
from relay.stores.money_trail import Trail
from relay.validation import first_fault
from relay_cli.terminal.console import Block, printable, show, stdout_console
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.terminal.files import read_bytes, read_object

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

_ANY_DAYS: Final = 400
_SOURCE: Final = "explained"
_HINTS: Final = ("customer_user_id", "appsflyer_id", "app_id", "platform")
_ANY_APP: Final = SourceApps(mobile=("id000000000",))
"""Stands for the source's app if none is given."""
_LIKE_ORIGINAL: Final = (
    "becomes an event like its original's: same app, name and order id, the amount turned round"
)
_NEEDS_MORE: Final = (
    "by this alone nobody knows whose it is or for which app; what was told before, or an install, "
    "may say"
)
_FOR_ANY_APP: Final = (
    "no app is named here: shown as for a mobile app. --mobile-app and --web-app say which the "
    "source has"
)
_KEPT: Final = "Acknowledged, and kept as a dead letter"
_TREATMENTS: Final = {
    Treatment.COUNTED: "counts",
    Treatment.IGNORED: "ignored",
    Treatment.UNKNOWN: "unknown type: kept as a dead letter by id, type, time and digest",
}


class _MemoryTable:
    """A table in memory, empty at first."""

    def __init__(self) -> None:
        self._items: dict[Key, dict[str, str | int]] = {}

    def get(self, keys: Collection[Key]) -> dict[Key, Item]:
        return {key: self._items[key] for key in keys if key in self._items}

    def put(self, key: Key, item: Item, only_if: Condition | None = None) -> Item | None:
        del only_if  # there are no concurrent writers
        self._items[key] = dict(item)
        return None

    def merge(self, key: Key, attributes: Item) -> None:
        self._items.setdefault(key, {}).update(attributes)

    def delete(self, keys: Collection[Key]) -> None:
        for key in keys:
            self._items.pop(key, None)

    def under(self, pk: str) -> dict[Key, Item]:
        return {key: item for key, item in self._items.items() if key.pk == pk}

    def of_customer(self, customer_user_id: str) -> list[Key]:
        del customer_user_id
        return list(self._items)


class _FixedParameters:
    """A Parameter Store in which every app has the same settings."""

    def __init__(self, rules: Mapping[str, Any]) -> None:
        self._value = dumps({"payments": rules}).decode()

    def get_parameters(self, **call: Any) -> dict[str, Any]:
        return {"Parameters": [{"Name": name, "Value": self._value} for name in call["Names"]]}


def explain(
    path: Path, provider: str | None, mobile: list[str], web: list[str], rules: Path | None
) -> ExitCode:
    """Shows the content of a webhook and the resulting event; raises `CliError`.

    Returns `FAILED` if part of it cannot be interpreted.
    """
    body = read_bytes(path, MAX_BODY_BYTES, " No webhook is.")
    name = provider or _detect_provider(body)
    if name not in PROVIDERS:
        raise CliError(f"no such provider; there are {', '.join(PROVIDERS)}")
    settings = _settings(name, mobile, web)
    try:
        webhooks = PROVIDERS[name].parse(body, settings)
    except UnreadableWebhookError as error:
        raise CliError(f"{path} is no webhook of {name}: {error}", code=ExitCode.FAILED) from error
    app_rules, any_app = _read_rules(rules), not (mobile or web)
    is_valid = True
    for webhook in webhooks:
        show(stdout_console(), _webhook_blocks(name, webhook))
        is_valid &= webhook.problem is None
        if webhook.treatment is Treatment.COUNTED:
            is_valid &= _show_interpretation(name, webhook, settings, app_rules, any_app=any_app)
    return ExitCode.OK if is_valid else ExitCode.FAILED


def _detect_provider(body: bytes) -> str:
    """The provider, recognized by the fields of the body; raises `CliError`."""
    try:
        content = loads(body)
    except InvalidJsonError as error:
        raise CliError(f"the file is {error}") from error
    names = set(content) if isinstance(content, dict) else set()
    for provider, mark in (
        ("adyen", {"notificationItems"}),
        ("revenuecat", {"event", "api_version"}),
        ("paddle", {"event_type", "notification_id"}),
        ("stripe", {"object", "livemode"}),
        ("standard_webhooks", {"type", "timestamp", "data"}),
    ):
        if mark <= names:
            return provider
    raise CliError("the provider is not to be seen from the file: say which with --provider")


def _settings(provider: str, mobile: list[str], web: list[str]) -> SourceSettings:
    try:
        return SourceSettings.model_validate(
            {"provider": provider, "apps": {"mobile": mobile, "web": web}}
        )
    except ValidationError as error:
        raise CliError(f"the apps are not to be used so: {first_fault(error)}") from error


def _read_rules(path: Path | None) -> Mapping[str, Any]:
    if path is None:
        return {}
    content = read_object(path, "file with an app's settings")
    try:
        dumps(content)
    except UnwritableError as error:
        raise CliError(f"{path} is of no use: it {error}") from error
    rules: Mapping[str, Any] = content.get("payments", content)
    return rules


def _webhook_blocks(provider: str, webhook: ParsedWebhook) -> Iterator[Block]:
    reason = PROVIDERS[provider].why_ignored(webhook.type) if _is_ignored(webhook) else ""
    why = ": ".join(filter(None, (_TREATMENTS[webhook.treatment], reason)))
    if webhook.problem is not None:
        why = f"unreadable: {webhook.problem}. {_KEPT}"
    yield Block(Text.assemble(("\n" + printable(webhook.type), "heading"), f"  {why}"))
    if webhook.test:
        yield Block(Text("a test: dropped, unless the app says where tests go", "warn"))


def _is_ignored(webhook: ParsedWebhook) -> bool:
    return webhook.treatment is Treatment.IGNORED


def _show_interpretation(
    provider: str,
    webhook: ParsedWebhook,
    settings: SourceSettings,
    rules: Mapping[str, Any],
    *,
    any_app: bool,
) -> bool:
    """Shows the interpretation of a webhook and its event; False if it cannot be interpreted."""
    try:
        interpretation = PROVIDERS[provider].interpret(webhook.type, webhook.content, settings)
    except UnreadableWebhookError as error:
        show(stdout_console(), [Block(Text(f"unreadable: {error}. {_KEPT}", "warn"))])
        return False
    show(
        stdout_console(),
        _interpretation_blocks(interpretation, webhook, settings, rules, any_app=any_app),
    )
    return True


def _interpretation_blocks(
    interpretation: Interpretation,
    webhook: ParsedWebhook,
    settings: SourceSettings,
    rules: Mapping[str, Any],
    *,
    any_app: bool,
) -> Iterator[Block]:
    yield Block(_links_table(interpretation))
    if interpretation.movement is None:
        yield Block(Text("no movement of money: it only tells what belongs to what", "quiet"))
        return
    yield Block(_movement_table(interpretation.movement))
    if any_app:
        settings = settings.model_copy(update={"apps": _apps_named(interpretation)})
    # If the app does not send test events anywhere, show what a real event would become.
    is_test = webhook.test and rules.get("test_events_to") is not None
    yield from _event_blocks(
        interpretation, interpretation.movement, settings, rules, is_test=is_test
    )


def _links_table(interpretation: Interpretation) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for link in interpretation.links:
        known = [f"{name} known" for name in _HINTS if getattr(link.hints, name)]
        targets = "→ " + ", ".join(map(printable, link.to)) if link.to else ""
        table.add_row(
            Text("link", "key"), printable(link.ref), targets, Text(", ".join(known), "quiet")
        )
    return table


def _movement_table(movement: Movement) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    amount = movement.amount
    rows = {
        "movement": movement.kind.value,
        "money's id": movement.id,
        "at": movement.at.isoformat(),
        "takes back": movement.original_ref,
        "gross": amount and f"{amount.gross:f} {amount.currency}",
        "net of tax": amount and (amount.net_of_tax or "not told"),
        "net of tax and fee": amount and (amount.net_of_tax_and_fee or "not told"),
    }
    for name, value in rows.items():
        if value:
            table.add_row(Text(name, "key"), printable(str(value)))
    return table


def _event_blocks(
    interpretation: Interpretation,
    movement: Movement,
    settings: SourceSettings,
    rules: Mapping[str, Any],
    *,
    is_test: bool,
) -> Iterator[Block]:
    """The event for AppsFlyer, if nothing else were known."""
    if movement.original_ref is not None:
        yield Block(Text(_LIKE_ORIGINAL, "quiet"))
        return
    trail = Trail(_MemoryTable(), _ANY_DAYS)
    trail.learn(_SOURCE, interpretation.links)
    store = ParameterStore(cast("SSMClient", _FixedParameters(rules)), "/explained")
    decider = Decider(Apps(store), trail, Identities(_MemoryTable()), utc_now)
    try:
        decided = decider.decide(_SOURCE, settings, movement, test=is_test)
    except MappingError as error:
        because = _NEEDS_MORE if error.may_change else f"{error}. {_KEPT}".lstrip(". ")
        yield Block(Text(f"{error.reason}: {because}", "warn"))
        return
    except ConfigurationError as error:
        raise CliError(f"the rules are wrong: {error}") from error
    if decided is None or (decision := decided.decision).name is None:
        yield Block(Text("dropped: the app does not want to hear of it", "warn"))
        return
    kind, event = event_of(decision)
    if settings.apps is _ANY_APP:
        yield Block(Text(_FOR_ANY_APP, "quiet"))
    yield Block(Text.assemble(("becomes ", "key"), f"{kind.value} for {decision.app_id}"))
    yield Block(Text(printable(dumps(event).decode())), exact=True)


def _apps_named(interpretation: Interpretation) -> SourceApps:
    """The app that the webhook itself names, or a placeholder."""
    named = [link.hints.app_id for link in interpretation.links if link.hints.app_id]
    if not named:
        return _ANY_APP
    return _settings("stripe", named[:1], []).apps
