from hypothesis import given
from hypothesis import strategies as st

from relay.appsflyer.answers import verdict_of_response
from relay.domain.kinds import Kind
from relay.domain.outcomes import AppsFlyerResponse, Outcome
from tests.property.strategies import any_text, kinds

KEPT_BY_A_RESPONSE = {Outcome.REFUSED, Outcome.BLOCKED, Outcome.DEFERRED, Outcome.HELD}


@given(kinds, st.integers(100, 599), any_text)
def test_verdict_of_any_response_is_delivered_for_success_alone(
    kind: Kind, status: int, text: str
) -> None:
    verdict = verdict_of_response(kind, AppsFlyerResponse(status, text, None))

    assert (verdict.outcome is Outcome.DELIVERED) == (200 <= status <= 299)
    assert verdict.outcome in KEPT_BY_A_RESPONSE | {Outcome.DELIVERED}


@given(kinds, st.integers(100, 599), any_text)
def test_verdict_of_any_response_is_uncertain_only_where_it_is_deferred(
    kind: Kind, status: int, text: str
) -> None:
    verdict = verdict_of_response(kind, AppsFlyerResponse(status, text, None))

    assert not verdict.uncertain or verdict.outcome is Outcome.DEFERRED


@given(kinds, st.integers(100, 599), st.text(min_size=1).map("Qzv{}".format))
def test_verdict_of_any_response_never_quotes_its_text(kind: Kind, status: int, text: str) -> None:
    verdict = verdict_of_response(kind, AppsFlyerResponse(status, text, None))

    assert "Qzv" not in str(verdict._replace(response=None))
