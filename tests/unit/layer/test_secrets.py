import copy
import logging
import pickle
from collections.abc import Callable

import pytest

from relay.secrets import Secret
from tests.support.every import every

SECRET = "s2s-key-0123456789"


@every("form", ["{}", "{!r}", "{0} and {0!r}"])
def test_secret_however_it_is_formatted_shows_stars(form: str) -> None:
    shown = form.format(Secret(SECRET))

    assert SECRET not in shown
    assert "***" in shown


def test_secret_inside_a_container_shows_stars() -> None:
    assert SECRET not in str([{"key": Secret(SECRET)}])


def test_secret_in_a_log_line_shows_stars(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("token %s", Secret(SECRET))

    assert SECRET not in caplog.text


def test_secret_reveals_itself_when_asked() -> None:
    assert Secret(SECRET).reveal() == SECRET


def test_secret_has_no_attributes_to_be_dumped() -> None:
    assert not hasattr(Secret(SECRET), "__dict__")


def test_secret_is_equal_to_one_of_the_same_value() -> None:
    assert Secret(SECRET) == Secret(SECRET)
    assert len({Secret(SECRET), Secret(SECRET)}) == 1


def test_secret_is_not_equal_to_another_or_to_its_text() -> None:
    assert Secret(SECRET) != Secret("another")
    assert Secret(SECRET) != SECRET


@every("leak", [pickle.dumps, copy.copy])
def test_secret_is_not_pickled(leak: Callable[[object], object]) -> None:
    with pytest.raises(TypeError):
        leak(Secret(SECRET))
