"""What the pages say is so: rules and where the code meets them, places, numbers, links."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache, reduce
from pathlib import Path
from typing import NamedTuple

from relay.accept.bodies import MAX_VALUES
from relay.aws.parameter_store import (
    CACHE_SECONDS,
    FEW,
    KEPT_SECONDS,
    LONGEST_PAUSE_SECONDS,
    REREAD_SECONDS,
)
from relay.aws.timeouts import LONGEST_CALL_SECONDS, PATIENCE_SECONDS, RETRY_SECONDS
from relay.consumer.consumer import LONGEST_PART
from relay.domain.outcomes import Outcome
from relay.exact_json import MOST_VALUES
from relay.forward.circuit_breaker import PROBES, RECENT
from relay.http1.pool import LONGEST_LIFE_SECONDS
from relay.messages.backoff import (
    MAX_DELAY_SECONDS,
    MAX_RETRY_AFTER_SECONDS,
    wait_after_attempt,
)
from relay.payments.errors import MappingError
from relay.payments.map import SETTLING_SECONDS
from relay.rules.mobile import MAX_BODY_BYTES
from relay.stores.deliveries import Claim, Deliveries
from relay.stores.write_batcher import ITEMS_A_CALL
from tests.support.every import every
from tests.support.template import PARAMETERS, properties

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers" / "relay" / "relay"
TEXT = (ROOT / "docs" / "appsflyer.md").read_text(encoding="utf-8")
NUMBERS = {"G": 5, "E": 18, "M": 23, "H": 9, "T": 12, "W": 14, "S": 6, "Q": 8, "X": 6}
SEVERITIES = {"reject", "warn", "repair"}

_RULE = re.compile(r"\b[EGMHTWSQX]\d{1,2}\b")
_PLACE = re.compile(r"`([a-z_.0-9]+:[A-Za-z_.]+)`")


class Row(NamedTuple):
    """One rule as the page has it."""

    rule: str
    text: str
    severity: str
    where: str
    source: str


def _rows() -> Iterator[Row]:
    for line in TEXT.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if _RULE.fullmatch(cells[0]):
            yield Row(*cells)


ROWS = {row.rule: row for row in _rows()}


def _modules() -> list[Path]:
    return sorted(LAYER.rglob("*.py"))


class Said(NamedTuple):
    """What the code says; of its syntax trees, a million objects, nothing is kept."""

    findings: set[tuple[str, str]]
    """Rule and severity of each finding that it raises by a literal rule number."""
    reasons: set[tuple[str, str]]
    """Each reason of a dead letter: its outcome and itself, or what stands in front of it."""


@cache
def _said() -> Said:
    said = Said(set(), set())
    for path in _modules():
        tree = ast.parse(_text(path))
        said.findings.update(_findings(tree))
        said.reasons.update(_reasons(path, tree))
    return said


def _findings(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr=severity), args=[ast.Constant(value=str(rule)), *_]
            ) if severity in SEVERITIES and _RULE.fullmatch(rule):
                yield rule, severity


def test_page_has_every_rule_once_and_in_order() -> None:
    numbers = [f"{letter}{n}" for letter, last in NUMBERS.items() for n in range(1, last + 1)]

    assert [row.rule for row in _rows()] == numbers


def test_page_has_every_rule_that_the_code_cites() -> None:
    cited = {rule for path in _modules() for rule in _RULE.findall(path.read_text("utf-8"))}

    assert cited
    assert cited - ROWS.keys() == set()


def test_page_gives_each_rule_the_severities_that_the_code_raises() -> None:
    found = _said().findings

    assert found
    assert {(r, severity) for r, severity in found if severity not in ROWS[r].severity} == set()


def _exists(place: str) -> bool:
    module, _, name = place.partition(":")
    try:
        found = reduce(getattr, name.split("."), importlib.import_module(f"relay.{module}"))
    except (ImportError, AttributeError):
        return False
    return (
        callable(found) and found.__module__ == f"relay.{module}"
    )  # there, and not imported there


def test_page_names_places_that_exist() -> None:
    places = set(_PLACE.findall(TEXT))

    assert places
    assert [place for place in sorted(places) if not _exists(place)] == []


def test_page_says_of_each_rule_where_it_is_met_and_where_it_comes_from() -> None:
    nowhere = [row.rule for row in ROWS.values() if not _PLACE.search(row.where)]
    sources = {row.rule: set(row.source.split()) for row in ROWS.values()}

    assert nowhere == ["S5"]
    assert [rule for rule, given in sources.items() if not given or given - set("ABCDR")] == []


# Every page

PAGES = sorted(
    path
    for folder in (".", "docs", "events", "tests/data")
    for path in (ROOT / folder).rglob("*.md" if folder == "tests/data" else "[!.]*.md")
    if folder != "." or path.parent == ROOT
)
DEVELOPERS = [ROOT / "CONTRIBUTING.md", ROOT / "docs" / "decisions.md"]
HOMES = [ROOT, LAYER, LAYER / "payments", ROOT / "cli/relay_cli", ROOT / "sandbox/relay_sandbox"]
"""Where a path in a page for developers may begin."""

_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#]+)")
_PATH = re.compile(r"`([a-z_0-9]+(?:/[a-z_0-9.]+)+/?|[a-z_0-9]+\.py)`")


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_pages_link_to_files_that_exist() -> None:
    links = [(page, link) for page in PAGES for link in _LINK.findall(_text(page))]

    assert len({page for page, _ in links}) > 8
    assert [(p.name, link) for p, link in links if not (p.parent / link).exists()] == []


_PICTURES = re.compile(r"""!\[([^\]]*)\]\(([^)]+)\)|<img src="([^"]+)" alt="([^"]*)">""")
_SOURCES = re.compile(r'srcset="([^"]+)"')
_LEAST_ALT = 80
_MOST_BYTES = 150_000


def test_pictures_exist_are_small_and_say_in_words_what_they_show() -> None:
    shown: dict[Path, str | None] = {}
    for page in PAGES:
        for alt, path, source, source_alt in _PICTURES.findall(_text(page)):
            shown[(page.parent / (path or source)).resolve()] = alt or source_alt
        for path in _SOURCES.findall(_text(page)):  # in another scheme: the same words
            shown[(page.parent / path).resolve()] = None

    kept = set((ROOT / "docs" / "pictures").iterdir())
    assert set(shown) == kept
    assert [path.name for path in kept if path.read_bytes()[:8] != b"\x89PNG\r\n\x1a\n"] == []
    assert [path.name for path in kept if path.stat().st_size > _MOST_BYTES] == []
    assert [p.name for p, alt in shown.items() if alt is not None and len(alt) < _LEAST_ALT] == []


@cache
def _names() -> set[str]:
    """The names of all modules of this project, and not of what is installed beside it."""
    folders = [path for path in ROOT.glob("[!.]*/") if path.is_dir()]
    return {path.name for folder in folders for path in folder.rglob("*.py")}


def _is_there(path: str) -> bool:
    if "/" not in path:  # the name of a module that the sentence has placed before
        return path in _names()
    return any((home / end).exists() for home in HOMES for end in (path, f"{path}.py"))


def test_pages_for_developers_name_folders_and_modules_that_exist() -> None:
    folders = {path.name for home in HOMES for path in home.iterdir() if path.is_dir()}
    named = [
        (page.name, path)
        for page in DEVELOPERS
        for path in _PATH.findall(_text(page))
        if path.endswith(".py") or path.partition("/")[0] in folders
    ]

    assert len(named) > 60
    assert [(page, path) for page, path in named if not _is_there(path)] == []


_TEST_FILE = re.compile(r"\btests/[a-z_0-9/]+\.[a-z]+\b")


def test_pages_name_test_files_that_exist() -> None:
    named = [(page.name, path) for page in PAGES for path in _TEST_FILE.findall(_text(page))]

    assert len(named) > 10
    assert [(page, path) for page, path in named if not (ROOT / path).exists()] == []


# Reasons of dead letters

OPERATIONS = _text(ROOT / "docs" / "operations.md")
REASONS_SECTION = OPERATIONS.partition("## Reasons of dead letters")[2].partition("\n## ")[0]
"""The table, and below it the sentence that explains `<why>`."""
ENDS = {
    "DELIVERED": "",
    "DUPLICATE": "",
    "REJECTED": "`{}`",
    "REFUSED": "`{}`",
    "BLOCKED": "hold_limit: {}`",
    "DEFERRED": "`{}`",
    "HELD": "hold_limit: {}`",
}
"""How a reason stands there, by the outcome of its verdict. Empty: no dead letter."""
HELD_OTHERWISE = {"identity_unknown", "original_unknown"}
"""They have a limit of their own, and no `hold_limit` in front."""
HOLDS_THAT_DEFER = {"appsflyer_unwell"}


def _text_of(node: ast.expr, names: dict[str, object]) -> str | None:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return str(names[name]) if isinstance(names.get(name), str) else None
        case ast.JoinedStr(values=[ast.Constant(value=str(start)), *_]):
            return f"{start}<n>"
    return None


def _reasons(path: Path, tree: ast.Module) -> Iterator[tuple[str, str]]:
    name = ".".join(path.relative_to(LAYER.parent).with_suffix("").parts)
    names = vars(importlib.import_module(name.removesuffix(".__init__")))
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Name(id="Verdict"), args=[ast.Attribute(attr=outcome), _, reason, *_]
            ) if text := _text_of(reason, names):
                yield outcome, text
            case ast.Call(func=ast.Attribute(attr="because"), args=[reason]) if text := (
                _text_of(reason, names)
            ):
                yield "in front", text
    yield from (
        ("REJECTED", error.reason)
        for error in names.values()
        if isinstance(error, type) and issubclass(error, MappingError) and error != MappingError
    )


def _as_stated(outcome: str, reason: str) -> str:
    if outcome == "in front":
        return f"`{reason}: "
    if reason in HELD_OTHERWISE:
        return f"`{reason}`"
    return ENDS["HELD" if reason in HOLDS_THAT_DEFER else outcome].format(reason)


def test_operations_explain_every_reason_of_a_dead_letter() -> None:
    endless = {("HELD", "no_time"), ("HELD", "from_array"), ("HELD", "not_before")}
    reasons = _said().reasons - endless

    assert len(reasons) > 25
    assert [one for one in sorted(reasons) if _as_stated(*one) not in REASONS_SECTION] == []


SCHEDULE = PARAMETERS["RetryScheduleSeconds"]["Default"].split(",")
RECEIVES = properties("MobileQueue")["RedrivePolicy"]["maxReceiveCount"]
CASES = len((ROOT / "tests/data/appsflyer_events.ndjson").read_bytes().splitlines())
_WORDS = {"three": 3, "ten": 10}


def _outlasted(share: float) -> float:
    """Hours that the schedule lasts: at least (0), on average (0.5), at most (1)."""
    steps = [float(step) for step in SCHEDULE]

    def jitter(low: float, high: float) -> float:
        return low + share * (high - low)

    waits = [wait_after_attempt(number, steps, jitter) for number in range(1, len(steps) + 1)]
    return round(sum(wait or 0.0 for wait in waits) / 3600, 1)


STATED: list[tuple[str, str, float]] = [
    ("docs/operations.md", r"there are (\w+) attempts", len(SCHEDULE) + 1),
    ("docs/operations.md", r"`Retry-After` \(up to (\w+) hours\)", MAX_RETRY_AFTER_SECONDS / 3600),
    ("docs/reliability.md", r"lasts (\S+) hours on average", _outlasted(0.5)),
    ("docs/reliability.md", r"never less than ([\d.]+\d)", _outlasted(0.0)),
    ("docs/operations.md", r"after about (\w+) hours on average", round(_outlasted(0.5))),
    ("docs/operations.md", r"average, (\w+) at least and", round(_outlasted(0.0))),
    ("docs/operations.md", r"at least and (\w+) at most", round(_outlasted(1.0))),
    ("docs/operations.md", r"`maxReceiveCount` \((\w+)\) is a net", RECEIVES),
    ("docs/operations.md", r"A change is seen within (\w+) minutes", CACHE_SECONDS / 60),
    ("docs/operations.md", r"and (\w+) in which it may come back", KEPT_SECONDS / 60),
    ("docs/operations.md", r"is known about (\w+) seconds after", REREAD_SECONDS),
    ("docs/operations.md", r"up to (\w+) processes \(", FEW),
    ("docs/decisions.md", r"tries again for (\w+) s with random", PATIENCE_SECONDS),
    ("docs/decisions.md", r"random pauses of up to (\w+) s", LONGEST_PAUSE_SECONDS),
    ("docs/payments.md", r"Changes take up to (\w+) minutes", CACHE_SECONDS / 60),
    ("docs/payments.md", r"waits for (\w+) seconds, so that", SETTLING_SECONDS),
    ("docs/decisions.md", r"cause one read in (\w+) seconds", REREAD_SECONDS),
    ("docs/decisions.md", r"most of its latest (\w+) sends", RECENT),
    ("docs/decisions.md", r"sends (\w+) half-open probes", PROBES),
    ("docs/decisions.md", r"`DelaySeconds` \(at most (\w+) s", MAX_DELAY_SECONDS),
    ("docs/decisions.md", r"One call to AWS takes (\w+) s at most", LONGEST_CALL_SECONDS),
    ("docs/decisions.md", r"`BatchExecuteStatement`: (\w+) PartiQL", ITEMS_A_CALL),
    ("docs/decisions.md", r"begins that no later than (\S+) s after", RETRY_SECONDS),
    ("docs/decisions.md", r"([\w,]+) names and values for a\s+message", MOST_VALUES),
    ("docs/decisions.md", r"([\w,]+) for a body of `accept`", MAX_VALUES),
    ("docs/decisions.md", r"A batch is handled in parts of\s+(\w+) KB", LONGEST_PART / 1024),
    ("docs/decisions.md", r"connection is closed after (\w+) minutes", LONGEST_LIFE_SECONDS / 60),
    ("docs/appsflyer.md", r"at most ([\w,]+) bytes of UTF-8", MAX_BODY_BYTES),
    ("docs/appsflyer.md", r"holds (\w+) cases", CASES),
]
"""Numbers that a page states and the code has."""


@every("page, sentence, number", STATED)
def test_page_states_the_number_that_the_code_has(page: str, sentence: str, number: float) -> None:
    stated = re.findall(sentence, _text(ROOT / page))

    assert [float(_WORDS.get(word) or word.replace(",", "")) for word in stated] == [number]


# The map of states


def _states() -> str:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    return text.partition("## States of an event")[2].partition("\n## ")[0]


def _picture() -> set[str]:
    """What stands on the arrows of the picture."""
    diagram = _states().partition("```mermaid")[2].partition("```")[0]
    labels = re.findall(r"-->.*: (.+)", diagram)
    return {word for label in labels for word in label.split(", ")}


def test_map_of_states_has_every_outcome_and_every_write_of_a_delivery_on_its_arrows() -> None:
    writes = {name for name, _ in inspect.getmembers(Deliveries, inspect.iscoroutinefunction)}
    handed_in_and_out = {"handed in", "redrive", "time", "DeliveryDays"}

    assert _picture() == set(Outcome) | {one for one in writes if one[0] != "_"} | handed_in_and_out


def test_map_of_states_explains_every_arrow_and_every_claim() -> None:
    arrows, _, claims = _states().partition("Who claims an event")
    rows = set(re.findall(r"^\| `?([^`|(]+?)`?(?: \(`\w+`\))? \|", arrows, re.MULTILINE))
    explained = {word for row in rows for word in row.split(", ")}
    ends = {"time", "DeliveryDays", "delivered", "duplicate"}

    assert _picture() - ends <= explained
    assert set(re.findall(r"^\| `(\w+)` \|", claims, re.MULTILINE)) == set(Claim)
