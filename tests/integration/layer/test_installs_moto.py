"""The function `receive_install`, from its door to DynamoDB."""

import importlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from relay import composition
from relay.aws.table import DynamoTable
from relay.config.producers import token_digest
from relay.stores.identities import Identities
from tests.support.builders import MOBILE_APP, make_http_event

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ssm import SSMClient


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def test_install_that_appsflyer_tells_of_is_found_by_its_customer(
    ssm: "SSMClient",
    dynamodb: "DynamoDBClient",
    prefix: str,
    make_table: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    senders = [{"name": "appsflyer", "token_sha256": [token_digest("push")], "apps": [MOBILE_APP]}]
    ssm.put_parameter(Name=f"{prefix}/push_senders", Value=json.dumps(senders), Type="SecureString")
    name = make_table()
    clients: dict[str, Any] = {"ssm": ssm, "dynamodb": dynamodb}
    monkeypatch.setattr(boto3, "client", lambda service, **_: clients[service])
    monkeypatch.setenv("RELAY_PARAMETER_PREFIX", prefix)
    monkeypatch.setenv("RELAY_IDENTITIES_TABLE", name)
    monkeypatch.setenv("RELAY_IDENTITY_DAYS", "730")
    message = {
        "customer_user_id": "user-1",
        "appsflyer_id": "1415211453000-6513894",
        "install_time": "2026-03-02 11:58:03.120",
        "platform": "ios",
    }
    function = importlib.import_module("functions.receive_install.app")
    composition.receive_install.cache_clear()

    answer = function.lambda_handler(
        make_http_event(
            message,
            route="POST /v1/appsflyer/installs/{app_id}",
            token=None,
            query={"token": "push"},
        ),
        Context(),
    )

    composition.receive_install.cache_clear()
    assert answer["statusCode"] == 200
    [identity] = Identities(DynamoTable(dynamodb, name)).of_customer("user-1")
    assert identity.app_id == MOBILE_APP
    assert identity.appsflyer_id == "1415211453000-6513894"
