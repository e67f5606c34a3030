"""The parameters of an installation: all of them read, and one changed.

Parameter Store has no conditional write. So a change looks at the version that it got: if it is not
the one after what was read, somebody else wrote in between. Their value is kept one version below;
the change is made again on top of that, and nothing of either is lost.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import ClientError

from relay_cli.clients.aws import translate_errors
from relay_cli.clients.installation import Installation
from relay_cli.terminal.errors import CliError

if TYPE_CHECKING:
    from botocore.config import Config

STANDARD_BYTES: Final = 4096
ADVANCED_BYTES: Final = 8192
"""The sizes of a value that Parameter Store takes."""
_ATTEMPTS: Final = 8
_SERVICE: Final = "Parameter Store"

Change = Callable[[str | None], str]
"""From the value that is there (None: there is none) to the one to write; raises `CliError`."""


class Stored(NamedTuple):
    """A parameter as it is kept."""

    value: str
    version: int
    is_secure: bool = True
    modified: datetime | None = None


class Parameters:
    """The parameters of one installation, by their names without its prefix.

    Every method raises `CliError`.
    """

    def __init__(
        self,
        installation: Installation,
        *,
        advanced: bool = False,
        config: "Config | None" = None,
    ) -> None:
        """`advanced`: a value may become larger than the free tier takes, and is then billed."""
        self._ssm = installation.client("ssm", config)
        self._prefix = installation.prefix
        self._kms_key = installation.kms_key
        self._advanced = advanced

    def full_name(self, name: str) -> str:
        """The name in Parameter Store."""
        return f"{self._prefix}/{name}"

    def read(self, name: str) -> Stored | None:
        """One parameter; `name:7` is its seventh version."""
        try:
            with translate_errors(_SERVICE):
                found = self._ssm.get_parameter(Name=self.full_name(name), WithDecryption=True)
        except CliError as error:
            if _code(error) in {"ParameterNotFound", "ParameterVersionNotFound"}:
                return None
            raise
        return _stored(found["Parameter"])

    def read_all(self) -> dict[str, Stored]:
        """All of them."""
        found: dict[str, Stored] = {}
        with translate_errors(_SERVICE):
            pages = self._ssm.get_paginator("get_parameters_by_path").paginate(
                Path=self._prefix, Recursive=True, WithDecryption=True
            )
            for page in pages:
                for one in page["Parameters"]:
                    found[one["Name"].removeprefix(f"{self._prefix}/")] = _stored(one)
        return found

    def change(self, name: str, change: Change, *, secure: bool) -> bool:
        """Changes one parameter, or makes it; whether there was anything to change.

        `change` may be called again, for what somebody else wrote meanwhile.
        """
        base = self.read(name)
        current = base.value if base else None
        for attempt in range(_ATTEMPTS):
            after = self._changed(name, change, base, is_repair=attempt > 0, secure=secure)
            if after == current:
                return attempt > 0
            version = self._put(name, after, base, secure=secure)
            if version is None:  # somebody else has made it first
                base = self.read(name)
                current = base.value if base else None
                continue
            if base is None or version == base.version + 1:
                return True
            theirs = self.read(f"{name}:{version - 1}")
            if theirs is None:  # they had deleted it
                return True
            base, current = theirs._replace(version=version), after
        raise CliError(
            f"{self.full_name(name)} is changed by somebody else all the time: try again later"
        )

    def remove(self, names: Iterable[str]) -> list[str]:
        """Deletes parameters; those that there were."""
        full_names = [self.full_name(name) for name in names]
        with translate_errors(_SERVICE):
            answer = self._ssm.delete_parameters(Names=full_names)
        return [name.removeprefix(f"{self._prefix}/") for name in answer["DeletedParameters"]]

    def _changed(
        self, name: str, change: Change, base: Stored | None, *, is_repair: bool, secure: bool
    ) -> str:
        """The new value. Where it cannot stand on what somebody else wrote, theirs is put back."""
        try:
            after = change(base.value if base else None)
            self._check_size(name, after, base)
        except CliError:
            if is_repair and base is not None:
                self._put(name, base.value, base, secure=secure)
            raise
        return after

    def _check_size(self, name: str, value: str, base: Stored | None) -> None:
        size = len(value.encode())
        if size > ADVANCED_BYTES:
            raise CliError(
                f"{self.full_name(name)} would have {size:,} bytes, and Parameter Store takes "
                f"{ADVANCED_BYTES:,}: take out what is no longer needed. Nothing was written"
            )
        if size > STANDARD_BYTES and not self._is_advanced(base):
            raise CliError(
                f"{self.full_name(name)} would have {size:,} bytes, and the free tier takes "
                f"{STANDARD_BYTES:,}: take out what is no longer needed, or give --advanced, which "
                f"takes {ADVANCED_BYTES:,} and which AWS bills. Nothing was written"
            )

    def _is_advanced(self, base: Stored | None) -> bool:
        return self._advanced or (base is not None and len(base.value.encode()) > STANDARD_BYTES)

    def _put(self, name: str, value: str, base: Stored | None, *, secure: bool) -> int | None:
        """Writes it; its version, or None if it shall be new and is there already."""
        size = len(value.encode())
        more: dict[str, Any] = {"Tier": "Advanced"} if size > STANDARD_BYTES else {}
        if secure and self._kms_key:
            more["KeyId"] = self._kms_key
        try:
            with translate_errors(_SERVICE):
                answer = self._ssm.put_parameter(
                    Name=self.full_name(name),
                    Value=value,
                    Type="SecureString" if secure else "String",
                    Overwrite=base is not None,
                    **more,
                )
        except CliError as error:
            if base is None and _code(error) == "ParameterAlreadyExists":
                return None
            raise
        version: int = answer["Version"]
        return version


def _code(error: CliError) -> str:
    cause = error.__cause__
    return cause.response["Error"]["Code"] if isinstance(cause, ClientError) else ""


def _stored(found: Any) -> Stored:
    return Stored(
        found["Value"],
        found["Version"],
        found["Type"] == "SecureString",
        found.get("LastModifiedDate"),
    )
