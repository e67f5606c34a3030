import pytest

from relay.appsflyer.answers import ruling_of_answer, ruling_of_failure
from relay.domain.kinds import Kind
from relay.domain.outcomes import Outcome

WEB_KINDS = [Kind.WEB_EVENT, Kind.WEB_VISIT]


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        (Kind.MOBILE_EVENT, 200, "OK"),
        (Kind.MOBILE_EVENT, 200, ""),
        (Kind.MOBILE_EVENT, 200, "<html>Failed to Authenticate</html>"),
        (Kind.WEB_EVENT, 202, '{"status":"success"}'),
        (Kind.WEB_VISIT, 202, "garbage"),
    ],
)
def test_ruling_of_answer_200_or_202_is_delivered_whatever_the_body(
    kind: Kind, status: int, text: str
) -> None:
    """E10, E16."""
    ruling = ruling_of_answer(kind, status, text)

    assert (ruling.outcome, ruling.rule, ruling.uncertain) == (Outcome.DELIVERED, "E10", False)


@pytest.mark.parametrize(
    "text",
    [
        "appsflyer_id is a mandatory field",
        "Bad request",
        "Payload is missing or failed to parse",
        "",
    ],
)
def test_ruling_of_answer_mobile_400_is_refused(text: str) -> None:
    """E11."""
    ruling = ruling_of_answer(Kind.MOBILE_EVENT, 400, text)

    assert (ruling.outcome, ruling.rule) == (Outcome.REFUSED, "E11")


@pytest.mark.parametrize(
    "text",
    ["Failed to Authenticate", "failed to authenticate.", "app_id is invalid", 'bad "app_id"'],
)
def test_ruling_of_answer_mobile_400_about_the_key_is_held_for_credentials(text: str) -> None:
    """E12."""
    ruling = ruling_of_answer(Kind.MOBILE_EVENT, 400, text)

    assert (ruling.outcome, ruling.rule, ruling.reason) == (Outcome.HELD, "E12", "credentials")


@pytest.mark.parametrize("kind", WEB_KINDS)
def test_ruling_of_answer_web_400_is_refused_whatever_the_text(kind: Kind) -> None:
    """E12 is a matter of mobile alone."""
    ruling = ruling_of_answer(kind, 400, "Failed to Authenticate: app_id")

    assert (ruling.outcome, ruling.rule) == (Outcome.REFUSED, "E11")


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize(
    ("status", "outcome", "rule", "uncertain"),
    [
        (401, Outcome.HELD, "E13", False),
        (403, Outcome.BLOCKED, "E14", False),
        (415, Outcome.REFUSED, "E15", False),
        (408, Outcome.DEFERRED, "E16", True),
        (429, Outcome.DEFERRED, "E16", False),
        (500, Outcome.DEFERRED, "E16", True),
        (502, Outcome.DEFERRED, "E16", True),
        (503, Outcome.DEFERRED, "E16", False),
        (504, Outcome.DEFERRED, "E16", True),
        (599, Outcome.DEFERRED, "E16", True),
        (301, Outcome.REFUSED, "E17", False),
        (307, Outcome.REFUSED, "E17", False),
        (404, Outcome.REFUSED, "E17", False),
        (405, Outcome.REFUSED, "E17", False),
        (413, Outcome.REFUSED, "E17", False),
        (422, Outcome.REFUSED, "E17", False),
    ],
)
def test_ruling_of_answer_other_status_follows_the_table(
    kind: Kind, status: int, outcome: Outcome, rule: str, *, uncertain: bool
) -> None:
    ruling = ruling_of_answer(kind, status, "")

    assert (ruling.outcome, ruling.rule, ruling.uncertain) == (outcome, rule, uncertain)


@pytest.mark.parametrize("sure", [True, False])
def test_ruling_of_failure_is_deferred_and_uncertain_unless_sure(*, sure: bool) -> None:
    """E16."""
    ruling = ruling_of_failure("read_timeout", sure=sure)

    assert ruling == (Outcome.DEFERRED, "E16", "read_timeout", not sure)
