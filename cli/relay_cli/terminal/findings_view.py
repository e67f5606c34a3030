"""Findings as a table, and parsed from a response or a dead letter."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from relay.domain.findings import Finding, Severity
from relay_cli.terminal.console import printable
from relay_cli.terminal.rule_links import linked_rules

_SEVERITIES: Final = frozenset(severity.value for severity in Severity)


def findings_table(findings: Sequence[Finding]) -> Table:
    """A table with one finding a row: severity, rule, field, message."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(style="rule", no_wrap=True)
    table.add_column(overflow="fold", max_width=24)
    table.add_column(overflow="fold")
    # Findings that reject the event come first. The others stay in the order of the fields.
    for one in sorted(findings, key=lambda finding: finding.severity is not Severity.REJECT):
        severity = Text(one.severity.value, one.severity.value)
        field, message = Text(printable(one.field)), Text(printable(one.message))
        table.add_row(severity, linked_rules([printable(one.rule)]), field, message)
    return table


def parse_findings(content: Any) -> Iterator[Finding]:
    """Parses the findings of a response or a dead letter; skips what is not a finding."""
    for one in content if isinstance(content, list) else ():
        if isinstance(one, dict) and one.get("severity") in _SEVERITIES:
            rule, field, message = (str(one.get(key, "")) for key in ("rule", "field", "message"))
            yield Finding(rule, Severity(one["severity"]), field, message)
