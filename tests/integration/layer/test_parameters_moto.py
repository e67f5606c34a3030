import json
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from relay.aws.parameter_store import ParameterStore
from relay.config.apps import Apps
from relay.config.producers import Producers, token_digest
from relay.domain.kinds import App, Surface
from relay.errors import ParametersUnavailableError, UnknownAppError
from relay.secrets import Secret

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


def put(ssm: "SSMClient", name: str, value: str, *, secret: bool = False) -> None:
    kind = "SecureString" if secret else "String"
    ssm.put_parameter(Name=name, Value=value, Type=kind, Overwrite=True)  # type: ignore[arg-type]  # one of two literals


def test_app_and_token_are_read_by_their_names(ssm: "SSMClient", prefix: str) -> None:
    put(ssm, f"{prefix}/apps/mobile/id1", '{"time_zone": "Europe/Berlin", "phone_region": "DE"}')
    put(ssm, f"{prefix}/tokens/mobile/id1", "key-1\nkey-2", secret=True)
    apps = Apps(ParameterStore(ssm, prefix))

    apps.preload(Surface.MOBILE, ["id1"])

    assert apps.app(Surface.MOBILE, "id1") == App("id1", "Europe/Berlin", "DE")
    assert apps.token(Surface.MOBILE, "id1") == Secret("key-1")


def test_more_apps_than_one_call_can_name_are_read(ssm: "SSMClient", prefix: str) -> None:
    app_ids = [f"com.example.app{number}" for number in range(13)]
    for app_id in app_ids:
        put(ssm, f"{prefix}/apps/mobile/{app_id}", "{}")
    apps = Apps(ParameterStore(ssm, prefix))

    apps.preload(Surface.MOBILE, [*app_ids, "com.example.stranger"])

    assert [apps.app(Surface.MOBILE, app_id).id for app_id in app_ids] == app_ids
    with pytest.raises(UnknownAppError):
        apps.app(Surface.MOBILE, "com.example.stranger")


def test_refused_token_is_replaced_by_the_one_stored_since(ssm: "SSMClient", prefix: str) -> None:
    put(ssm, f"{prefix}/tokens/web/site", "old", secret=True)
    apps = Apps(ParameterStore(ssm, prefix))
    apps.preload(Surface.WEB, ["site"])
    put(ssm, f"{prefix}/tokens/web/site", "new", secret=True)

    assert apps.refuse(Surface.WEB, "site", Secret("old")) == Secret("new")


def test_producer_is_known_by_the_hash_of_its_token(ssm: "SSMClient", prefix: str) -> None:
    content = [{"name": "shop", "token_sha256": [token_digest("shop-token")], "apps": ["*"]}]
    put(ssm, f"{prefix}/producers", json.dumps(content), secret=True)
    producers = Producers(ParameterStore(ssm, prefix))

    found = producers.by_token("shop-token")

    assert found is not None
    assert found.name == "shop"
    assert producers.by_token("stranger") is None


def test_parameter_store_that_is_not_there_is_unavailable(prefix: str) -> None:
    """Nothing listens on the discard port of this machine."""
    quick = Config(retries={"total_max_attempts": 1}, connect_timeout=5, proxies={})
    ssm = boto3.client("ssm", endpoint_url="http://127.0.0.1:9", config=quick)

    with pytest.raises(ParametersUnavailableError, match="EndpointConnectionError"):
        ParameterStore(ssm, prefix).read(["producers"])
    ssm.close()
