"""`relay doctor`: each check is broken by exactly one thing, and named; the others go on.

The stack is the project's own template in moto's CloudFormation, with an API that says what it is
told to say.
"""

import copy
import gc
import io
import json
import re
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import boto3
import botocore.client
import pytest
import yaml
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.common_models import CloudFormationModel
from moto.sqs.models import sqs_backends

from relay.config.producers import token_digest
from relay.instants import utc_now
from relay_cli.clients import aws
from relay_cli.clients.installation import Installation, find_installation
from relay_cli.clients.targets import Location
from relay_cli.doctor import run
from relay_cli.doctor.check import Check
from relay_cli.doctor.layer import SOURCES, end_of_file
from relay_cli.terminal.errors import CliError
from tests.integration.cli import here
from tests.integration.cli.conftest import environment
from tests.support.template import sam_template

STACK = "relay"
PREFIX = f"/{STACK}"
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
POLICY = Path(__file__).parents[3] / "docs" / "doctor-policy.json"
ALL = [
    *("apps", "producers", "push_senders", "sources", "tokens", "queues", "mappings", "api"),
    *("clock", "alarms", "layer", "numbers"),
]
SECRET = "planted-secret"
SENDER = {"name": "shop", "token_sha256": [token_digest("t")], "apps": ["id1"]}
HEALTH: dict[str, Any] = {}


class _Api(BaseHTTPRequestHandler):
    ranges: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.ranges.append(self.headers.get("range"))
        body = json.dumps(HEALTH).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class _Alarm(CloudFormationModel):  # type: ignore[misc]
    """What moto's CloudFormation lacks: it makes the alarm."""

    def __init__(self, name: str) -> None:
        self.physical_resource_id = name

    @staticmethod
    def cloudformation_name_type() -> str:
        return "AlarmName"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::CloudWatch::Alarm"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, *_: Any, **__: Any
    ) -> "_Alarm":
        boto3.client("cloudwatch").put_metric_alarm(**_present(cloudformation_json["Properties"]))
        return cls(resource_name)


def _present(properties: dict[str, Any]) -> dict[str, Any]:
    """Without AWS::NoValue, which moto leaves in lists as None."""
    return {
        name: [one for one in value if one is not None] if isinstance(value, list) else value
        for name, value in properties.items()
    }


@cache
def _layer_zip(changed: str | None = None) -> bytes:
    """The layer as it is uploaded; with one file of it changed."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as layer:
        layer.writestr("python/boto3/__init__.py", "another package")
        for file in sorted(SOURCES.rglob("*.py")):
            name = file.relative_to(SOURCES).as_posix()
            text = file.read_bytes() + (b"\n" if name == changed else b"")
            layer.writestr(f"python/relay/{name}", text)
    return content.getvalue()


def _template(api: str) -> str:
    """The template's part that moto knows, with a few of its alarms, and mappings that are on."""
    template = copy.deepcopy(sam_template().local_part())
    alarms = {
        name: one
        for name, one in sam_template().transformed["Resources"].items()
        if one["Type"] == "AWS::CloudWatch::Alarm"
        and re.search(
            "mobile-behind|forward_.*-failing", json.dumps(one["Properties"]["AlarmName"])
        )
    }
    template["Resources"] |= alarms
    for one in template["Resources"].values():
        if one["Type"] == "AWS::Lambda::EventSourceMapping":
            one["Properties"]["Enabled"] = True
    template["Outputs"]["ApiUrl"] = {"Value": api}
    return json.dumps(template)


def _deploy(api: str) -> None:
    boto3.client("sns").create_topic(Name="alarms")
    boto3.client("sns").subscribe(
        TopicArn=TOPIC, Protocol="https", Endpoint="https://www.example.com/"
    )
    boto3.client("cloudformation").create_stack(
        StackName=STACK,
        TemplateBody=_template(api),
        Parameters=[{"ParameterKey": "AlarmTopicArn", "ParameterValue": TOPIC}],
    )
    functions = boto3.client("lambda")
    layer = functions.publish_layer_version(LayerName="relay", Content={"ZipFile": b"zip"})
    for function in functions.list_functions()["Functions"]:
        functions.update_function_configuration(
            FunctionName=function["FunctionName"], Layers=[layer["LayerVersionArn"]]
        )
    _put_policies()
    for name, value in {
        "apps/mobile/id1": "{}",
        "producers": json.dumps([SENDER]),
        "push_senders": json.dumps([SENDER]),
        "sources": json.dumps({"stripe": {"provider": "stripe", "apps": {"mobile": ["id1"]}}}),
    }.items():
        _put(name, value)
    for name in ("tokens/mobile/id1", "webhook_secrets/stripe"):
        _put(name, f"whsec_{SECRET}", secure=True)


def _put_policies() -> None:
    """What moto's CloudFormation leaves out."""
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    sqs = boto3.client("sqs")
    for url in sqs.list_queues()["QueueUrls"]:
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


def _put(name: str, value: str, *, secure: bool = False) -> None:
    boto3.client("ssm").put_parameter(
        Name=f"{PREFIX}/{name}",
        Value=value,
        Type="SecureString" if secure else "String",
        Overwrite=True,
    )


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """The stack, made once: each test puts back what it breaks."""
    server = HTTPServer(("127.0.0.1", 0), _Api)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        gc.disable()  # nothing of what is loaded and made here is garbage
        from moto.cloudformation import parsing  # noqa: PLC0415 - a third of a second, here alone

        patch.setitem(parsing.get_model_map(), "AWS::CloudWatch::Alarm", _Alarm)
        patch.setitem(parsing.get_name_type_map(), "AWS::CloudWatch::Alarm", "AlarmName")
        patch.setattr("relay_cli.clients.aws.client", cache(aws.client))
        patch.setattr("boto3.client", cache(boto3.client))
        patch.setattr("yaml.Loader", yaml.CLoader)  # for the template, by libyaml
        _deploy(f"http://127.0.0.1:{server.server_port}")
        found = find_installation(Location(stack=STACK))
        _examine(found)
        gc.freeze()
        gc.enable()
        yield found
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _healthy() -> None:
    HEALTH.clear()
    HEALTH["status"] = "ok"


def _examine(
    installation: Installation, now: datetime | None = None, layer: bytes | None = None
) -> dict[str, Check]:
    checks = run.examine(installation, now or utc_now(), lambda _: layer or _layer_zip())
    assert [check.name for check in checks] == ALL
    return _by_name(checks)


def _by_name(checks: Sequence[Check]) -> dict[str, Check]:
    assert SECRET not in repr(checks)
    return {check.name: check for check in checks}


def _examine_by(name: str, installation: Installation) -> dict[str, Check]:
    """By one check alone, and those that read with it what it reads."""
    with pytest.MonkeyPatch.context() as patch:
        for groups in ("EVERYWHERE", "OF_A_STACK"):
            patch.setattr(run, groups, [one for one in getattr(run, groups) if name in one[0]])
        return _by_name(run.examine(installation, utc_now(), lambda _: _layer_zip()))


def _broken(checks: dict[str, Check]) -> list[str]:
    for check in checks.values():
        assert check.ok != bool(check.do)
    return [name for name, check in checks.items() if not check.ok]


def test_doctor_finds_nothing_wrong_with_a_stack_that_is_set_up(installation: Installation) -> None:
    checks = _examine(installation)

    assert _broken(checks) == [], [checks[one] for one in _broken(checks)]


# Each of these breaks one thing, and gives back what puts it right.


def _parameter(name: str, value: str | None, *, secure: bool = False) -> Callable[[], object]:
    ssm = boto3.client("ssm")
    found = ssm.get_parameters(Names=[f"{PREFIX}/{name}"], WithDecryption=True)["Parameters"]
    if value is None:
        ssm.delete_parameter(Name=f"{PREFIX}/{name}")
    else:
        _put(name, value, secure=secure)
    if not found:
        return lambda: ssm.delete_parameter(Name=f"{PREFIX}/{name}")
    was_secure = found[0]["Type"] == "SecureString"
    return lambda: _put(name, found[0]["Value"], secure=was_secure)


def _wrong(name: str, value: object, _: Installation) -> Callable[[], object]:
    text = value if value is None or isinstance(value, str) else json.dumps(value)
    is_secret = name.partition("/")[0] in {"tokens", "webhook_secrets"}
    return _parameter(name, text, secure=is_secret)


def _attribute(installation: Installation, queue: str, **given: str) -> Callable[[], object]:
    sqs: Any = boto3.client("sqs")
    url = installation.queues[queue]
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    kept = {name: before[name] for name in ("Policy", *given)}  # moto forgets a policy
    sqs.set_queue_attributes(QueueUrl=url, Attributes={**kept, **given})
    return lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes=kept)


def _mapping(**given: Any) -> Callable[[], object]:
    functions = boto3.client("lambda")
    (one, *_) = functions.list_event_source_mappings()["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=one["UUID"], **given)
    return lambda: functions.update_event_source_mapping(UUID=one["UUID"], Enabled=True)


def _deaf() -> Callable[[], object]:
    sns = boto3.client("sns")
    for one in sns.list_subscriptions()["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])
    return lambda: sns.subscribe(TopicArn=TOPIC, Protocol="https", Endpoint="https://a.example.com")


def _muted() -> Callable[[], object]:
    names = {"AlarmNames": [f"{STACK}-mobile-behind"]}
    cloudwatch = boto3.client("cloudwatch")
    cloudwatch.disable_alarm_actions(**names)
    return lambda: cloudwatch.enable_alarm_actions(**names)


def _dead_letter(installation: Installation) -> Callable[[], object]:
    sqs, url = boto3.client("sqs"), installation.queues["web_dlq"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    return lambda: sqs.purge_queue(QueueUrl=url)


def _no_layer() -> Callable[[], object]:
    functions = boto3.client("lambda")
    (one, *_) = functions.list_functions()["Functions"]
    other = functions.publish_layer_version(LayerName="other", Content={"ZipFile": b"zip"})
    name = one["FunctionName"]
    functions.update_function_configuration(FunctionName=name, Layers=[other["LayerVersionArn"]])
    before = [layer["Arn"] for layer in one["Layers"]]
    return lambda: functions.update_function_configuration(FunctionName=name, Layers=before)


def _degraded() -> Callable[[], object]:
    HEALTH.update(status="degraded", parameters=[f"{PREFIX}/producers"])
    return lambda: None


OTHER_DEAD_LETTERS = {
    "deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:WebDeadLetterQueue",
    "maxReceiveCount": 3,
}


def _stripe(**apps: list[str]) -> str:
    return json.dumps({"stripe": {"provider": "stripe", "apps": apps}})


PARAMETERS: list[tuple[str, str, str, object]] = [
    ("apps", "apps/mobile/id1: time_zone", "apps/mobile/id1", {"time_zone": "Mars"}),
    ("apps", "tokens/mobile/id1: is missing", "tokens/mobile/id1", None),
    ("apps", "app/mobile/id1: is read by nothing", "app/mobile/id1", {}),
    ("apps", "digits alone", "apps/mobile/123", {}),
    ("producers", "producers: not JSON", "producers", "["),
    ("producers", "entry 1.token_sha256", "producers", [SENDER, {"name": "b", "apps": []}]),
    ("producers", "that is not set up, id2", "producers", [{**SENDER, "apps": ["id2"]}]),
    ("producers", "2 entries of the name shop", "producers", [SENDER, SENDER]),
    ("producers", "nobody may send", "producers", None),
    ("push_senders", "must be a JSON list", "push_senders", {}),
    ("sources", "stripe.provider", "sources", {"stripe": {"provider": "x", "apps": {}}}),
    ("sources", "that is not set up, w1", "sources", _stripe(web=["w1"])),
    ("sources", "webhook_secrets/stripe: holds no secret", "webhook_secrets/stripe", None),
    ("sources", "webhook_secrets/gone: belongs to no source", "webhook_secrets/gone", "s"),
    ("tokens", "tokens/mobile/id1: token 1", "tokens/mobile/id1", "a b"),
]
"""The check, what it says, and the parameter with a value that breaks it (None: there is none)."""

Break = tuple[str, str, Callable[[Installation], Callable[[], object]]]

BREAKS: list[Break] = [
    *((name, said, partial(_wrong, key, value)) for name, said, key, value in PARAMETERS),
    ("tokens", "is no SecureString", lambda _: _parameter("tokens/mobile/id1", "token")),
    ("queues", "policy of the web queue", lambda i: _attribute(i, "web_queue", Policy="")),
    (
        "queues",
        "the mobile queue gives up to another",
        lambda i: _attribute(i, "mobile_queue", RedrivePolicy=json.dumps(OTHER_DEAD_LETTERS)),
    ),
    ("mappings", "queue is Disabled", lambda _: _mapping(Enabled=False)),
    ("api", f"degraded by {PREFIX}/producers", lambda _: _degraded()),
    ("alarms", "ring at nobody", lambda _: _deaf()),
    ("alarms", "relay-mobile-behind rings at nobody", lambda _: _muted()),
    ("layer", "2 layers", lambda _: _no_layer()),
    ("numbers", "1 dead letter of web", _dead_letter),
]


def test_doctor_names_what_is_broken_and_nothing_else(installation: Installation) -> None:
    """What breaks a check in another way than before, its own group of checks is asked for."""
    wrong, seen = [], set()
    for name, said, break_it in BREAKS:
        HEALTH.update(status="ok")
        mend = break_it(installation)
        checks = _examine_by(name, installation) if name in seen else _examine(installation)
        mend()
        seen.add(name)
        if _broken(checks) != [name] or said not in checks[name].what:
            wrong.append((name, said, [checks[one] for one in _broken(checks)]))

    assert wrong == []
    assert seen == set(ALL) - {"clock"}


def test_doctor_tells_that_the_clock_is_off(installation: Installation) -> None:
    checks = _examine(installation, utc_now() + timedelta(seconds=90))

    assert _broken(checks) == ["clock"]


def test_doctor_tells_that_tokens_are_older_than_180_days(installation: Installation) -> None:
    checks = _examine(installation, utc_now() + timedelta(days=181))

    assert _broken(checks) == ["tokens", "clock"]
    assert "tokens/mobile/id1: is 181 days old" in checks["tokens"].what
    assert "webhook_secrets/stripe: is 181 days old" in checks["tokens"].what


def test_doctor_names_a_file_of_the_layer_that_is_not_as_here(installation: Installation) -> None:
    checks = _examine(installation, layer=_layer_zip("accept/accept.py"))

    assert _broken(checks) == ["layer"]
    assert checks["layer"].what.endswith("as accept/accept.py")


def test_doctor_looks_at_the_version_that_runs_and_not_at_the_newest(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    functions = boto3.client("lambda")
    client: Any = botocore.client.BaseClient
    make = client._make_api_call  # noqa: SLF001 - as above
    (one, *_) = functions.list_functions()["Functions"]
    version = functions.publish_version(FunctionName=one["FunctionName"])["Version"]
    alias = functions.create_alias(
        FunctionName=one["FunctionName"], Name="live", FunctionVersion=version
    )
    row = {"ResourceType": "AWS::Lambda::Alias", "PhysicalResourceId": alias["AliasArn"]}

    def with_alias(self: Any, operation: str, parameters: Any) -> Any:
        answer = make(self, operation, parameters)
        if operation == "ListStackResources":
            answer["StackResourceSummaries"].append(row)
        return answer

    monkeypatch.setattr(client, "_make_api_call", with_alias)
    put_right = _no_layer()
    try:
        assert _broken(_examine(find_installation(Location(stack=STACK)))) == []
    finally:
        put_right()
        functions.delete_alias(FunctionName=one["FunctionName"], Name="live")


def test_doctor_tells_that_more_waits_than_is_delivered(installation: Installation) -> None:
    dimensions = [{"Name": "service", "Value": "forward_web"}]
    boto3.client("cloudwatch").put_metric_data(
        Namespace=f"AppsFlyerRelay/{STACK}",
        MetricData=[{"MetricName": "Held", "Dimensions": dimensions, "Value": 10.0}],
    )

    checks = _examine(installation, utc_now() + timedelta(seconds=1))

    assert _broken(checks) == ["numbers"]
    assert "10 Held" in checks["numbers"].what
    cloudwatch_backends["123456789012"]["us-east-1"].metric_data.clear()


def _recorded(monkeypatch: pytest.MonkeyPatch, failing: dict[str, Exception]) -> set[str]:
    """Every action that is asked for, as IAM calls it; those that are named fail."""
    services = {"monitoring": "cloudwatch"}
    client: Any = botocore.client.BaseClient
    make = client._make_api_call  # noqa: SLF001 - every call goes through it
    seen: set[str] = set()

    def recording(self: Any, operation: str, parameters: Any) -> Any:
        service = self.meta.service_model.endpoint_prefix
        action = f"{services.get(service, service)}:{operation}"
        seen.add(action)
        if action in failing:
            raise failing[action]
        return make(self, operation, parameters)

    monkeypatch.setattr(client, "_make_api_call", recording)
    return seen


def test_doctors_policy_is_what_it_calls(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = _recorded(monkeypatch, {})
    _examine(find_installation(Location(stack=STACK)))

    statements = json.loads(POLICY.read_text())["Statement"]
    allowed = {action for one in statements for action in one["Action"]}
    assert allowed - {"kms:Decrypt"} == seen


DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "x")
HANGS = ReadTimeoutError(endpoint_url="https://sqs.us-east-1.amazonaws.com")


FAILURES: list[tuple[str, Exception, list[str]]] = [
    ("ssm:GetParametersByPath", DENIED, ["apps", "producers", "push_senders", "sources", "tokens"]),
    ("sqs:GetQueueAttributes", HANGS, ["queues", "mappings", "clock", "numbers"]),
    ("lambda:ListEventSourceMappings", DENIED, ["mappings"]),
    ("lambda:GetLayerVersion", HANGS, ["layer"]),
    ("cloudwatch:DescribeAlarms", HANGS, ["alarms", "numbers"]),
    ("cloudwatch:GetMetricData", KeyError("x"), ["numbers"]),
    ("sns:ListSubscriptionsByTopic", DENIED, ["alarms"]),
    ("cloudformation:ListStackResources", DENIED, ["alarms", "layer", "numbers"]),
]


def test_check_that_aws_denies_or_hangs_at_says_so_and_the_others_go_on(
    installation: Installation,
) -> None:
    wrong = []
    for action, error, broken in FAILURES:
        with pytest.MonkeyPatch.context() as patch:
            _recorded(patch, {action: error})
            checks = _examine(installation)
        told = all("cannot be told" in checks[name].what for name in broken)
        has_advice = {"docs/doctor-policy.json" in checks[name].do for name in broken}
        if _broken(checks) != broken or not told or has_advice != {error is DENIED}:
            wrong.append((action, checks))

    assert wrong == []


def test_end_of_file_alone_is_fetched_and_an_address_of_another_sort_is_not(
    installation: Installation,
) -> None:
    assert json.loads(end_of_file(f"{installation.api}/layer.zip")) == HEALTH
    assert _Api.ranges[-1] == "bytes=-2097152"
    with pytest.raises(CliError, match="cannot be fetched"):
        end_of_file("http://127.0.0.1:9/")
    with pytest.raises(CliError, match="no address"):
        end_of_file("file:///etc/passwd")


def test_send_finds_queues_by_the_outputs_of_a_stack(
    installation: Installation, tmp_path: Path
) -> None:
    event = {"app_id": "id1", "kind": "mobile_event", "event": {"eventName": "a"}}
    (tmp_path / "file.json").write_text(json.dumps(event))

    def send(stack: str) -> subprocess.CompletedProcess[bytes]:
        given = ["send", "file.json", "--stack", stack]
        return here.run(given, cwd=tmp_path, env=environment())

    sqs, url = boto3.client("sqs"), installation.queues["mobile_queue"]
    in_moto = sqs_backends["123456789012"]["us-east-1"].queues[url.rpartition("/")[2]]
    with mock.patch.dict(in_moto.lambda_event_source_mappings, clear=True):  # or it asks for Docker
        done, missing = send(STACK), send("nobody")

    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.purge_queue(QueueUrl=url)
    assert done.returncode == 0, done.stderr
    assert json.loads(message["Body"]) == event
    assert missing.returncode == 2
    assert missing.stderr.startswith(b"relay: CloudFormation says ValidationError")
