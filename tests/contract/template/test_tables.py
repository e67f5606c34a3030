"""The tables: their keys, what they cost, and that what they know is not lost."""

import json
from datetime import date

from tests.support.every import every
from tests.support.template import (
    PARAMETERS,
    RESOURCES,
    TABLES,
    TEMPLATE,
    conditions,
    objects,
    of_type,
    properties,
    under,
)


def test_template_has_no_table_that_these_tests_do_not_know() -> None:
    assert of_type("AWS::DynamoDB::Table").keys() == set(TABLES)


@every("table", TABLES)
def test_table_has_the_key_that_the_layer_reads_by(table: str) -> None:
    keys = {one["AttributeName"]: one["KeyType"] for one in properties(table)["KeySchema"]}
    types = {
        one["AttributeName"]: one["AttributeType"]
        for one in properties(table)["AttributeDefinitions"]
    }

    assert keys == {"pk": "HASH", "sk": "RANGE"}
    assert set(types.values()) == {"S"}


@every("table", TABLES)
def test_table_is_paid_for_by_the_request(table: str) -> None:
    assert properties(table)["BillingMode"] == "PAY_PER_REQUEST"


@every("table", TABLES)
def test_table_forgets_what_has_expired(table: str) -> None:
    found = properties(table)["TimeToLiveSpecification"]

    assert found == {"AttributeName": "expires_at", "Enabled": True}


@every("table", TABLES)
def test_table_without_a_customer_key_is_encrypted_by_dynamodb(table: str) -> None:
    found = under(properties(table)["SSESpecification"], {"HasCustomerKey": False})

    assert found == {"SSEEnabled": False}  # which stands for a key of DynamoDB's own


@every("table", TABLES)
def test_table_with_a_customer_key_is_encrypted_by_it(table: str) -> None:
    found = under(properties(table)["SSESpecification"], {"HasCustomerKey": True})

    assert found == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": {"Ref": "KmsKeyArn"}}


@every("table", TABLES)
def test_table_outlives_its_stack(table: str) -> None:
    """What it knows cannot be asked for again, and without it money is lost or counted twice."""
    assert RESOURCES[table]["DeletionPolicy"] == "Retain"
    assert RESOURCES[table]["UpdateReplacePolicy"] == "Retain"


@every("table", ["PaymentTrailTable", "IdentitiesTable"])
def test_table_that_nothing_fills_again_can_be_restored_to_any_moment(table: str) -> None:
    """AppsFlyer's reports, from which identities can be imported, reach back 90 days."""
    found = properties(table)["PointInTimeRecoverySpecification"]

    assert found == {"PointInTimeRecoveryEnabled": True}


@every("table", TABLES)
def test_stack_goes_on_with_the_table_of_a_former_one(table: str) -> None:
    """Then it makes none, and wherever the table's name or ARN was, that of the other stands."""
    adopted = conditions(**{f"{table}Name": "of-a-former-stack"})
    uses = [
        under(one, adopted)
        for one in objects(TEMPLATE)
        if f'"{table}"' in json.dumps(one.get("Fn::If", [None, None])[1])
    ]
    direct = [one for one in objects(TEMPLATE) if one.get("Ref") == table]
    arns = [one for one in objects(TEMPLATE) if one.get("Fn::GetAtt") == [table, "Arn"]]

    assert not adopted[RESOURCES[table]["Condition"]]
    assert len(uses) == len(direct) + len(arns)
    assert all(f"{table}Name" in json.dumps(one) for one in uses)


def test_money_trail_can_be_asked_for_all_of_a_customer() -> None:
    """And the index holds keys only: there is no second copy of who paid what."""
    assert properties("PaymentTrailTable")["GlobalSecondaryIndexes"] == [
        {
            "IndexName": "customers",
            "KeySchema": [{"AttributeName": "customer_user_id", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ]


def test_delivery_is_remembered_for_longer_than_any_provider_repeats_a_webhook() -> None:
    """Adyen does so for 30 days."""
    assert PARAMETERS["DeliveryDays"]["MinValue"] > 30


def test_money_trail_goes_back_13_months() -> None:
    longest = (date(2025, 2, 1) - date(2024, 1, 1)).days  # over a leap day

    assert PARAMETERS["PaymentTrailDays"]["MinValue"] >= longest
