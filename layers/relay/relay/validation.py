"""Shared by pydantic models: a UTC moment, and validation errors as text without values."""

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, ValidationError
from pydantic_core import ErrorDetails

_MOST_SHOWN: Final = 5


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        message = "must be a moment of the years 1 to 9999 in UTC"
        raise ValueError(message) from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A sender may use any offset; the parsed value is in UTC, like every moment in the relay."""


def first_fault(error: ValidationError) -> str:
    """The first fault and its place (`apps.0: Field required`), for the operator's settings."""
    fault = _faults(error)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else fault["msg"]


def faults_of_stranger(error: ValidationError) -> str:
    """The first few faults, each with the field it is in.

    It shows only the outermost name, which is the relay's own: a sender may have chosen any of the
    inner names.
    """
    return "; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in _faults(error)[:_MOST_SHOWN])


def _faults(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_input=False, include_context=False, include_url=False)
