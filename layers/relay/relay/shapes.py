"""What pydantic finds wrong with a shape, in words that never hold a value."""

from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_MOST_SHOWN: Final = 5


def first_fault(error: ValidationError) -> str:
    """The first fault and its place (`apps.0: Field required`), for settings of the operator's."""
    fault = _faults(error)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else fault["msg"]


def faults_of_stranger(error: ValidationError) -> str:
    """The first few faults, each with the field it is in.

    Only the outermost name is one of ours: those within may be anything that a sender wrote.
    """
    return "; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in _faults(error)[:_MOST_SHOWN])


def _faults(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_input=False, include_context=False, include_url=False)
