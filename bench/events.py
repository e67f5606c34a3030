"""SQS batches as Lambda hands them in, of events as a shop's backend sends them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from relay.domain.kinds import Kind

APP_ID: Final = "id123456789"
WEB_APP_ID: Final = "website-www.example.com"
BATCH_SIZE: Final = 100

Event = dict[str, Any]


def batches(count: int) -> list[dict[str, Any]]:
    """So many SQS events of 100 records each, all different."""
    return [_batch(number * BATCH_SIZE) for number in range(count)]


def samples(kind: Kind, count: int) -> list[Event]:
    """So many events of one kind, all different."""
    make = {
        Kind.MOBILE_EVENT: mobile_event,
        Kind.WEB_EVENT: web_event,
        Kind.WEB_VISIT: web_visit,
    }[kind]
    return [make(number) for number in range(count)]


def _batch(first: int) -> dict[str, Any]:
    return {"Records": [_record(number) for number in range(first, first + BATCH_SIZE)]}


def _record(number: int) -> dict[str, Any]:
    sent = int(datetime.now(UTC).timestamp() * 1000)
    envelope = {
        "app_id": APP_ID,
        "kind": Kind.MOBILE_EVENT,
        "event_id": f"order-{number}",
        "event": mobile_event(number),
    }
    return {
        "messageId": f"00000000-0000-4000-8000-{number:012d}",
        "receiptHandle": f"receipt-{number}",
        "body": json.dumps(envelope),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": str(sent),
            "SenderId": "AIDAEXAMPLEEXAMPLE",
            "ApproximateFirstReceiveTimestamp": str(sent + 5),
            "MessageGroupId": APP_ID,
        },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:mobile",
        "awsRegion": "us-east-1",
    }


def mobile_event(number: int) -> Event:
    """Every second one a purchase; every fifth by somebody who gave an address and a number."""
    event: Event = {
        "appsflyer_id": f"{1_600_000_000_000 + number}-{1_000_000 + number % 9_000_000}",
        "customer_user_id": f"user-{number}",
        "eventName": "af_content_view" if number % 2 else "af_purchase",
        "eventValue": {
            **({} if number % 2 else {"af_revenue": f"{number % 500}.90"}),
            "af_content_id": [f"SKU-{number % 97}", f"SKU-{number % 89}"],
            "af_content_type": "shoes",
            "af_quantity": 1 + number % 3,
            "af_order_id": f"order-{number}",
        },
        "eventCurrency": "USD",
        "eventTime": _ago(number).strftime("%Y-%m-%d %H:%M:%S.000"),
        "ip": f"192.0.2.{number % 256}",
        "idfv": "9C9A82FB-D5DE-4CD1-90C3-527441C11828",
        "att": 3,
        "os": "18.1",
        "bundleIdentifier": "com.example.shop",
        "app_version_name": "5.12.0",
    }
    return event | (_identity(number) if number % 5 == 0 else {})


def web_event(number: int) -> Event:
    """A purchase on the web; every fifth one with an identity."""
    event: Event = {
        "user_id": {"customer_user_id": f"user-{number}"},
        "event_name": "purchase",
        "event_revenue": number % 500 + 0.9,
        "event_revenue_currency": "USD",
        "event_value": {"custom_parameters": {"order": f"order-{number}", "items": 2}},
        "event_url": f"https://www.example.com/orders/{number}?utm_source=mail",
        "timestamp": int(_ago(number).timestamp() * 1000),
        "ip": f"192.0.2.{number % 256}",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    }
    return event | (_identity(number) if number % 5 == 0 else {})


def web_visit(number: int) -> Event:
    """Somebody looks at a page."""
    return {
        "user_id": {"appsflyer_id": f"{1_600_000_000_000 + number}-{1_000_000 + number}"},
        "event_url": f"https://www.example.com/shoes/{number}?utm_source=mail",
        "http_referrer": "https://search.example.com/?q=shoes",
        "timestamp": int(_ago(number).timestamp() * 1000),
        "ip": f"192.0.2.{number % 256}",
    }


def _identity(number: int) -> Event:
    return {
        "email": f"Somebody.{number}@Example.com",
        "phone": f"+1 202 555 01{number % 100:02d}",
        "first_name": "Ada",
        "last_name": f"Example{number}",
    }


def _ago(number: int) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=number % 50)


def endless(batches_made: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """These batches, over and over."""
    while True:
        yield from batches_made
