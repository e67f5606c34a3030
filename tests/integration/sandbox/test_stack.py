"""The real template becomes a stack in the local AWS, and its settings are read back."""

from __future__ import annotations

import pytest

from relay_sandbox.deployment.stack import Stack, deploy
from relay_sandbox.errors import SandboxError
from relay_sandbox.local_aws.aws import LocalAws
from relay_sandbox.sandbox import PROJECT
from tests.support.template import sam_template

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("local AWS"),  # shared by all of them
]

OVERRIDES = {
    "MobileEndpoint": "http://127.0.0.1:4711",
    "RetryScheduleSeconds": "0.2,0.5",
    "BatchSize": "40",
    "MobileMaxConcurrency": "7",
    "ThrottleRate": "3",
}


async def deployed(aws: LocalAws) -> Stack:
    await aws.reset()
    return await aws.call(deploy, aws, sam_template(), OVERRIDES)


async def test_deploy_functions_have_the_environment_that_the_template_resolves_to(
    aws: LocalAws,
) -> None:
    stack = await deployed(aws)

    environment = stack.functions["forward_mobile"].environment
    assert environment["RELAY_APPSFLYER_URL"] == "http://127.0.0.1:4711"
    assert environment["RELAY_RETRY_SCHEDULE_SECONDS"] == "0.2,0.5"
    assert environment["RELAY_QUEUE_URL"] == stack.outputs["MobileQueueUrl"]
    assert environment["RELAY_DEAD_LETTER_QUEUE_URL"] == stack.outputs["MobileDeadLetterQueueUrl"]
    assert environment["RELAY_IDENTITIES_TABLE"] == stack.outputs["IdentitiesTableName"]


async def test_deploy_functions_are_found_with_their_settings_and_layer(aws: LocalAws) -> None:
    stack = await deployed(aws)

    assert stack.functions.keys() == {
        *("accept", "receive_payment", "receive_install"),
        *("map_payment", "forward_mobile", "forward_web"),
    }
    accept = stack.functions["accept"]
    assert accept.handler == "app.lambda_handler"
    assert accept.folder == PROJECT / "functions" / "accept"
    assert accept.layers == (PROJECT / "layers" / "relay",)
    assert accept.timeout_seconds < 30


async def test_deploy_goes_on_with_the_tables_of_a_former_stack(aws: LocalAws) -> None:
    await aws.reset()
    former = {f"{name}TableName": f"old-{name}" for name in ("Identities", "Deliveries")}
    stack = await aws.call(deploy, aws, sam_template(), OVERRIDES | former)

    environment = stack.functions["forward_mobile"].environment
    assert environment["RELAY_IDENTITIES_TABLE"] == "old-Identities"
    assert environment["RELAY_DELIVERIES_TABLE"] == "old-Deliveries"
    assert {name: stack.outputs[name] for name in former} == former
    tables = await aws.call(aws.client("dynamodb").list_tables)
    assert tables["TableNames"] == [stack.outputs["PaymentTrailTableName"]]


async def test_deploy_queue_urls_are_local_and_take_messages_that_stay(aws: LocalAws) -> None:
    stack = await deployed(aws)
    url = stack.outputs["MobileQueueUrl"]

    await aws.call(aws.sqs.send_message, QueueUrl=url, MessageBody="{}")
    response = await aws.call(aws.sqs.receive_message, QueueUrl=url, WaitTimeSeconds=1)

    assert url.startswith(aws.url)
    assert [message["Body"] for message in response["Messages"]] == ["{}"]


async def test_deploy_event_sources_have_the_templates_settings(aws: LocalAws) -> None:
    stack = await deployed(aws)

    sources = {source.function: source for source in stack.event_sources}
    assert sources.keys() == {"forward_mobile", "forward_web", "map_payment"}
    mobile = sources["forward_mobile"]
    assert mobile.queue_url == stack.outputs["MobileQueueUrl"]
    assert mobile.queue_arn == stack.outputs["MobileQueueArn"]
    assert (mobile.batch_size, mobile.max_concurrency) == (40, 7)
    assert mobile.reports_item_failures
    assert sources["map_payment"].queue_url == stack.outputs["PaymentsQueueUrl"]


@pytest.mark.parametrize("output", ["IdentitiesTableName", "DeliveriesTableName"])
async def test_deploy_tables_take_an_item_once_under_a_condition(
    aws: LocalAws, output: str
) -> None:
    stack = await deployed(aws)
    dynamodb = aws.client("dynamodb")
    item = {"pk": {"S": "one"}, "sk": {"S": "two"}, "expires_at": {"N": "7"}}
    put = {
        "TableName": stack.outputs[output],
        "Item": item,
        "ConditionExpression": "attribute_not_exists(pk) OR expires_at <= :now",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }

    await aws.call(dynamodb.put_item, **put, ExpressionAttributeValues={":now": {"N": "6"}})
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as raised:
        await aws.call(dynamodb.put_item, **put, ExpressionAttributeValues={":now": {"N": "6"}})
    await aws.call(dynamodb.put_item, **put, ExpressionAttributeValues={":now": {"N": "7"}})

    assert raised.value.response["Item"] == item


async def test_deploy_money_trail_has_its_index_of_customers(aws: LocalAws) -> None:
    stack = await deployed(aws)
    dynamodb, table = aws.client("dynamodb"), stack.outputs["PaymentTrailTableName"]
    key = {"pk": {"S": "stripe-1#invoice:in_1"}, "sk": {"S": "node"}}
    customer = {"customer_user_id": {"S": "u-1"}}
    details = {"app_id": {"S": "id123456789"}}

    await aws.call(dynamodb.put_item, TableName=table, Item=key | customer | details)
    await aws.call(dynamodb.put_item, TableName=table, Item=key | {"sk": {"S": "decision"}})
    found = await aws.call(
        dynamodb.query,
        TableName=table,
        IndexName="customers",
        KeyConditionExpression="customer_user_id = :customer",
        ExpressionAttributeValues={":customer": {"S": "u-1"}},
    )

    assert found["Items"] == [key | customer]


async def test_deploy_api_has_the_templates_routes_and_throttle(aws: LocalAws) -> None:
    stack = await deployed(aws)

    assert {route.key: route.function for route in stack.api.routes} == {
        "POST /v1/mobile/{app_id}/events": "accept",
        "POST /v1/web/{app_id}/events": "accept",
        "POST /v1/web/{app_id}/visits": "accept",
        "GET /v1/health": "accept",
        "POST /v1/payments/{provider}/{source}": "receive_payment",
        "POST /v1/appsflyer/installs/{app_id}": "receive_install",
        "GET /v1/appsflyer/installs/{app_id}": "receive_install",
    }
    assert stack.api.rate == 3


async def test_deploy_unknown_parameter_is_refused(aws: LocalAws) -> None:
    with pytest.raises(SandboxError, match="no parameter Unknown"):
        await aws.call(deploy, aws, sam_template(), {"Unknown": "1"})
