"""The saved queries of CloudWatch Logs Insights: some stand on the dashboard as well."""

from pathlib import Path
from typing import Final, NamedTuple

from relay_cli.rules.table import rules_of

_RULES: Final = Path(__file__).parents[2] / "docs" / "appsflyer.md"

LOGS: Final = {
    "forwarders": ("ForwardMobileLogGroup", "ForwardWebLogGroup"),
    "consumers": ("ForwardMobileLogGroup", "ForwardWebLogGroup", "MapPaymentLogGroup"),
    "functions": (
        *("AcceptLogGroup", "ReceivePaymentLogGroup", "ReceiveInstallLogGroup"),
        *("MapPaymentLogGroup", "ForwardMobileLogGroup", "ForwardWebLogGroup"),
    ),
    "payments": ("ReceivePaymentLogGroup", "MapPaymentLogGroup"),
    "api": ("ApiLogGroup",),
}
"""Log groups of the template, by what is asked of them."""


class Query(NamedTuple):
    """A query and the log groups that it is about."""

    groups: tuple[str, ...]
    query: str


def _findings_by_rule() -> str:
    """A day a line, a rule a column: Logs Insights cannot make lines of an object's entries."""
    counted = ("reject", "warn", "repair")
    rules = rules_of(_RULES.read_text(encoding="utf-8")).values()
    numbers = [rule.number for rule in rules if any(word in rule.severity for word in counted)]
    sums = ", ".join(f"sum(findings.{number}) as {number}" for number in numbers)
    return f'filter message = "batch"\n| stats {sums} by bin(1d)'


QUERIES: Final = {
    "Why events fail": Query(
        LOGS["forwarders"],
        'filter message = "event not delivered"\n'
        "| stats count() as times by outcome, reason, status, app_id\n"
        "| sort times desc\n| limit 50",
    ),
    "Story of one event": Query(
        LOGS["consumers"],
        "fields @timestamp, service, message, outcome, reason, rule, status, delay_seconds\n"
        '| filter message_id = "PUT THE MESSAGE ID HERE"\n'
        "| sort @timestamp asc",
    ),
    "Findings that come together": Query(
        LOGS["forwarders"],
        'filter message = "batch"\n'
        r'| parse @message /"findings":\s*\{(?<found>[^}]*)\}/'
        "\n"
        "| filter ispresent(found)\n"
        "| stats count() as batches by found\n"
        "| sort batches desc\n| limit 50",
    ),
    "Findings by rule": Query(LOGS["forwarders"], _findings_by_rule()),
    "Apps whose key is refused": Query(
        LOGS["forwarders"],
        'filter message = "event not delivered" and reason = "credentials"\n'
        "| stats count() as times, earliest(@timestamp) as since by app_id\n"
        "| sort times desc",
    ),
    "Payments that became no event": Query(
        LOGS["payments"],
        'filter message = "payment not mapped" or message = "webhook refused"\n'
        "| stats count() as times by message, reason, problem\n"
        "| sort times desc",
    ),
    "Settings that are wrong": Query(
        LOGS["functions"],
        'filter message = "setting is wrong" or message = "parameters unavailable"\n'
        "| stats count() as times, latest(@timestamp) as last by service, key, problem\n"
        "| sort last desc",
    ),
    "Batches that handed records back": Query(
        LOGS["consumers"],
        'filter message = "batch" and HandedBack > 0\n'
        "| stats sum(HandedBack) as records, count() as batches by service, bin(5m)",
    ),
    "Calls to AWS that failed": Query(
        LOGS["functions"],
        'filter message = "AWS call failed"\n'
        "| stats count() as times by service, operation, codes.0\n"
        "| sort times desc",
    ),
    "Unexpected errors by place": Query(
        LOGS["functions"],
        'filter message = "unexpected error"\n'
        "| stats count() as times, latest(@timestamp) as last by service, error, place\n"
        "| sort times desc",
    ),
    "Slowest calls of the API": Query(
        LOGS["api"],
        "fields @timestamp, routeKey, status, responseLatencyMs, integrationLatencyMs, requestId\n"
        "| sort responseLatencyMs desc\n| limit 50",
    ),
    "Time and memory of the functions": Query(
        LOGS["functions"],
        'filter @type = "REPORT"\n'
        "| stats count() as invocations, pct(@duration, 99) as p99_ms, "
        "max(@maxMemoryUsed / 1000000) as most_mb by @log",
    ),
}
"""By name; in the console they stand in a folder that is named as the stack."""
