"""The handler one would write first: Powertools' asynchronous batch, httpx's client, no checks."""

import json
import os
from functools import cache
from typing import Any, Final

import httpx
from aws_lambda_powertools.utilities.batch import (
    AsyncBatchProcessor,
    EventType,
    async_process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

_processor: Final = AsyncBatchProcessor(event_type=EventType.SQS)


@cache
def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=os.environ["RELAY_APPSFLYER_URL"])


async def _forward(record: SQSRecord) -> None:
    envelope = json.loads(record.body)
    response = await _client().post(
        f"/inappevent/{envelope['app_id']}",
        json=envelope["event"],
        headers={"authentication": os.environ["BENCH_S2S_KEY"]},
    )
    response.raise_for_status()


def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    """Sends each record as it is."""
    return async_process_partial_response(
        event=event, record_handler=_forward, processor=_processor, context=context
    )
