"""A story: webhooks of one source in the order in which they come, and what stands around them.

A file holds one JSON object:

    provider   as in a source's settings
    settings   the source's other settings (docs/payments.md); its apps are `APPS` unless it says so
    rules      the `payments` settings of each app
    install    a customer user id that was installed in `INSTALLED_APP` before the start, or null
    webhooks   [{"after_days": days since the one before, "body": {...}}, ...]

All but `provider` and `webhooks` may be left out. Signatures are no part of it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from relay.aws.table import LONGEST_PK_BYTES, is_key_text
from relay.domain.payment_rules import PaymentRules, SourceSettings
from relay.exact_json import InvalidJsonError, UnwritableError, decimal_of, dumps, loads
from relay.payments.providers.registry import PROVIDERS, source_settings
from relay.rules.names import showable
from relay_cli.terminal.errors import CliError
from relay_cli.terminal.files import BYTE_ORDER_MARK, MIB, read_bytes

START: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""When the clock of a story from a file starts."""
INSTALLED_APP: Final = "id123456789"
APPS: Final[Mapping[str, Any]] = {
    "mobile": [INSTALLED_APP, "com.example.shop"],
    "web": ["website-www.example.com"],
}
_MOST_BYTES: Final = 64 * MIB
_MOST_VALUES: Final = 3_000_000
_MOST_DAYS: Final = 36_500
_MOST_FAULTS: Final = 100
_WORDS: Final = {
    "missing": "is missing",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "list_type": "must be an array",
    "tuple_type": "must be an array",
    "string_type": "must be text",
    "extra_forbidden": "is no such setting",
}


@dataclass(frozen=True, slots=True)
class Told:
    """One webhook of a story."""

    body: bytes
    after: timedelta = timedelta()
    """Since the webhook before."""


@dataclass(frozen=True, slots=True)
class Story:
    """Webhooks of one source, and what stands around them."""

    source: Mapping[str, Any]
    """The source's settings, its provider and its apps among them, as they stand in `sources`."""
    rules: Mapping[str, Any]
    """The `payments` settings of each app."""
    webhooks: tuple[Told, ...]
    install: str | None = None
    start: datetime = START
    tests_count: bool = False
    """Whether tests are played as if they were real."""

    @property
    def settings(self) -> SourceSettings:
        """The source's settings, read."""
        return source_settings().model_validate(self.source)


def _number(value: object) -> object:
    number = decimal_of(value)
    if number is None:
        raise ValueError("must be a number of days")
    return float(number)


def _none_is_empty(value: object) -> object:
    return {} if value is None else value


def _customer(value: str | None) -> str | None:
    if value is not None and not is_key_text(value, LONGEST_PK_BYTES):
        raise ValueError(f"must be Unicode text of 1 to {LONGEST_PK_BYTES:,} bytes")
    return value


class _Webhook(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    after_days: Annotated[float, BeforeValidator(_number), Field(ge=0, le=_MOST_DAYS)] = 0.0
    body: dict[str, Any]


class _File(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    provider: str
    settings: Annotated[dict[str, Any], BeforeValidator(_none_is_empty)] = {}
    rules: Annotated[PaymentRules, BeforeValidator(_none_is_empty)] = PaymentRules()
    install: Annotated[str | None, AfterValidator(_customer)] = None
    webhooks: list[_Webhook]


def read_story(path: Path) -> Story:
    """Reads a file (`-`: standard input); raises `CliError` with all its faults, and no value."""
    content = _read(path)
    faults = list(_faults(content))
    if faults:
        more = [f"... and {len(faults) - _MOST_FAULTS:,} more"][: len(faults) > _MOST_FAULTS]
        shown = "\n  ".join([*faults[:_MOST_FAULTS], *more])
        raise CliError(f"{path} is no story:\n  {shown}")
    file = _File.model_validate(content)
    return Story(
        {"apps": APPS, **file.settings, "provider": file.provider},
        content.get("rules") or {},
        tuple(Told(dumps(one.body), timedelta(days=one.after_days)) for one in file.webhooks),
        file.install,
    )


def _read(path: Path) -> dict[str, Any]:
    text = read_bytes(path, _MOST_BYTES, " No story is.").removeprefix(BYTE_ORDER_MARK)
    try:
        content = loads(text, _MOST_VALUES)
    except InvalidJsonError as error:
        raise CliError(f"{path} is no story: it is {error}") from None
    if not isinstance(content, dict):
        raise CliError(f"{path} is no story: it is no JSON object")
    return content


def _faults(content: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a file, place by place."""
    yield from faults_of(_File, content)
    provider = content.get("provider")
    if isinstance(provider, str) and provider not in PROVIDERS:
        yield f"provider: must be one of {', '.join(PROVIDERS)}"
        provider = None
    settings = content.get("settings")
    if isinstance(settings, dict):
        yield from _faults_of_settings(settings, provider)
    yield from _unwritable("rules", content.get("rules"))
    yield from _faults_of_webhooks(content.get("webhooks"))


def _faults_of_webhooks(webhooks: object) -> Iterator[str]:
    """What pydantic does not see: bodies that cannot be sent, and a story without an end."""
    days = 0.0
    for number, webhook in enumerate(webhooks if isinstance(webhooks, list) else ()):
        if isinstance(webhook, dict):
            yield from _unwritable(f"webhooks.{number}.body", webhook.get("body"))
            days += float(decimal_of(webhook.get("after_days")) or 0)
    if days > _MOST_DAYS:
        yield f"webhooks: the days add up to more than {_MOST_DAYS:,}"


def _faults_of_settings(settings: Mapping[str, Any], provider: object) -> Iterator[str]:
    if settings.get("provider", provider) != provider and provider is not None:
        yield "settings.provider: is another than the story's"
    known = provider if isinstance(provider, str) else next(iter(PROVIDERS))
    source = {"apps": APPS, **settings, "provider": known}
    yield from faults_of(source_settings(), source, "settings")


def faults_of(shape: type[BaseModel], content: object, *at: str) -> Iterator[str]:
    """What is wrong with settings: the place under `at`, and words without any value."""
    try:
        shape.model_validate(content)
    except ValidationError as error:
        faults: defaultdict[str, list[str]] = defaultdict(list)
        for fault in error.errors(include_input=False, include_context=False, include_url=False):
            place = ".".join([*at, *(_shown(part) for part in fault["loc"] if _is_place(part))])
            faults[place].append(_in_words(fault))
        # Each form that a value may have says why it is not that one.
        yield from (f"{place}: {', or '.join(words)}" for place, words in faults.items())


def _is_place(part: int | str) -> bool:
    """Whether it is not the name of a form."""
    return isinstance(part, int) or not part.startswith(("literal[", "function-", "constrained-"))


def _shown(part: int | str) -> str:
    return str(part) if isinstance(part, int) else showable(part)


def _in_words(fault: ErrorDetails) -> str:
    return _WORDS.get(fault["type"], fault["msg"].removeprefix("Value error, "))


def _unwritable(place: str, value: object) -> Iterator[str]:
    try:
        dumps(value)
    except UnwritableError as error:
        yield f"{place}: {error}"
