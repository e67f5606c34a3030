"""Whose webhook a body is, by the names in it."""

from pathlib import Path

from relay.exact_json import InvalidJsonError, loads
from relay.payments.providers.registry import PROVIDERS, samples_of
from relay_cli.terminal.errors import CliError


def recognize(path: Path, body: bytes) -> str:
    """The provider of one body; raises `CliError`."""
    try:
        content = loads(body)
    except InvalidJsonError as error:
        raise CliError(f"{path} is {error}") from error
    names = set(content) if isinstance(content, dict) else set()
    for provider in PROVIDERS:
        if names >= samples_of(provider).RECOGNISED_BY:
            return provider
    raise CliError(f"the provider is not to be seen from {path}: say which with --provider")
