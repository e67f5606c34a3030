"""The logs: where they go, for how long, and what never gets into them."""

import json
import re

from tests.support.every import every
from tests.support.template import FUNCTIONS, TEXT, of_type, properties, under

MASKED = [function.replace("Function", "LogGroup") for function in FUNCTIONS]
"""All but the API's: its format leaves nothing to be found."""


@every("function", FUNCTIONS)
def test_function_logs_to_a_group_of_its_own(function: str) -> None:
    group = function.replace("Function", "LogGroup")

    assert properties(function)["LoggingConfig"] == {"LogGroup": {"Ref": group}}


@every("group", of_type("AWS::Logs::LogGroup"))
def test_log_group_is_kept_for_the_days_of_the_parameter(group: str) -> None:
    """Without it, CloudWatch keeps logs for ever."""
    assert properties(group)["RetentionInDays"] == {"Ref": "LogRetentionDays"}


@every("group", of_type("AWS::Logs::LogGroup"))
def test_log_group_with_a_customer_key_is_encrypted_by_it(group: str) -> None:
    assert under(properties(group)["KmsKeyId"], {"HasCustomerKey": True}) == {"Ref": "KmsKeyArn"}


@every("group", of_type("AWS::Logs::LogGroup"))
def test_log_group_without_a_customer_key_is_encrypted_by_cloudwatch_logs(group: str) -> None:
    """Which it always is, with a key of its own, when none is named."""
    assert under(properties(group)["KmsKeyId"], {"HasCustomerKey": False}) is None


@every("group", MASKED)
def test_log_of_a_function_is_looked_through_only_when_that_is_asked_for(group: str) -> None:
    """It is billed by the GB."""
    assert under(properties(group)["DataProtectionPolicy"], {"LogsAreMasked": False}) is None


@every("group", MASKED)
def test_log_of_a_function_is_searched_for_people_and_keys(group: str) -> None:
    policy = under(properties(group)["DataProtectionPolicy"], {"LogsAreMasked": True})
    managed = "arn:${AWS::Partition}:dataprotection::aws:data-identifier/"
    (own,) = policy["Configuration"]["CustomDataIdentifier"]

    assert [statement["DataIdentifier"] for statement in policy["Statement"]] == 2 * [
        [
            {"Fn::Sub": managed + "EmailAddress"},
            {"Fn::Sub": managed + "IpAddress"},
            {"Fn::Sub": managed + "AwsSecretKey"},
            own["Name"],
        ]
    ]


@every("group", MASKED)
def test_log_of_a_function_has_what_is_found_counted_and_masked(group: str) -> None:
    """CloudWatch Logs wants both, in this form."""
    policy = under(properties(group)["DataProtectionPolicy"], {"LogsAreMasked": True})

    assert policy["Version"] == "2021-06-01"
    assert [statement["Operation"] for statement in policy["Statement"]] == [
        {"Audit": {"FindingsDestination": {}}},
        {"Deidentify": {"MaskConfig": {}}},
    ]


@every("group", MASKED)
@every(
    "text, found",
    [("call +12025550123 now", True), ("+442079460958", True), ("1732575600123", False)],
)
def test_log_of_a_function_is_searched_for_phones_with_a_country_code(
    group: str, text: str, *, found: bool
) -> None:
    policy = under(properties(group)["DataProtectionPolicy"], {"LogsAreMasked": True})
    (phone,) = policy["Configuration"]["CustomDataIdentifier"]

    assert bool(re.search(phone["Regex"], text)) == found


def test_no_function_logs_the_events_that_it_is_given() -> None:
    assert "LOG_EVENT" not in TEXT


def test_access_log_holds_only_what_tells_nothing_about_a_person_or_a_token() -> None:
    """No query string, no header, no address, no user agent, no path as it was sent."""
    format_ = json.loads(properties("Api")["AccessLogSettings"]["Format"])

    assert set(format_.values()) <= {
        "$context.requestId",
        "$context.requestTime",
        "$context.routeKey",
        "$context.status",
        "$context.responseLength",
        "$context.responseLatency",
        "$context.integration.status",
        "$context.integrationLatency",
        "$context.integrationErrorMessage",
    }
