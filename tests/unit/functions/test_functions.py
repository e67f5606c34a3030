"""Each function is a door: what goes through it reaches its use case, and its answer comes back."""

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest

from relay import lambda_adapter
from relay.consumer.deadline import Remaining
from relay.domain.kinds import Surface

FUNCTIONS = ["accept", "forward_mobile", "forward_web"]


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def load(function: str) -> ModuleType:
    return importlib.import_module(f"functions.{function}.app")


def test_accept_hands_the_request_to_its_use_case(monkeypatch: pytest.MonkeyPatch) -> None:
    class Accept:
        def handle(self, event: Mapping[str, Any], remaining: Remaining) -> dict[str, Any]:
            return {"statusCode": 202, "seen": event["routeKey"], "left": remaining()}

    module = load("accept")
    monkeypatch.setattr(module, "accept", Accept)

    answer = module.lambda_handler({"routeKey": "GET /v1/health"}, Context())

    assert answer == {"statusCode": 202, "seen": "GET /v1/health", "left": 60}


@pytest.mark.parametrize(
    ("function", "surface"), [("forward_mobile", Surface.MOBILE), ("forward_web", Surface.WEB)]
)
def test_forward_hands_the_batch_to_the_forwarder_of_its_surface(
    function: str, surface: Surface, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Surface] = []

    class Forwarder:
        async def forward(self, records: list[dict[str, Any]], remaining: Any) -> list[str]:
            assert remaining() == 60.0
            return [record["messageId"] for record in records]

    def forwarder(wanted: Surface) -> Forwarder:
        asked.append(wanted)
        return Forwarder()

    lambda_adapter._runner.cache_clear()  # noqa: SLF001 - a process of its own
    monkeypatch.setattr(lambda_adapter, "forwarder", forwarder)

    answer = load(function).lambda_handler({"Records": [{"messageId": "m-7"}]}, Context())
    lambda_adapter._runner().close()  # noqa: SLF001 - the process ends
    lambda_adapter._runner.cache_clear()  # noqa: SLF001 - likewise

    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-7"}]}
    assert asked == [surface]
