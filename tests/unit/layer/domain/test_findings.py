from relay.domain.findings import Finding, Findings, Severity
from tests.support.every import every


def test_findings_of_all_severities_keep_their_order() -> None:
    findings = Findings()

    findings.repair("M5", "eventCurrency", "lower case")
    findings.warn("M12", "os", "is missing")

    assert findings.as_tuple() == (
        Finding("M5", Severity.REPAIR, "eventCurrency", "lower case"),
        Finding("M12", Severity.WARN, "os", "is missing"),
    )


def test_findings_of_a_rejected_event_hold_no_repair() -> None:
    """Nothing of it is sent, repaired or not."""
    findings = Findings()

    findings.repair("M5", "eventCurrency", "lower case")
    findings.reject("M1", "appsflyer_id", "is missing")

    assert findings.as_tuple() == (Finding("M1", Severity.REJECT, "appsflyer_id", "is missing"),)


def test_findings_without_a_reject_are_not_rejected() -> None:
    findings = Findings()

    findings.warn("M12", "os", "is missing")
    findings.repair("M5", "eventCurrency", "lower case")

    assert not findings.rejected


def test_findings_with_one_reject_are_rejected() -> None:
    findings = Findings()

    findings.reject("M1", "appsflyer_id", "is missing")
    findings.warn("M12", "os", "is missing")

    assert findings.rejected


@every("severity, rejected", [(Severity.REJECT, True), (Severity.WARN, False)])
def test_findings_started_from_others_know_whether_these_reject(
    severity: Severity, *, rejected: bool
) -> None:
    assert Findings([Finding("M1", severity, "f", "m")]).rejected is rejected


def test_finding_as_dict_is_plain_json() -> None:
    finding = Finding("H8", Severity.REJECT, "email", "is no e-mail address")

    shown = finding.as_dict()

    assert shown == {
        "rule": "H8",
        "severity": "reject",
        "field": "email",
        "message": "is no e-mail address",
    }
    assert type(shown["severity"]) is str
