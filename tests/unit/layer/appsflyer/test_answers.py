from relay.appsflyer.answers import verdict_of_failure, verdict_of_response
from relay.domain.kinds import Kind
from relay.domain.outcomes import AppsFlyerResponse, Outcome, Verdict
from relay.errors import SendFailedError
from tests.support.every import every

WEB_KINDS = [Kind.WEB_EVENT, Kind.WEB_VISIT]


@every(
    "kind, status, text",
    [
        (Kind.MOBILE_EVENT, 200, "OK"),
        (Kind.MOBILE_EVENT, 200, ""),
        (Kind.MOBILE_EVENT, 200, "<html>Failed to Authenticate</html>"),
        (Kind.WEB_EVENT, 202, '{"status":"success"}'),
        (Kind.WEB_VISIT, 202, "garbage"),
    ],
)
def test_verdict_of_response_200_or_202_is_delivered_whatever_the_body(
    kind: Kind, status: int, text: str
) -> None:
    """E10, E16."""
    verdict = verdict_of_response(kind, AppsFlyerResponse(status, text, None))

    assert (verdict.outcome, verdict.rule, verdict.uncertain) == (Outcome.DELIVERED, "E10", False)


@every(
    "text",
    [
        "appsflyer_id is a mandatory field",
        "Bad request",
        "Payload is missing or failed to parse",
        "",
    ],
)
def test_verdict_of_response_mobile_400_is_refused(text: str) -> None:
    """E11."""
    verdict = verdict_of_response(Kind.MOBILE_EVENT, AppsFlyerResponse(400, text, None))

    assert (verdict.outcome, verdict.rule) == (Outcome.REFUSED, "E11")


@every(
    "text",
    ["Failed to Authenticate", "failed to authenticate.", "app_id is invalid", 'bad "app_id"'],
)
def test_verdict_of_response_mobile_400_about_the_key_is_held_for_credentials(text: str) -> None:
    """E12."""
    verdict = verdict_of_response(Kind.MOBILE_EVENT, AppsFlyerResponse(400, text, None))

    assert (verdict.outcome, verdict.rule, verdict.reason) == (Outcome.HELD, "E12", "credentials")


@every("kind", WEB_KINDS)
def test_verdict_of_response_web_400_is_refused_whatever_the_text(kind: Kind) -> None:
    """E12 is a matter of mobile alone."""
    verdict = verdict_of_response(
        kind, AppsFlyerResponse(400, "Failed to Authenticate: app_id", None)
    )

    assert (verdict.outcome, verdict.rule) == (Outcome.REFUSED, "E11")


@every("kind", list(Kind))
@every(
    "status, outcome, rule, uncertain",
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
        (301, Outcome.BLOCKED, "E17", False),
        (307, Outcome.BLOCKED, "E17", False),
        (404, Outcome.BLOCKED, "E17", False),
        (405, Outcome.BLOCKED, "E17", False),
        (421, Outcome.BLOCKED, "E17", False),
        (413, Outcome.REFUSED, "E17", False),
        (422, Outcome.REFUSED, "E17", False),
    ],
)
def test_verdict_of_response_other_status_follows_the_table(
    kind: Kind, status: int, outcome: Outcome, rule: str, *, uncertain: bool
) -> None:
    verdict = verdict_of_response(kind, AppsFlyerResponse(status, "", None))

    assert (verdict.outcome, verdict.rule, verdict.uncertain) == (outcome, rule, uncertain)


@every("sure", [True, False])
def test_verdict_of_failure_is_deferred_and_uncertain_unless_sure(*, sure: bool) -> None:
    """E16."""
    verdict = verdict_of_failure(SendFailedError("read_timeout", sure=sure))

    assert verdict == Verdict(Outcome.DEFERRED, "E16", "read_timeout", not sure)


def test_outcomes_that_wait_are_those_that_may_still_be_sent() -> None:
    assert {outcome for outcome in Outcome if outcome.waits} == {
        *(Outcome.DEFERRED, Outcome.HELD, Outcome.BLOCKED)
    }
