"""A parameter of lines, which is rotated: tokens of an app, secrets of a source."""

from relay_cli.payments.diagnosis.secrets import BASIC_AUTH
from relay_cli.settings.parameters import Change, Parameters
from relay_cli.terminal.errors import CliError


def rotate_lines(parameters: Parameters, name: str, new: str) -> list[str]:
    """Puts new lines before those that are there; all of them. Raises `CliError`."""

    def write(there: str | None) -> str:
        before = _must_be_there(parameters, name, there)
        return "\n".join(dict.fromkeys([*new.splitlines(), *before]))

    return _changed(parameters, name, write)


def finish_lines(parameters: Parameters, name: str) -> list[str]:
    """Keeps the first line, and digests of a password; what is left. Raises `CliError`."""

    def write(there: str | None) -> str:
        before = _must_be_there(parameters, name, there)
        first = next(line for line in before if not line.startswith(BASIC_AUTH))
        kept = [line for line in before if line == first or line.startswith(BASIC_AUTH)]
        return "\n".join(kept)

    return _changed(parameters, name, write)


def _changed(parameters: Parameters, name: str, write: Change) -> list[str]:
    written: list[str] = []

    def noted(there: str | None) -> str:
        written[:] = [write(there)]
        return written[0]

    parameters.change(name, noted, secure=True)
    return written[0].splitlines()


def _must_be_there(parameters: Parameters, name: str, there: str | None) -> list[str]:
    lines = [line.strip() for line in (there or "").splitlines() if line.strip()]
    if not lines:
        raise CliError(f"{parameters.full_name(name)} is not there: nothing to rotate")
    return lines
