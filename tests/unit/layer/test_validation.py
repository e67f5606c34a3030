"""Moments of senders, and what is said of values that are none."""

import pytest
from pydantic import TypeAdapter, ValidationError

from relay.validation import Moment, first_fault
from tests.support.every import every


@every("text", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_moment_that_no_clock_in_utc_shows_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValidationError) as error:
        TypeAdapter(Moment).validate_python(text)

    assert "must be a moment of the years 1 to 9999 in UTC" in first_fault(error.value)
