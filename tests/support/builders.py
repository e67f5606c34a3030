"""Valid things to start from; a test says only what it is about."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from relay.config.environment import ForwardSettings

NOW = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
"""A Monday at noon: the present moment of every test that needs one."""

SENT_AT = NOW - timedelta(seconds=5)
"""When SQS took the messages of `make_sqs_event`."""

MOBILE_APP = "id123456789"
WEB_APP = "website-www.example.com"

Json = dict[str, Any]


def make_event(**overrides: Any) -> Json:
    """A mobile event with revenue that breaks no rule and raises no warning at `NOW`."""
    return {
        "appsflyer_id": "1415211453000-6513894",
        "customer_user_id": "user-1",
        "eventName": "af_purchase",
        "eventValue": {"af_revenue": "9.99", "af_content_id": "sku-1"},
        "eventCurrency": "USD",
        "eventTime": "2026-03-02 11:59:00.000",
        "idfv": "9D5C1A9C-1B1A-4B1E-9C1A-1B1A4B1E9C1A",
        "os": "17.4",
        "bundleIdentifier": "com.example.shop",
        **overrides,
    }


def make_web_event(**overrides: Any) -> Json:
    """A web event with revenue that breaks no rule and raises no warning at `NOW`."""
    return {
        "user_id": {"customer_user_id": "user-1"},
        "event_name": "purchase",
        "event_revenue": 9.99,
        "event_revenue_currency": "USD",
        "timestamp": 1772452740000,  # 2026-03-02T11:59:00Z
        **overrides,
    }


def make_web_visit(**overrides: Any) -> Json:
    """A web visit that breaks no rule and raises no warning at `NOW`."""
    return {
        "user_id": {"customer_user_id": "user-1"},
        "event_url": "https://www.example.com/shoes",
        "timestamp": 1772452740000,
        **overrides,
    }


def make_envelope(**overrides: Any) -> Json:
    """An envelope with a mobile event, as a producer that knows its business hands it in."""
    return {
        "app_id": MOBILE_APP,
        "kind": "mobile_event",
        "event": make_event(),
        "event_id": "order-1",
        **overrides,
    }


def make_web_envelope(**overrides: Any) -> Json:
    """An envelope with a web event."""
    return make_envelope(**{"app_id": WEB_APP, "kind": "web_event", "event": make_web_event()}
                         | overrides)  # fmt: skip


def make_sqs_event(
    *bodies: Json | list[Any] | str, sent_at: datetime = SENT_AT, receives: Sequence[int] = ()
) -> Json:
    """Lambda's event for a batch: the records `m-0`, `m-1` ... in the order of the bodies.

    `receives`: how often each was received, with this time; once where it is not said.
    """
    counts = dict(enumerate(receives))
    return {
        "Records": [
            {
                "messageId": f"m-{index}",
                "receiptHandle": f"handle-{index}",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {
                    "ApproximateReceiveCount": str(counts.get(index, 1)),
                    "SentTimestamp": str(int(sent_at.timestamp() * 1000)),
                },
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "awsRegion": "us-east-1",
            }
            for index, body in enumerate(bodies)
        ]
    }


def make_http_event(
    body: Any = None,
    *,
    route: str = "POST /v1/mobile/{app_id}/events",
    app_id: str = MOBILE_APP,
    token: str | None = "shop-token",
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    cookies: Sequence[str] = (),
) -> Json:
    """Lambda's event for an HTTP API request (payload format 2.0); `body` text goes as it is."""
    given = {"content-type": "application/json", **(headers or {})}
    if token is not None:
        given.setdefault("authorization", f"Bearer {token}")
    event: Json = {
        "version": "2.0",
        "routeKey": route,
        "headers": given,
        "requestContext": {"timeEpoch": int(NOW.timestamp() * 1000)},
        "pathParameters": {"app_id": app_id},
        "body": body if isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
    }
    if query is not None:
        event["queryStringParameters"] = dict(query)
    if cookies:
        event["cookies"] = list(cookies)
    return event


def make_install(**overrides: Any) -> Json:
    """A Push API message of an install, cut to a few of its hundred fields."""
    return {
        "app_id": MOBILE_APP,
        "platform": "ios",
        "event_name": "install",
        "conversion_type": "install",
        "campaign_type": "organic",
        "appsflyer_id": "1415211453000-6513894",
        "customer_user_id": "user-1",
        "install_time": "2026-03-02 11:58:03.120",
        "install_time_selected_timezone": "2026-03-02 12:58:03.120+0100",
        "idfv": "9D5C1A9C-1B1A-4B1E-9C1A-1B1A4B1E9C1A",
        "ip": "203.0.113.9",
        "media_source": None,
        **overrides,
    }


def make_settings(**overrides: Any) -> ForwardSettings:
    """A forwarder's settings: waits of 10, 100 and 1,000 s, so four attempts; no de-duplication."""
    return ForwardSettings.model_validate(
        {
            "parameter_prefix": "/relay",
            "queue_url": "https://sqs.example.com/mobile",
            "dead_letter_queue_url": "https://sqs.example.com/mobile-dead",
            "appsflyer_url": "https://appsflyer.example.com",
            "deliveries_table": "deliveries",
            "deduplicate": "none",
            "requests_in_flight": 10,
            "retry_schedule_seconds": (10, 100, 1000),
            **overrides,
        }
    )
