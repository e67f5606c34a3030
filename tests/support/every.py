"""One test for all items of a list, where a case of its own for each would only be counted."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, cast

import pytest

Test = Callable[..., Any]
"""A test, or a coroutine function that is one."""


def every(
    names: str, values: Iterable[Any], ids: Iterable[str] | Callable[[Any], str] | None = None
) -> Callable[[Test], Test]:
    """Run a test for each item, as `pytest.mark.parametrize` does, but as one case.

    It fails with the list of all items that break the promise, each with what was said of it. For
    tests that change nothing: fixtures are made once, and shared by all items.
    """
    arguments = [name.strip() for name in names.split(",")]
    items = list(_items(arguments, list(values), ids))

    def decorate(test: Test) -> Test:
        @functools.wraps(test)
        def one_for_all(**fixtures: Any) -> None:
            _fail_with([(title, _said_of(test, given | fixtures)) for title, given in items])

        @functools.wraps(test)
        async def async_one_for_all(**fixtures: Any) -> None:
            found = [(title, await _said_in(test(**given | fixtures))) for title, given in items]
            _fail_with(found)

        left = [
            parameter
            for name, parameter in inspect.signature(test).parameters.items()
            if name not in arguments
        ]
        made: Any = async_one_for_all if inspect.iscoroutinefunction(test) else one_for_all
        made.__signature__ = inspect.Signature(left)
        return cast("Test", made)

    return decorate


def _fail_with(found: list[tuple[str, str | None]]) -> None:
    broken = [f"{title}: {said}" for title, said in found if said is not None]
    assert found, "there is nothing to look at"
    assert not broken, "\n".join([f"{len(broken)} of {len(found)}:", *broken])


def _items(
    arguments: list[str], values: list[Any], ids: Iterable[str] | Callable[[Any], str] | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    titles = list(ids) if ids is not None and not callable(ids) else [None] * len(values)
    for value, title in zip(values, titles, strict=True):
        parts, own = (value.values, value.id) if _is_param(value) else (value, None)
        if len(arguments) == 1 and not _is_param(value):
            parts = (parts,)
        named = str(title or own or " ".join(map(ids if callable(ids) else repr, parts)))
        yield f"{named:.200}", dict(zip(arguments, parts, strict=True))


def _is_param(value: Any) -> bool:
    return isinstance(value, type(pytest.param()))


def _said_of(test: Test, given: dict[str, Any]) -> str | None:
    """What a failed assertion, or any other error, says; None if there is none."""
    try:
        test(**given)
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - each is one item's failure
        return f"{type(error).__name__}: {error}"
    return None


async def _said_in(running: Awaitable[None]) -> str | None:
    try:
        await running
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - as above
        return f"{type(error).__name__}: {error}"
    return None
