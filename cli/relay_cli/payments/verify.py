"""`relay payments verify --ndjson`: is a webhook's signature right, and if not, why.

One JSON object a line: id, provider, payload (the body's text), headers, secrets, now (Unix
seconds, null for the present), tolerance (seconds, null for 300), settings. Other keys are ignored.
The verdict is the provider's own `verify`; the reason is for its owner (`diagnosis`).
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from relay.domain.payment_rules import SourceSettings
from relay.errors import OperatorError, SignatureRefusedError
from relay.exact_json import InvalidJsonError, UnwritableError, decimal_of, dumps, loads
from relay.instants import utc_now
from relay.payments.providers.protocol import Webhook
from relay.payments.providers.registry import PROVIDERS, source_settings
from relay.payments.receive import MAX_BODY_BYTES
from relay.secrets import Secret
from relay_cli.input.ndjson import answer_lines, encode
from relay_cli.payments.diagnosis import diagnose
from relay_cli.payments.diagnosis.case import Case
from relay_cli.payments.story import faults_of
from relay_cli.terminal.files import MIB

LONGEST_LINE: Final = 16 * MIB
"""Bytes. A body of a mebibyte is several times as long when each character is escaped."""

_LONGEST_TOLERANCE: Final = 10**9
_TOO_LARGE: Final = (
    "the signature is right; but the body is larger than 1 MiB, and the relay takes none as large"
)
_UNCHECKED: Final = "could not be checked: this is a fault of relay's own, please report it"
_NOT_BUILT: Final = "the relay has no such provider; it has " + ", ".join(PROVIDERS)


class Verdict(NamedTuple):
    """Whether a signature is right; None if its provider is not built."""

    valid: bool | None
    reason: str | None = None

    @classmethod
    def refused(cls, reason: str) -> Self:
        """The signature is not right, or cannot be."""
        return cls(valid=False, reason=reason)


class Malformed(Exception):  # noqa: N818 - a fault of what is given
    """A webhook that cannot be verified; the text says why, and holds no value."""


def verify_stream(path: Path) -> None:
    """Verifies each line of a file (`-`: standard input); raises `CliError`."""
    answer_lines(path, answer, LONGEST_LINE)


def answer(line: bytes | None) -> bytes:
    """The verdict on one line; None stands for a line that was too long. Never raises."""
    identity: object = None
    try:
        content = _read(line)
        identity = _identity(content.get("id"))
        verdict = verdict_on(content)
    except Malformed as error:
        verdict = Verdict(None, str(error))
    except Exception:  # noqa: BLE001 - one line must not fail the others; the error's text is never shown
        verdict = Verdict.refused(_UNCHECKED)
    return encode({"id": identity, "valid": verdict.valid, "reason": verdict.reason})


def _identity(given: object) -> object:
    """The line's id as it was given; None if it cannot be written."""
    try:
        dumps(given)
    except UnwritableError:
        return given if isinstance(given, str) else None
    return given


def _read(line: bytes | None) -> dict[str, Any]:
    """Raises `Malformed`."""
    if line is None:
        raise Malformed(f"the line is longer than {LONGEST_LINE // MIB} MiB")
    if not line.strip():
        raise Malformed("the line is blank: one JSON object is expected on each")
    try:
        content = loads(line)
    except InvalidJsonError as error:
        raise Malformed(f"the line is {error}") from None
    if not isinstance(content, dict):
        raise Malformed("the line is no JSON object")
    return content


def verdict_on(content: Mapping[str, Any], clock: Callable[[], datetime] = utc_now) -> Verdict:
    """The verdict on one object of NDJSON."""
    provider = _provider(content.get("provider"))
    if provider is None:
        return Verdict(None, _NOT_BUILT)
    try:
        case = read_case(provider, content, clock=clock)
    except Malformed as error:
        return Verdict.refused(str(error))
    return judge(case)


def judge(case: Case) -> Verdict:
    """The verdict of the provider's own `verify`, with a reason that helps."""
    try:
        case.verify()
    except SignatureRefusedError as error:
        return Verdict.refused(diagnose(case, error))
    except OperatorError as error:
        return Verdict.refused(str(error))
    is_too_large = len(case.webhook.body) > MAX_BODY_BYTES
    return Verdict(valid=True, reason=_TOO_LARGE if is_too_large else None)


def _provider(given: object) -> str | None:
    """The name of a provider that is built; `standard-webhooks` is one of two spellings."""
    name = given.strip().lower().replace("-", "_") if isinstance(given, str) else ""
    return name if name in PROVIDERS else None


def read_case(
    provider: str,
    content: Mapping[str, Any],
    body: bytes | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Case:
    """What a webhook is verified by; without `body`, its payload is. Raises `Malformed`."""
    faults: list[str] = []

    def read(reader: Callable[[Any], Any], name: str) -> Any:
        try:
            return reader(content.get(name))
        except Malformed as error:
            faults.append(f"{name} {error}")
            return None

    payload = read(_body, "payload") if body is None else body
    headers, secrets = read(headers_of, "headers"), read(_secrets, "secrets")
    settings = read(lambda given: _settings(provider, given), "settings")
    now, tolerance = read(_moment, "now"), read(_tolerance, "tolerance")
    if faults:
        raise Malformed("; ".join(faults))
    if tolerance is not None:
        settings = settings.model_copy(update={"tolerance_seconds": tolerance})
    return Case(provider, Webhook(headers, payload), secrets, settings, now or clock())


def _body(given: object) -> bytes:
    if isinstance(given, dict | list):
        raise Malformed("must be the body's text as it came, for the signature covers each byte")
    if not isinstance(given, str):
        raise Malformed("must be the body's text")
    try:
        return given.encode()
    except UnicodeEncodeError:
        raise Malformed("is no Unicode text: it holds half a surrogate pair") from None


def headers_of(given: object) -> dict[str, str]:
    """Headers by lower-case names; several values of one name are joined, as API Gateway does.

    Raises `Malformed`.
    """
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise Malformed("must be an object of texts by names")
    found: dict[str, str] = {}
    for name, value in given.items():
        for one in _header_values(value):
            key = name.strip().lower()
            found[key] = f"{found[key]},{one}" if key in found else one
    return found


def _header_values(value: object) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str):
            yield one
        elif isinstance(one, int) and not isinstance(one, bool):
            yield str(one)
        elif one is not None:
            raise Malformed("must be texts, or arrays of texts")


def _secrets(given: object) -> tuple[Secret, ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise Malformed("must be an array of texts")
    if any(_is_broken(one) for one in given):
        raise Malformed("hold half a surrogate pair, which is no Unicode text")
    return tuple(map(Secret, given))


def _is_broken(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _moment(given: object) -> datetime | None:
    """None for the present."""
    if given is None:
        return None
    seconds = decimal_of(given)
    if seconds is None:
        raise Malformed("must be Unix seconds, or null for the present")
    try:
        return datetime.fromtimestamp(float(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        raise Malformed("is no moment of the years 1 to 9999: it must be Unix seconds") from None


def _tolerance(given: object) -> float | None:
    """None for what the settings say."""
    if given is None:
        return None
    seconds = decimal_of(given)
    if seconds is None or not 0 <= seconds <= _LONGEST_TOLERANCE:
        raise Malformed("must be a number of seconds, or null for 300")
    return int(seconds) if seconds == int(seconds) else float(seconds)


def _settings(provider: str, given: object) -> SourceSettings:
    if given is not None and not isinstance(given, dict):
        raise Malformed("must be an object, as in `sources`")
    source = {"apps": {}, **(given or {}), "provider": provider}
    faults = list(faults_of(source_settings(), source))
    if faults:
        raise Malformed(f"are wrong: {'; '.join(faults)}")
    return source_settings().model_validate(source)
