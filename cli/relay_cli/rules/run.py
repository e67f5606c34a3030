"""`relay rule M22`: shows one rule."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from rich.highlighter import JSONHighlighter
from rich.text import Text

from relay_cli.resources import resource
from relay_cli.rules.table import Rule, Source, rules_of, sources_of
from relay_cli.terminal.console import Block, show, stdout_console
from relay_cli.terminal.errors import CliError, ExitCode
from relay_cli.terminal.rule_links import RULES_FILE, linked_rules

_VECTORS: Final = resource("tests/data/appsflyer_events.ndjson")


def show_rule(number: str, *, as_json: bool) -> ExitCode:
    """Shows a rule, also as JSON; raises `CliError` for a number that is none."""
    try:
        document = RULES_FILE.read_text(encoding="utf-8")
    except OSError as error:
        raise CliError("the rules are in docs/appsflyer.md, which is not here") from error
    rules = rules_of(document)
    rule = rules.get(number.upper())
    if rule is None:
        close = get_close_matches(number.upper(), rules, n=3, cutoff=0.5)
        hint = f": is it {', '.join(close)}?" if close else ""
        raise CliError(f"there is no rule of this number{hint}", code=ExitCode.FAILED)
    sources, example = sources_of(document), example_of(rule.number, _VECTORS)
    if as_json:
        print(json.dumps(_document(rule, sources, example), ensure_ascii=False))  # noqa: T201 - this alone
    else:
        show(stdout_console(), blocks(rule, sources, example))
    return ExitCode.OK


def _document(
    rule: Rule, sources: Mapping[str, Source], example: Mapping[str, Any] | None
) -> dict[str, Any]:
    return {
        "rule": rule.number,
        "severity": rule.severity,
        "text": rule.text.replace("`", ""),
        "sources": [asdict(sources[mark]) for mark in rule.sources if mark in sources],
        "example": example,
    }


def blocks(
    rule: Rule, sources: Mapping[str, Source], example: Mapping[str, Any] | None
) -> Iterator[Block]:
    """The rule, its sources and its example."""
    severity = "" if rule.severity in {"", "-"} else f"  {rule.severity}"
    yield Block(Text.assemble(linked_rules([rule.number]), (severity, "quiet")))
    yield Block(Text(rule.text.replace("`", "")))
    for mark in rule.sources:
        if (source := sources.get(mark)) is not None:
            yield Block(Text(f"\n{source.title}", "quiet"))
            if source.url:
                yield Block(Text(source.url, f"link {source.url}"), exact=True)
    if example is not None:
        yield Block(Text("\nAn event that it has something to say about", "heading"))
        shown = json.dumps(example["event"], indent=2, ensure_ascii=False)
        yield Block(JSONHighlighter()(Text(shown)), exact=True)
        for one in example["findings"]:
            yield Block(Text(f"{one['severity']} {one['field']}: {one['message']}"))


def example_of(number: str, vectors: Path) -> dict[str, Any] | None:
    """An event that breaks the rule, the smallest that is known, and what is then said of it."""
    from relay.exact_json import InvalidJsonError, loads
    from relay_cli.input.event import Defaults, InputEvent, from_line

    try:
        lines = vectors.read_bytes().splitlines()
    except OSError:
        return None
    found: list[tuple[int, dict[str, Any]]] = []
    for line in lines:
        try:
            content = loads(line)
        except InvalidJsonError:
            continue
        case = content.get("input", content) if isinstance(content, dict) else {}
        if not isinstance(case.get("event"), dict):
            continue
        parsed = from_line({name: case[name] for name in _FIELDS if name in case}, Defaults())
        if isinstance(parsed, InputEvent):
            findings = [one.as_dict() for one in parsed.prepare().findings if one.rule == number]
            if findings:
                event = json.loads(json.dumps(case["event"], default=str))
                found.append((len(line), {"event": event, "findings": findings}))
    return min(found, key=lambda one: one[0])[1] if found else None


_FIELDS: Final = ("kind", "app_id", "event", "arrival", "time_zone", "phone_region")
