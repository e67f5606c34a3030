"""The queues: how long they keep and hide a message, and who may not touch it."""

import re

from relay.consumer.suspects import APART_SECONDS
from tests.support.every import every
from tests.support.template import (
    CONSUMERS,
    DEAD_LETTERS,
    PARAMETERS,
    RESOURCES,
    SOURCES,
    event_source,
    of_type,
    properties,
    under,
)

SOURCES_GIVEN = {"Ref": "RedriveSources"}


@every("queue, function", list(zip(SOURCES, CONSUMERS, strict=True)))
def test_source_queue_hides_a_message_for_six_timeouts_and_the_longest_window(
    queue: str, function: str
) -> None:
    """AWS's advice for a queue that invokes a function."""
    window = event_source(function).get("MaximumBatchingWindowInSeconds")
    longest = PARAMETERS[window["Ref"]]["MaxValue"] if window else 0

    assert properties(queue)["VisibilityTimeout"] >= 6 * properties(function)["Timeout"] + longest


@every("queue", SOURCES)
def test_source_queue_hides_a_message_for_less_than_a_suspect_is_hidden(queue: str) -> None:
    """Only so does a message that ends its process come back without the others of its batch."""
    assert properties(queue)["VisibilityTimeout"] < APART_SECONDS


@every("function", CONSUMERS)
def test_consumer_with_a_large_batch_waits_for_it_to_fill(function: str) -> None:
    """Lambda refuses a batch that may be larger than 10 without a window of a second."""
    source = event_source(function)

    assert source["BatchSize"] == 10 or source["MaximumBatchingWindowInSeconds"]["Ref"]


@every("queue, dead", list(zip(SOURCES, DEAD_LETTERS, strict=True)))
def test_source_queue_has_a_dead_letter_queue_of_its_own(queue: str, dead: str) -> None:
    target = properties(queue)["RedrivePolicy"]["deadLetterTargetArn"]

    assert target == {"Fn::GetAtt": [dead, "Arn"]}


@every("queue", SOURCES)
def test_source_queue_gives_a_crashing_message_at_least_five_chances(queue: str) -> None:
    """AWS's advice: with fewer, being throttled is enough to lose sight of a message."""
    assert properties(queue)["RedrivePolicy"]["maxReceiveCount"] >= 5


@every("queue, days", [*((q, 7) for q in SOURCES), *((q, 14) for q in DEAD_LETTERS)])
def test_queue_keeps_messages_for_its_days(queue: str, days: int) -> None:
    assert properties(queue)["MessageRetentionPeriod"] == days * 24 * 60 * 60


@every("queue", [*SOURCES, *DEAD_LETTERS])
def test_queue_without_a_customer_key_is_encrypted_by_sqs(queue: str) -> None:
    found = {name: under(v, {"HasCustomerKey": False}) for name, v in properties(queue).items()}

    assert (found["SqsManagedSseEnabled"], found["KmsMasterKeyId"]) == (True, None)


@every("queue", [*SOURCES, *DEAD_LETTERS])
def test_queue_with_a_customer_key_is_encrypted_by_it(queue: str) -> None:
    found = {name: under(v, {"HasCustomerKey": True}) for name, v in properties(queue).items()}

    assert found["KmsMasterKeyId"] == {"Ref": "KmsKeyArn"}
    assert found["SqsManagedSseEnabled"] is False


@every("queue", [*SOURCES, *DEAD_LETTERS])
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


def test_every_queue_outlives_its_stack() -> None:
    """What is on it is money and people that AppsFlyer does not know of yet."""
    kept = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    queues = [*SOURCES, *DEAD_LETTERS]

    assert [queue for queue in queues if not kept.items() <= RESOURCES[queue].items()] == []


def test_every_dead_letter_queue_says_who_may_redrive_into_it() -> None:
    """And it is never nobody: SQS itself moves there what came back too often."""
    known = {"SourcesAreKnown": True}
    policies = {queue: properties(queue).get("RedriveAllowPolicy", {}) for queue in DEAD_LETTERS}
    named = {"redrivePermission": "byQueue", "sourceQueueArns": {"Fn::Split": [",", SOURCES_GIVEN]}}
    wrong = [
        queue
        for queue, policy in policies.items()
        if {name: under(value, known) for name, value in policy.items()} != named
    ]

    assert wrong == []


def test_dead_letter_queues_of_a_first_deployment_take_from_all_because_no_source_has_a_name() -> (
    None
):
    """Sources and dead-letter queues that named each other could not be created at all."""
    unknown = {"SourcesAreKnown": False}
    policies = [properties(queue)["RedriveAllowPolicy"] for queue in DEAD_LETTERS]
    found = [{name: under(value, unknown) for name, value in one.items()} for one in policies]

    assert found == 3 * [{"redrivePermission": "allowAll", "sourceQueueArns": None}]


def test_redrive_sources_are_what_the_stack_puts_out_of_its_queues() -> None:
    arns = [f"arn:aws:sqs:eu-central-1:123456789012:relay-{queue}-1A2B" for queue in SOURCES]

    assert re.fullmatch(PARAMETERS["RedriveSources"]["AllowedPattern"], ",".join(arns))


@every("text", ["arn:aws:sns:eu-central-1:123456789012:x", "https://sqs", "a,b"])
def test_redrive_sources_are_arns_of_queues(text: str) -> None:
    assert re.fullmatch(PARAMETERS["RedriveSources"]["AllowedPattern"], text) is None


def test_template_has_no_queue_that_these_tests_do_not_know() -> None:
    assert of_type("AWS::SQS::Queue").keys() == {*SOURCES, *DEAD_LETTERS}
