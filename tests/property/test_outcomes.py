from hypothesis import given
from hypothesis import strategies as st

from relay.appsflyer.answers import ruling_of_answer
from relay.domain.kinds import Kind
from relay.domain.outcomes import Outcome
from tests.property.strategies import any_text, kinds

KEPT_BY_AN_ANSWER = {Outcome.REFUSED, Outcome.BLOCKED, Outcome.DEFERRED, Outcome.HELD}


@given(kinds, st.integers(100, 599), any_text)
def test_ruling_of_any_answer_is_delivered_for_success_alone(
    kind: Kind, status: int, text: str
) -> None:
    ruling = ruling_of_answer(kind, status, text)

    assert (ruling.outcome is Outcome.DELIVERED) == (200 <= status <= 299)
    assert ruling.outcome in KEPT_BY_AN_ANSWER | {Outcome.DELIVERED}


@given(kinds, st.integers(100, 599), any_text)
def test_ruling_of_any_answer_is_uncertain_only_where_it_is_deferred(
    kind: Kind, status: int, text: str
) -> None:
    ruling = ruling_of_answer(kind, status, text)

    assert not ruling.uncertain or ruling.outcome is Outcome.DEFERRED


@given(kinds, st.integers(100, 599), st.text(min_size=1).map("Qzv{}".format))
def test_ruling_of_any_answer_never_quotes_its_text(kind: Kind, status: int, text: str) -> None:
    assert "Qzv" not in str(ruling_of_answer(kind, status, text))
