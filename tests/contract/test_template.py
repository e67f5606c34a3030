"""What template.yaml promises: to the queues, to the secrets, to the person who deploys it."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import boto3
import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from relay.sending import MARGIN_SECONDS
from relay.settings import ForwardSettings
from tests.template import (
    PARAMETERS,
    RESOURCES,
    SETTINGS,
    TEMPLATE,
    TEXT,
    Json,
    of_type,
    properties,
    variables,
)

SOURCES = ["MobileQueue", "WebQueue", "PaymentsQueue"]
DEAD_LETTERS = ["MobileDeadLetterQueue", "WebDeadLetterQueue", "PaymentsDeadLetterQueue"]
FORWARDERS = ["ForwardMobileFunction", "ForwardWebFunction"]
CONSUMERS = [*FORWARDERS, "MapPaymentFunction"]
"""The functions that a queue invokes, in the order of SOURCES."""
BEHIND_HTTP = ["AcceptFunction", "ReceivePaymentFunction", "ReceiveInstallFunction"]
FUNCTIONS = [*BEHIND_HTTP, *CONSUMERS]

TABLES = ["IdentitiesTable", "DeliveriesTable", "PaymentTrailTable"]
ACCESS = {
    ("MapPaymentFunction", "PaymentTrailTable"): {"BatchGetItem", "PutItem", "UpdateItem"},
    ("MapPaymentFunction", "IdentitiesTable"): {"BatchGetItem", "Query"},
    ("ReceiveInstallFunction", "IdentitiesTable"): {"PutItem"},
    ("ForwardMobileFunction", "IdentitiesTable"): {"BatchGetItem"},
    ("ForwardMobileFunction", "DeliveriesTable"): {"PutItem"},
    ("ForwardWebFunction", "DeliveriesTable"): {"PutItem"},
}
"""Everything that a function may do on a table; what is not here it may not touch."""


def event_source(function: str) -> Json:
    (source,) = properties(function)["Events"].values()
    found: Json = source["Properties"]
    return found


def under(value: Any, conditions: Mapping[str, bool]) -> Any:
    """The value that an `!If` comes to."""
    match value:
        case {"Fn::If": [name, yes, no]}:
            return under(yes if conditions[name] else no, conditions)
        case {"Ref": "AWS::NoValue"}:
            return None
    return value


def statements(function: str) -> list[Json]:
    """All statements of a function's role, those included that depend on a condition."""
    (policy,) = properties(function.replace("Function", "Role"))["Policies"]
    always = {"HasCustomerKey": True, "TracingIsActive": True}
    return [under(one, always) for one in policy["PolicyDocument"]["Statement"]]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def allowed(function: str, action: str) -> list[str]:
    """The resources on which a function's role allows an action, as text."""
    return [
        json.dumps(resource)
        for statement in statements(function)
        if action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]


def environment(function: str, which: str) -> dict[str, str]:
    """The environment with each parameter at its "Default", "MinValue" or "MaxValue"."""

    def value(given: Any) -> str:
        if not isinstance(given, dict):
            return str(given)
        if given["Ref"] in TABLES:
            return f"appsflyer-relay-{given['Ref']}-1A2B3C4D5E6F"  # as CloudFormation names it
        parameter = PARAMETERS.get(given["Ref"], {})
        return str(parameter.get(which, parameter.get("Default", "https://sqs.example.com/1/q")))

    return {name: value(given) for name, given in variables(function).items()}


@pytest.fixture(scope="module")
def translated() -> Json:
    """The template after SAM's transform: what CloudFormation gets to see."""
    source = copy.deepcopy(TEMPLATE)
    for resource in source["Resources"].values():
        for folder in {"CodeUri", "ContentUri"} & resource["Properties"].keys():
            resource["Properties"][folder] = "s3://bucket/code.zip"
    translator = Translator({}, Parser(), boto_session=boto3.Session())
    result: Json = translator.translate(source, {})
    return result


@pytest.fixture(scope="module")
def routes(translated: Json) -> dict[tuple[str, str], Json]:
    (api,) = (r for r in translated["Resources"].values() if r["Type"] == "AWS::ApiGatewayV2::Api")
    return {
        (method.upper(), path): operation
        for path, operations in api["Properties"]["Body"]["paths"].items()
        for method, operation in operations.items()
    }


# --- queues


@pytest.mark.parametrize(("queue", "function"), list(zip(SOURCES, CONSUMERS, strict=True)))
def test_source_queue_hides_a_message_for_six_timeouts_and_the_longest_window(
    queue: str, function: str
) -> None:
    """AWS's advice for a queue that invokes a function."""
    window = event_source(function).get("MaximumBatchingWindowInSeconds")
    longest = PARAMETERS[window["Ref"]]["MaxValue"] if window else 0

    assert properties(queue)["VisibilityTimeout"] >= 6 * properties(function)["Timeout"] + longest


@pytest.mark.parametrize("function", CONSUMERS)
def test_consumer_with_a_large_batch_waits_for_it_to_fill(function: str) -> None:
    """Lambda refuses a batch that may be larger than 10 without a window of a second."""
    source = event_source(function)

    assert source["BatchSize"] == 10 or source["MaximumBatchingWindowInSeconds"]["Ref"]


@pytest.mark.parametrize(("queue", "dead"), list(zip(SOURCES, DEAD_LETTERS, strict=True)))
def test_source_queue_has_a_dead_letter_queue_of_its_own(queue: str, dead: str) -> None:
    target = properties(queue)["RedrivePolicy"]["deadLetterTargetArn"]

    assert target == {"Fn::GetAtt": [dead, "Arn"]}


@pytest.mark.parametrize("queue", SOURCES)
def test_source_queue_gives_a_crashing_message_at_least_five_chances(queue: str) -> None:
    """AWS's advice: with fewer, being throttled is enough to lose sight of a message."""
    assert properties(queue)["RedrivePolicy"]["maxReceiveCount"] >= 5


@pytest.mark.parametrize(
    ("queue", "days"), [*((q, 7) for q in SOURCES), *((q, 14) for q in DEAD_LETTERS)]
)
def test_queue_keeps_messages_for_its_days(queue: str, days: int) -> None:
    assert properties(queue)["MessageRetentionPeriod"] == days * 24 * 60 * 60


@pytest.mark.parametrize("queue", [*SOURCES, *DEAD_LETTERS])
def test_queue_without_a_customer_key_is_encrypted_by_sqs(queue: str) -> None:
    found = {name: under(v, {"HasCustomerKey": False}) for name, v in properties(queue).items()}

    assert (found["SqsManagedSseEnabled"], found["KmsMasterKeyId"]) == (True, None)


@pytest.mark.parametrize("queue", [*SOURCES, *DEAD_LETTERS])
def test_queue_with_a_customer_key_is_encrypted_by_it(queue: str) -> None:
    found = {name: under(v, {"HasCustomerKey": True}) for name, v in properties(queue).items()}

    assert found["KmsMasterKeyId"] == {"Ref": "KmsKeyArn"}
    assert found["SqsManagedSseEnabled"] is False


@pytest.mark.parametrize("queue", [*SOURCES, *DEAD_LETTERS])
def test_queue_refuses_everything_that_comes_without_tls(queue: str) -> None:
    policies = of_type("AWS::SQS::QueuePolicy").values()
    (policy,) = (p for p in policies if p["Queues"] == [{"Ref": queue}])
    (statement,) = policy["PolicyDocument"]["Statement"]

    assert statement | {"Sid": ""} == {
        "Sid": "",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": {"Fn::GetAtt": [queue, "Arn"]},
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_template_has_no_queue_that_these_tests_do_not_know() -> None:
    assert of_type("AWS::SQS::Queue").keys() == {*SOURCES, *DEAD_LETTERS}


# --- functions


def test_template_has_no_function_that_these_tests_do_not_know() -> None:
    assert of_type("AWS::Serverless::Function").keys() == set(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_runs_python_3_13_on_arm64(translated: Json, function: str) -> None:
    found = translated["Resources"][function]["Properties"]

    assert (found["Runtime"], found["Architectures"]) == ("python3.13", ["arm64"])


@pytest.mark.parametrize(("function", "queue"), list(zip(CONSUMERS, SOURCES, strict=True)))
def test_consumer_takes_from_its_own_queue(function: str, queue: str) -> None:
    assert event_source(function)["Queue"] == {"Fn::GetAtt": [queue, "Arn"]}


@pytest.mark.parametrize("function", CONSUMERS)
def test_consumer_answers_with_the_failures_of_single_messages(function: str) -> None:
    assert event_source(function)["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("function", CONSUMERS)
def test_consumer_has_a_bound_on_invocations_at_once(function: str) -> None:
    bound = PARAMETERS[event_source(function)["ScalingConfig"]["MaximumConcurrency"]["Ref"]]

    assert (bound["MinValue"], bound["MaxValue"]) == (2, 1000)  # what Lambda takes


@pytest.mark.parametrize("function", CONSUMERS)
def test_consumer_reserves_no_concurrency(function: str) -> None:
    """Throttled pollers use up receives, and good messages end in the dead-letter queue."""
    assert "ReservedConcurrentExecutions" not in properties(function)


@pytest.mark.parametrize("function", CONSUMERS)
def test_consumer_may_send_to_the_queue_that_invokes_it(function: str) -> None:
    """Or Lambda ends an event's waiting after about 16 rounds."""
    assert properties(function)["RecursiveLoop"] == "Allow"


@pytest.mark.parametrize("function", BEHIND_HTTP)
def test_function_behind_http_stays_guarded_against_loops(function: str) -> None:
    assert "RecursiveLoop" not in properties(function)


@pytest.mark.parametrize("function", BEHIND_HTTP)
def test_function_behind_http_ends_before_the_gateway_stops_waiting(function: str) -> None:
    """An HTTP API waits for 30 seconds, and then answers 503 in its own words."""
    assert properties(function)["Timeout"] < 30


@pytest.mark.parametrize("function", BEHIND_HTTP)
def test_function_behind_http_may_start_from_a_snapshot(function: str) -> None:
    """Snapshots are of published versions only, and a change of nothing but the layer counts."""
    found = properties(function)

    assert found["SnapStart"] == {"ApplyOn": {"Ref": "SnapStart"}}
    assert (found["AutoPublishAlias"], found["AutoPublishAliasAllProperties"]) == ("live", True)


@pytest.mark.parametrize("function", BEHIND_HTTP)
def test_routes_call_the_newest_version_of_their_function(
    translated: Json, routes: Mapping[tuple[str, str], Json], function: str
) -> None:
    alias = translated["Resources"][f"{function}Aliaslive"]["Properties"]
    integrations = [json.dumps(one["x-amazon-apigateway-integration"]) for one in routes.values()]

    assert alias["FunctionName"] == {"Ref": function}
    assert any(f"${{{function}Aliaslive}}" in integration for integration in integrations)
    assert not any(f"${{{function}.Arn}}" in integration for integration in integrations)


@pytest.mark.parametrize("function", FORWARDERS)
def test_forwarder_outlives_the_slowest_request_that_its_parameters_allow(function: str) -> None:
    """Else it takes no work at all: a job is begun only when this much time is left."""
    slowest = PARAMETERS["ConnectTimeoutSeconds"]["MaxValue"]
    slowest += PARAMETERS["ReadTimeoutSeconds"]["MaxValue"]

    assert properties(function)["Timeout"] > 2 * slowest + MARGIN_SECONDS + 10


@pytest.mark.parametrize("limit", ["HoldLimitSeconds", "IdentityLimitSeconds"])
def test_held_event_is_given_up_before_its_queue_would_drop_it(limit: str) -> None:
    retention = min(properties(queue)["MessageRetentionPeriod"] for queue in SOURCES)

    assert PARAMETERS[limit]["MaxValue"] < retention


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_is_told_exactly_what_its_settings_read(function: str) -> None:
    settings = SETTINGS[function]
    told = {name for name in variables(function) if name.startswith("RELAY_")}
    looking_up = {"RELAY_IDENTITIES_TABLE", "RELAY_IDENTITY_LIMIT_SECONDS"}
    has_no_use_for = looking_up if function == "ForwardWebFunction" else set()

    read = {settings.variable(field) for field in settings.model_fields}
    assert told == read - has_no_use_for


@pytest.mark.parametrize("which", ["Default", "MinValue", "MaxValue"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_settings_take_whatever_the_parameters_let_through(function: str, which: str) -> None:
    SETTINGS[function].from_env(environment(function, which))


@pytest.mark.parametrize("function", FORWARDERS)
@pytest.mark.parametrize("choice", PARAMETERS["Deduplicate"]["AllowedValues"])
def test_settings_take_each_choice_of_what_is_remembered(function: str, choice: str) -> None:
    given = environment(function, "Default") | {"RELAY_DEDUPLICATE": choice}

    assert SETTINGS[function].from_env(given).deduplicate == choice


@pytest.mark.parametrize("choice", PARAMETERS["UncertainMoney"]["AllowedValues"])
def test_settings_take_each_choice_for_uncertain_money(choice: str) -> None:
    given = environment("ForwardMobileFunction", "Default") | {"RELAY_UNCERTAIN_MONEY": choice}

    assert ForwardSettings.from_env(given).uncertain_money == choice


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_names_itself_in_logs_and_metrics(function: str) -> None:
    folder = properties(function)["CodeUri"].removeprefix("functions/")

    assert variables(function)["POWERTOOLS_SERVICE_NAME"] == folder


# --- tables


def test_template_has_no_table_that_these_tests_do_not_know() -> None:
    assert of_type("AWS::DynamoDB::Table").keys() == set(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_table_has_the_key_that_the_layer_reads_by(table: str) -> None:
    keys = {one["AttributeName"]: one["KeyType"] for one in properties(table)["KeySchema"]}
    types = {
        one["AttributeName"]: one["AttributeType"]
        for one in properties(table)["AttributeDefinitions"]
    }

    assert keys == {"pk": "HASH", "sk": "RANGE"}
    assert set(types.values()) == {"S"}


@pytest.mark.parametrize("table", TABLES)
def test_table_is_paid_for_by_the_request(table: str) -> None:
    assert properties(table)["BillingMode"] == "PAY_PER_REQUEST"


@pytest.mark.parametrize("table", TABLES)
def test_table_forgets_what_has_expired(table: str) -> None:
    found = properties(table)["TimeToLiveSpecification"]

    assert found == {"AttributeName": "expires_at", "Enabled": True}


@pytest.mark.parametrize("table", TABLES)
def test_table_without_a_customer_key_is_encrypted_by_dynamodb(table: str) -> None:
    found = under(properties(table)["SSESpecification"], {"HasCustomerKey": False})

    assert found == {"SSEEnabled": False}  # which stands for a key of DynamoDB's own


@pytest.mark.parametrize("table", TABLES)
def test_table_with_a_customer_key_is_encrypted_by_it(table: str) -> None:
    found = under(properties(table)["SSESpecification"], {"HasCustomerKey": True})

    assert found == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": {"Ref": "KmsKeyArn"}}


@pytest.mark.parametrize("table", TABLES)
def test_table_outlives_its_stack(table: str) -> None:
    """What it knows cannot be asked for again, and without it money is lost or counted twice."""
    assert RESOURCES[table]["DeletionPolicy"] == "Retain"
    assert RESOURCES[table]["UpdateReplacePolicy"] == "Retain"


def test_money_trail_can_be_restored_to_any_moment() -> None:
    found = properties("PaymentTrailTable")["PointInTimeRecoverySpecification"]

    assert found == {"PointInTimeRecoveryEnabled": True}


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


# --- permissions


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_does_with_a_table_only_what_it_needs(function: str, table: str) -> None:
    resource = {"Fn::GetAtt": [table, "Arn"]}
    actions = {
        action
        for statement in statements(function)
        if resource in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }

    assert actions == {f"dynamodb:{one}" for one in ACCESS.get((function, table), set())}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_may_use_each_table_that_it_is_told_of(function: str) -> None:
    told = {value["Ref"] for value in variables(function).values() if isinstance(value, dict)}

    assert told & set(TABLES) == {table for one, table in ACCESS if one == function}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_may_do_only_what_is_written_in_its_role(translated: Json, function: str) -> None:
    """SAM adds nothing: its managed policies may receive from, and log to, everything."""
    role = function.replace("Function", "Role")

    assert translated["Resources"][function]["Properties"]["Role"] == {"Fn::GetAtt": [role, "Arn"]}
    assert "ManagedPolicyArns" not in translated["Resources"][role]["Properties"]


def test_every_statement_says_its_reason_beside_it() -> None:
    assert re.findall(r"- Sid: \w+ *$", TEXT, re.MULTILINE) == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_statement_is_without_a_sid_to_carry_its_reason(function: str) -> None:
    assert all("Sid" in statement for statement in statements(function))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_role_allows_a_family_of_actions(function: str) -> None:
    actions = [action for one in statements(function) for action in listed(one["Action"])]

    assert [action for action in actions if "*" in action] == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_role_reaches_every_resource_except_to_send_traces(function: str) -> None:
    """X-Ray has no resources to name."""
    everywhere = [one["Sid"] for one in statements(function) if "*" in listed(one["Resource"])]

    assert everywhere == ["SendTraces"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_parameters_are_read_by_exact_name_only(function: str) -> None:
    """A grant on a path would return everything below it, whatever is denied there."""
    actions = {action for one in statements(function) for action in listed(one["Action"])}

    assert {action for action in actions if action.startswith("ssm:")} == {"ssm:GetParameters"}


@pytest.mark.parametrize(
    ("function", "readable"),
    [
        ("AcceptFunction", ["producers", "apps/*"]),
        ("ReceivePaymentFunction", ["sources", "webhook_secrets/*"]),
        ("ReceiveInstallFunction", ["push_senders"]),
        ("MapPaymentFunction", ["sources", "apps/*"]),
        ("ForwardMobileFunction", ["apps/mobile/*", "tokens/mobile/*"]),
        ("ForwardWebFunction", ["apps/web/*", "tokens/web/*"]),
    ],
)
def test_function_reads_only_its_own_part_of_parameter_store(
    function: str, readable: list[str]
) -> None:
    """No function reads another's secrets, and `map_payment` reads none at all."""
    base = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter${ParameterPrefix}/"

    assert allowed(function, "ssm:GetParameters") == [
        json.dumps({"Fn::Sub": base + name}) for name in readable
    ]


@pytest.mark.parametrize(
    ("function", "queues"),
    [
        ("AcceptFunction", ["MobileQueue", "WebQueue"]),
        ("ReceivePaymentFunction", ["PaymentsQueue"]),
        ("ReceiveInstallFunction", []),
        (
            "MapPaymentFunction",
            ["PaymentsQueue", "PaymentsDeadLetterQueue", "MobileQueue", "WebQueue"],
        ),
        ("ForwardMobileFunction", ["MobileQueue", "MobileDeadLetterQueue"]),
        ("ForwardWebFunction", ["WebQueue", "WebDeadLetterQueue"]),
    ],
)
def test_function_sends_to_its_own_queues_only(function: str, queues: list[str]) -> None:
    assert allowed(function, "sqs:SendMessage") == [
        json.dumps({"Fn::GetAtt": [queue, "Arn"]}) for queue in queues
    ]


@pytest.mark.parametrize(
    ("function", "queues"),
    [
        ("AcceptFunction", []),
        ("ReceivePaymentFunction", []),
        ("ReceiveInstallFunction", []),
        ("MapPaymentFunction", ["PaymentsQueue"]),
        ("ForwardMobileFunction", ["MobileQueue"]),
        ("ForwardWebFunction", ["WebQueue"]),
    ],
)
def test_function_receives_from_its_own_queue_only(function: str, queues: list[str]) -> None:
    assert allowed(function, "sqs:ReceiveMessage") == [
        json.dumps({"Fn::GetAtt": [queue, "Arn"]}) for queue in queues
    ]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_role_without_a_customer_key_knows_no_key(function: str) -> None:
    (policy,) = properties(function.replace("Function", "Role"))["Policies"]
    none = {"HasCustomerKey": False, "TracingIsActive": False}
    found = [under(one, none) for one in policy["PolicyDocument"]["Statement"]]

    assert "kms:" not in json.dumps(found)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_customer_key_is_used_only_through_the_services_that_a_function_calls(
    function: str,
) -> None:
    calls = {
        action.partition(":")[0] for s in statements(function) for action in listed(s["Action"])
    }
    (statement,) = (one for one in statements(function) if "kms:Decrypt" in listed(one["Action"]))

    assert statement["Resource"] == {"Ref": "KmsKeyArn"}
    assert statement["Condition"]["StringEquals"]["kms:ViaService"] == [
        {"Fn::Sub": f"{service}.${{AWS::Region}}.amazonaws.com"}
        for service in ("sqs", "ssm", "dynamodb")
        if service in calls
    ]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_customer_key_makes_new_keys_only_for_those_that_send_to_a_queue(function: str) -> None:
    actions = {action for one in statements(function) for action in listed(one["Action"])}

    assert ("kms:GenerateDataKey" in actions) == ("sqs:SendMessage" in actions)


# --- parameters


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_has_a_default(name: str) -> None:
    assert "Default" in PARAMETERS[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_has_bounds(name: str) -> None:
    bounds = {"AllowedValues", "AllowedPattern"} & PARAMETERS[name].keys()

    assert bounds or {"MinValue", "MaxValue"} <= PARAMETERS[name].keys()


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_says_its_unit(name: str) -> None:
    units = r"seconds|days|MB|messages|requests|invocations|scheme and host, no path|no unit"

    assert re.search(rf"\b({units})\b", PARAMETERS[name]["Description"], re.IGNORECASE)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_default_is_within_its_bounds(name: str) -> None:
    parameter = PARAMETERS[name]
    default = parameter["Default"]

    assert default in parameter.get("AllowedValues", [default])
    assert re.fullmatch(parameter.get("AllowedPattern", ".*"), str(default))
    if "MinValue" in parameter:
        assert parameter["MinValue"] <= default <= parameter["MaxValue"]


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_stands_in_a_group_of_the_console(name: str) -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]

    assert [group for group in groups if name in group["Parameters"]]


def texts(value: Any) -> Iterator[str]:
    match value:
        case dict():
            yield from (text for inner in value.values() for text in texts(inner))
        case list():
            yield from (text for inner in value for text in texts(inner))
        case str():
            yield value


@pytest.mark.parametrize("part", ["Parameters", "Globals", "Resources"])
def test_template_holds_nothing_that_looks_like_a_secret(part: str) -> None:
    """A word of 20 letters and digits mixed is a key; our names and numbers are not."""
    secret = re.compile(r"(?=\w*[A-Za-z])(?=\w*\d)\w{20,}")

    assert [text for text in texts(TEMPLATE[part]) if secret.search(text)] == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_environment_has_no_variable_for_a_secret(function: str) -> None:
    """CloudFormation and the console show the environment to whoever may look."""
    words = re.compile("SECRET|TOKEN|PASSWORD|CREDENTIAL|_KEY")

    assert [name for name in variables(function) if words.search(name)] == []


# --- logs


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_logs_to_a_group_of_its_own(function: str) -> None:
    group = function.replace("Function", "LogGroup")

    assert properties(function)["LoggingConfig"] == {"LogGroup": {"Ref": group}}


@pytest.mark.parametrize("group", of_type("AWS::Logs::LogGroup"))
def test_log_group_is_kept_for_the_days_of_the_parameter(group: str) -> None:
    """Without it, CloudWatch keeps logs for ever."""
    assert properties(group)["RetentionInDays"] == {"Ref": "LogRetentionDays"}


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


# --- HTTP API


def test_api_has_exactly_the_documented_routes(routes: Mapping[tuple[str, str], Json]) -> None:
    assert set(routes) == {
        ("POST", "/v1/mobile/{app_id}/events"),
        ("POST", "/v1/web/{app_id}/events"),
        ("POST", "/v1/web/{app_id}/visits"),
        ("GET", "/v1/health"),
        ("POST", "/v1/payments/{provider}/{source}"),
        ("POST", "/v1/appsflyer/installs/{app_id}"),
        ("GET", "/v1/appsflyer/installs/{app_id}"),
    }


def test_api_speaks_payload_format_2_on_every_route(
    routes: Mapping[tuple[str, str], Json],
) -> None:
    integrations = [one["x-amazon-apigateway-integration"] for one in routes.values()]

    assert {one["payloadFormatVersion"] for one in integrations} == {"2.0"}


def test_api_is_throttled_by_the_parameters() -> None:
    assert properties("Api")["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": {"Ref": "ThrottleRate"},
        "ThrottlingBurstLimit": {"Ref": "ThrottleBurst"},
    }


# --- outputs


@pytest.mark.parametrize("queue", [*SOURCES, *DEAD_LETTERS])
def test_outputs_give_the_url_and_the_arn_of_each_queue(queue: str) -> None:
    assert TEMPLATE["Outputs"][f"{queue}Url"]["Value"] == {"Ref": queue}
    assert TEMPLATE["Outputs"][f"{queue}Arn"]["Value"] == {"Fn::GetAtt": [queue, "Arn"]}


@pytest.mark.parametrize("table", TABLES)
def test_outputs_give_the_name_of_each_table(table: str) -> None:
    assert TEMPLATE["Outputs"][f"{table}Name"]["Value"] == {"Ref": table}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_outputs_give_the_name_of_each_function(function: str) -> None:
    assert TEMPLATE["Outputs"][f"{function}Name"]["Value"] == {"Ref": function}


def test_outputs_give_the_address_of_the_api() -> None:
    assert "ApiUrl" in TEMPLATE["Outputs"]


def test_outputs_give_the_place_of_the_secrets() -> None:
    assert TEMPLATE["Outputs"]["ParameterPrefix"]["Value"] == {"Ref": "ParameterPrefix"}
