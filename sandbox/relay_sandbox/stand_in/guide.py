"""The help text of `GET /_standin`, for people who control the stand-in."""

from __future__ import annotations

from typing import Any, Final

GUIDE: Final[dict[str, Any]] = {
    "what": "A local stand-in for AppsFlyer's server-to-server APIs. Nothing leaves this machine.",
    "appsflyer": {
        "POST /inappevent/{app_id}": "a mobile event; header `authentication: <key>`",
        "POST /v2.0/s2s/inapps/app/web/{app_id}": "a web event; `Authorization: Bearer <token>`",
        "POST /v2.0/s2s/visits/app/web/{app_id}": "a web visit; `Authorization: Bearer <token>`",
    },
    "control": {
        "GET /_standin/events": "every request that came, in order, what was recorded of it and "
        "why; narrow with ?app_id= &kind= &event_name= &recorded=true|false",
        "GET /_standin/faults": "the faults that are set",
        "POST /_standin/faults": "set one fault (an object) or several (an array)",
        "DELETE /_standin/faults": "take all faults away",
        "GET /_standin/apps": "the apps it knows",
        "POST /_standin/apps": "change an app, add one (an object), or several (an array); fields "
        "left out stay as they are",
        "POST /_standin/reset": "forget the requests and the faults; the apps stay",
    },
    "body": "JSON, with the header `Content-Type: application/json`; answers are JSON, too",
    "fault": {
        "how it ends, one of": {
            "status": "answer this status (200-599); with `body`, `retry_after` (seconds or an "
            "HTTP date), `location`",
            "reset": "true: reset the connection without an answer",
            "time_out": "true: never answer",
            "slow_drip_seconds": "send the usual answer byte by byte, this long between two",
            "garbage": "true: answer something that is not HTTP",
        },
        "latency_seconds": "wait first; alone, it only delays the usual answer",
        "recorded": "`before` (default): it strikes before the event is recorded, so nothing is; "
        "`after`: the event is recorded, then it strikes",
        "which calls": "app_id, kind (mobile_event, web_event, web_visit), event_name",
        "how often": "times: this many, then it is gone (else until cleared); every: each n-th "
        "of the calls it is meant for",
    },
    "examples": {
        "two answers 503 with Retry-After": {
            "POST /_standin/faults": {"status": 503, "retry_after": 2, "times": 2}
        },
        "recorded, but the answer is lost": {
            "POST /_standin/faults": {"reset": True, "recorded": "after", "times": 1}
        },
        "every third purchase of one app times out": {
            "POST /_standin/faults": {
                "time_out": True,
                "every": 3,
                "app_id": "id123456789",
                "event_name": "af_purchase",
            }
        },
        "revoke all tokens of an app": {
            "POST /_standin/apps": {"app_id": "id123456789", "tokens": []}
        },
        "block an app": {"POST /_standin/apps": {"app_id": "id123456789", "state": "blocked"}},
    },
}
