"""`relay payments verify FILE`: one webhook, as it came in."""

import json
import os
from collections.abc import Sequence
from getpass import getpass
from pathlib import Path
from typing import Final

from rich.text import Text

from relay.exact_json import InvalidJsonError, loads
from relay.payments.providers.registry import PROVIDERS
from relay_cli.payments.diagnosis.names import label
from relay_cli.payments.recognize import recognize
from relay_cli.payments.verify import Malformed, Verdict, headers_of, judge, read_case
from relay_cli.terminal.console import is_interactive, stdout_console
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.terminal.files import BYTE_ORDER_MARK, MIB, read_bytes

SECRET_VARIABLE: Final = "RELAY_WEBHOOK_SECRET"  # noqa: S105 - a variable's name
_MOST_BYTES: Final = 8 * MIB


def verify_file(
    path: Path,
    provider: str | None,
    *,
    headers_file: Path | None,
    headers: Sequence[str],
    now: int | None,
    tolerance: int | None,
    as_json: bool = False,
) -> ExitCode:
    """Shows whether a webhook's signature is right, and if not, why; raises `CliError`.

    As JSON: `{"valid", "reason", "provider", "secret"}`, the secret by its place, from 1.
    """
    body = read_bytes(path, _MOST_BYTES)
    name = provider.replace("-", "_") if provider else recognize(path, body)
    if name not in PROVIDERS:
        raise CliError(f"no such provider; there are {', '.join(PROVIDERS)}")
    given = {**_headers_in(headers_file), **_headers_of(headers)}
    secrets = _secrets(name)
    fields = {"headers": given, "secrets": secrets, "now": now, "tolerance": tolerance}
    try:
        case = read_case(name, fields, body)
    except Malformed as error:
        raise CliError(str(error)) from None
    verdict = judge(case)
    fitting = (n for n, one in enumerate(secrets, 1) if case.with_secrets([one]).fits())
    secret = next(fitting, None) if verdict.valid else None
    if as_json:
        told = {**verdict._asdict(), "provider": name, "secret": secret}
        print(json.dumps(told, ensure_ascii=False))  # noqa: T201 - this alone
    else:
        stdout_console().print(_sentence(verdict, name, secret, len(secrets)))
    return ExitCode.OK if verdict.valid else ExitCode.FAILED


def _sentence(verdict: Verdict, provider: str, secret: int | None, secrets: int) -> Text:
    if not verdict.valid:
        return Text.assemble(("refused: ", "bad"), verdict.reason or "")
    which = f", by secret {secret} of {secrets}" if secret and secrets > 1 else ""
    more = f" {verdict.reason}" if verdict.reason else ""
    return Text.assemble(("valid: ", "good"), f"{label(provider)}{which}.{more}")


def _secrets(provider: str) -> list[str]:
    """The secrets as they stand in a source's parameter: one a line, without space around."""
    text = os.environ.get(SECRET_VARIABLE)
    if text is None:
        if not is_interactive():
            raise CliError(f"set {SECRET_VARIABLE} to the source's secrets, one a line")
        text = _ask(f"Secret of {label(provider)}: ")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _ask(question: str) -> str:
    try:
        return getpass(question)
    except EOFError:
        raise CliError("no secret was given") from None


def _headers_in(path: Path | None) -> dict[str, str]:
    """Headers from a file: a JSON object, or lines as in a request. Raises `CliError`."""
    if path is None:
        return {}
    text = read_bytes(path, MIB).removeprefix(BYTE_ORDER_MARK).decode("utf-8", "replace")
    if not text.lstrip().startswith("{"):
        return _headers_of(text.splitlines(), str(path))
    try:
        return headers_of(loads(text))
    except InvalidJsonError as error:
        raise CliError(f"{path} is {error}") from None
    except Malformed as error:
        raise CliError(f"{path}: headers {error}") from None


def _headers_of(lines: Sequence[str], where: str = "--header") -> dict[str, str]:
    """Headers from lines `Name: value`. A request's first line, and blank ones, are left out."""
    found: dict[str, list[str]] = {}
    for number, line in enumerate(lines, 1):
        name, colon, value = line.partition(":")
        if not line.strip() or " HTTP/" in line.partition(": ")[0]:
            continue
        if not colon or not name.strip():
            raise CliError(f"{where}: header {number} is not of the form `Name: value`")
        found.setdefault(name.strip(), []).append(value.strip())
    return headers_of(found)
