"""What the dashboard shows, row by row: change it here, then `make dashboard`.

A row is widgets of one height, from left to right; their widths add up to 24, the columns that
CloudWatch has. `${...}` is what Fn::Sub puts in, names of the template.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from scripts.dashboard.queries import QUERIES

FUNCTIONS: Final = {
    "accept": "AcceptFunction",
    "receive_payment": "ReceivePaymentFunction",
    "receive_install": "ReceiveInstallFunction",
    "map_payment": "MapPaymentFunction",
    "forward_mobile": "ForwardMobileFunction",
    "forward_web": "ForwardWebFunction",
}
QUEUES: Final = ("Mobile", "Web", "Payments")
CLASSES: Final = ("android", "ios", "windows", "web")
HALF_AN_HOUR: Final = 1800
TEN_DAYS: Final = 10 * 24 * 60 * 60

Side = Literal["left", "right"]


@dataclass(frozen=True)
class Metric:
    """One line of a graph. `of`: values of dimensions by name. No namespace: the relay's."""

    name: str
    of: dict[str, str]
    namespace: str = ""
    label: str = ""
    stat: str = "Sum"
    side: Side = "left"


@dataclass(frozen=True)
class Mark:
    """A horizontal line: `value` is a number, or a `${...}` that becomes one."""

    label: str
    value: int | str
    side: Side = "left"


@dataclass(frozen=True)
class Graph:
    """Metrics over time, in periods of 5 minutes. `unit` stands at the left axis."""

    title: str
    width: int
    metrics: list[Metric]
    unit: str = "events"
    right_unit: str = ""
    stacked: bool = False
    marks: list[Mark] = field(default_factory=list)


@dataclass(frozen=True)
class Number:
    """The sum of metrics over the range that is looked at."""

    title: str
    width: int
    metrics: list[Metric]


@dataclass(frozen=True)
class Text:
    """Markdown."""

    width: int
    markdown: str


@dataclass(frozen=True)
class Alarms:
    """Every alarm of the template, those that ring first."""

    title: str
    width: int


@dataclass(frozen=True)
class Log:
    """A query over logs, as a table."""

    title: str
    width: int
    groups: tuple[str, ...]
    query: str


Widget = Graph | Number | Text | Alarms | Log


def ours(service: str, *names: str, label: str = "{}", stat: str = "Sum") -> list[Metric]:
    """Counters of one function."""
    return [
        Metric(name, {"service": service}, label=label.format(name), stat=stat) for name in names
    ]


def both(*names: str) -> list[Metric]:
    """Counters of both forwarders."""
    return [
        Metric(name, {"service": service}, label=f"{name}, {word}")
        for name in names
        for service, word in (("forward_mobile", "mobile"), ("forward_web", "web"))
    ]


def everywhere(name: str, namespace: str, stat: str, side: Side = "left") -> list[Metric]:
    """A metric of AWS Lambda's, for each function."""
    return [
        Metric(name, {"FunctionName": f"${{{function}}}"}, namespace, f"{name}, {key}", stat, side)
        for key, function in FUNCTIONS.items()
    ]


def number(name: str) -> Number:
    """What both forwarders counted."""
    return Number(name, 4, both(name))


def outcomes(service: str, word: str) -> Graph:
    """What became of the events of one forwarder."""
    names = (
        *("Delivered", "Duplicate", "Deferred", "Held", "Blocked"),
        *("Rejected", "Refused", "DeadLettered"),
    )
    return Graph(f"What became of {word} events", 12, ours(service, *names), stacked=True)


def queue(name: str) -> Graph:
    """A source queue: how much is where, and how old the oldest message is."""
    of = {"QueueName": f"${{{name}Queue.QueueName}}"}
    counts = {
        "ApproximateNumberOfMessagesVisible": "to be handled",
        "ApproximateNumberOfMessagesDelayed": "waiting",
        "ApproximateNumberOfMessagesNotVisible": "in hand",
    }
    metrics = [Metric(one, of, "AWS/SQS", says, "Maximum") for one, says in counts.items()]
    age = Metric(
        "ApproximateAgeOfOldestMessage", of, "AWS/SQS", "age of the oldest", "Maximum", "right"
    )
    mark = Mark("too old: the alarm", HALF_AN_HOUR, "right")
    return Graph(f"Queue: {name.lower()}", 8, [*metrics, age], "messages", "seconds", marks=[mark])


def dead_letters(name: str) -> Graph:
    """A dead-letter queue: how many, and how old the oldest is."""
    of = {"QueueName": f"${{{name}DeadLetterQueue.QueueName}}"}
    count = "ApproximateNumberOfMessagesVisible"
    age = "ApproximateAgeOfOldestMessage"
    metrics = [
        Metric(count, of, "AWS/SQS", "dead letters", "Maximum"),
        Metric(age, of, "AWS/SQS", "age of the oldest", "Maximum", "right"),
    ]
    mark = Mark("ten days: four are left", TEN_DAYS, "right")
    return Graph(
        f"Dead letters: {name.lower()}", 8, metrics, "messages", "seconds", marks=[mark]
    )  # fmt: skip


def by_class() -> list[Metric]:
    """Deliveries by class of app."""
    return [
        Metric(
            "Delivered",
            {
                "service": "forward_web" if one == "web" else "forward_mobile",
                "app_class": one,
            },
            label=one,
        )
        for one in CLASSES
    ]


def api(*names: str, stat: str = "Sum") -> list[Metric]:
    """Metrics of the HTTP API."""
    return [Metric(name, {"ApiId": "${Api}"}, "AWS/ApiGateway", stat=stat) for name in names]


TIMEOUTS: Final = [
    Mark("time-out behind the API", 29_000),
    Mark("time-out behind queues", 90_000),
]
LIMITS: Final = [
    Mark("MobileMaxConcurrency", "${MobileMaxConcurrency}"),
    Mark("WebMaxConcurrency", "${WebMaxConcurrency}"),
    Mark("PaymentsMaxConcurrency", "${PaymentsMaxConcurrency}"),
]
INTRODUCTION: Final = (
    "**${AWS::StackName}** delivers events to AppsFlyer. Read from the top: what rings, what "
    "became of events, the clock and the money, where things wait, what came in, the machinery. "
    "What each alarm means and what to do at 3 a.m. is in `docs/operations.md`, *Alarms*; dead "
    "letters: `relay dlq list`; all at once: `relay doctor --stack ${AWS::StackName}`. Saved "
    "queries: [Logs Insights](https://console.aws.amazon.com/cloudwatch/home"
    "?region=${AWS::Region}#logsV2:logs-insights), folder `${AWS::StackName}`."
)

ROWS: Final[list[tuple[int, list[Widget]]]] = [
    (2, [Text(24, INTRODUCTION)]),
    (6, [Alarms("Alarms: those that ring come first", 24)]),
    (
        3,
        [
            number(name)
            for name in ("Delivered", "Deferred", "Held", "DeadLettered", "Late", "Uncertain")
        ],
    ),
    (6, [outcomes("forward_mobile", "mobile"), outcomes("forward_web", "web")]),
    (
        6,
        [
            Graph("Against the clock", 8, both("NearDeadline", "Late")),
            Graph(
                "Money that may count twice, or wrongly",
                8,
                [*both("Uncertain", "Unremembered"), *ours("map_payment", "AmountsContradict")],
            ),
            Graph(
                "Tries, keys that are refused, waits that are planned",
                8,
                [
                    *both("DeliveredAfterRetry", "CredentialsRefused", "HeldEarly"),
                    *(
                        Metric(
                            "TriesUntilDelivered",
                            {"service": service},
                            label=f"tries until delivered, {word}, p95",
                            stat="p95",
                            side="right",
                        )
                        for service, word in (("forward_mobile", "mobile"), ("forward_web", "web"))
                    ),
                ],
                right_unit="tries",
            ),
        ],
    ),
    (6, [queue(name) for name in QUEUES]),
    (6, [dead_letters(name) for name in QUEUES]),
    (
        6,
        [
            Graph(
                "Webhooks of payment providers",
                8,
                ours(
                    "receive_payment",
                    *("WebhookReceived", "WebhookIgnored", "WebhookUnreadable", "WebhookRefused"),
                    *("StripeVersionUnlinkable", "StripeChargeUnsupported", "StripeForeignAccount"),
                ),
                "webhooks",
            ),
            Graph(
                "What became of payments",
                8,
                ours(
                    "map_payment",
                    *("MovementMapped", "MovementDropped", "MovementRetold", "MovementWaited"),
                    *("TestDropped", "LinksLearnt", "Deferred", "Held", "DeadLettered"),
                ),
                "webhooks",
            ),
            Graph(
                "Installs that AppsFlyer told of",
                8,
                ours(
                    "receive_install",
                    *("InstallRemembered", "InstallOlder"),
                    *("InstallWithoutCustomer", "InstallRejected"),
                ),
                "messages",
            ),
        ],
    ),
    (
        6,
        [
            Graph(
                "What is wrong with events",
                8,
                both("FindingsReject", "FindingsWarn", "FindingsRepair"),
                "findings",
            ),
            Graph("Delivered, by class of app", 8, by_class()),
            Graph(
                "What a person must correct",
                8,
                [
                    metric
                    for service in FUNCTIONS
                    for metric in ours(
                        service, "SettingsWrong", "Unexpected", label=f"{{}}, {service}"
                    )
                ]
                + [
                    metric
                    for service in ("map_payment", "forward_mobile")
                    for metric in ours(service, "ItemsUnreadable", label=f"{{}}, {service}")
                ],
                "times",
            ),
        ],
    ),
    (
        6,
        [
            Graph(
                "Functions that fail, or may not run",
                6,
                [
                    *everywhere("Errors", "AWS/Lambda", "Sum"),
                    *everywhere("Throttles", "AWS/Lambda", "Sum"),
                ],
                "invocations",
            ),
            Graph(
                "How long they take (p99)",
                6,
                everywhere("Duration", "AWS/Lambda", "p99"),
                "milliseconds",
                marks=TIMEOUTS,
            ),
            Graph(
                "How many run at once",
                6,
                everywhere("ConcurrentExecutions", "AWS/Lambda", "Maximum"),
                "invocations",
                marks=LIMITS,
            ),
            Graph(
                "Handed back, to be handled again",
                6,
                [
                    metric
                    for service in ("forward_mobile", "forward_web", "map_payment")
                    for metric in ours(service, "HandedBack", label=service)
                ],
                "messages",
            ),
        ],
    ),
    (
        6,
        [
            Graph("HTTP API: requests and errors", 12, api("Count", "4xx", "5xx"), "requests"),
            Graph(
                "HTTP API: how long it takes (p95)",
                12,
                api("Latency", "IntegrationLatency", stat="p95"),
                "milliseconds",
            ),
        ],
    ),
    (
        8,
        [
            Log("Why events were not delivered", 14, *QUERIES["Why events fail"]),
            Log("What is wrong with events: rules", 10, *QUERIES["Findings that come together"]),
        ],
    ),
]  # fmt: skip
