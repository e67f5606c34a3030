"""docs/operations.md: what whoever is woken finds there, and that the pages lead there."""

import re
from pathlib import Path

import pytest

from tests.support.alarms import ALARMS, watched
from tests.support.template import FORWARDERS, FUNCTIONS, PARAMETERS, variables

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
]
OURS = {"Fn::Sub": "AppsFlyerRelay/${AWS::StackName}"}

_QUEUE = re.compile(r"(mobile|web|payments)(?=-)")


def table(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, cell by cell."""
    section = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    (found,) = (one for one in section if one.startswith(f"{heading}\n"))
    lines = [line.strip("|").split("|") for line in found.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in cells] for cells in lines[2:]]


def services(functions: list[str]) -> str:
    return "|".join(variables(function)["POWERTOOLS_SERVICE_NAME"] for function in functions)


def kinds(name: str) -> set[str]:
    """The rows that an alarm may stand in: by its own name, or by that of its kind."""
    own = ALARMS[name]["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
    return {
        own,
        _QUEUE.sub("<queue>", own, count=1) if _QUEUE.match(own) else own,
        re.sub(rf"^({services(FUNCTIONS)})-", "<function>-", own),
        re.sub(rf"^({services(FORWARDERS)})-", "<forwarder>-", own),
    }


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


ROWS = {names(row[0])[0]: row for row in table("Alarms")}


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_has_one_row(name: str) -> None:
    assert len(kinds(name) & ROWS.keys()) == 1


@pytest.mark.parametrize("row", ROWS)
def test_row_of_the_alarms_is_about_an_alarm(row: str) -> None:
    assert [name for name in ALARMS if row in kinds(name)]


@pytest.mark.parametrize("row", ROWS)
def test_row_says_what_it_means_what_to_do_and_when_it_is_over(row: str) -> None:
    assert len(ROWS[row]) == 4
    assert all(ROWS[row])


@pytest.mark.parametrize("name", ALARMS)
def test_counter_of_an_alarm_is_explained(name: str) -> None:
    explained = {counter for row in table("Metrics and logs") for counter in names(row[0])}
    ours = {one["MetricName"] for one in watched(ALARMS[name]) if one["Namespace"] == OURS}

    assert ours <= explained


def test_every_parameter_of_the_template_is_explained_and_no_other() -> None:
    explained = [one for row in table("Parameters of the template") for one in names(row[0])]

    assert sorted(explained) == sorted(PARAMETERS)


@pytest.mark.parametrize("name", sorted(PARAMETERS.keys() - {"MobileEndpoint", "WebEndpoint"}))
def test_parameter_has_the_default_that_is_written_down(name: str) -> None:
    (row,) = (row for row in table("Parameters of the template") if name in names(row[0]))
    default = str(PARAMETERS[name]["Default"]) or "none"

    assert default in re.sub(r"[` ]", "", row[1])


@pytest.mark.parametrize("page", PAGES)
def test_page_links_to_headings_that_exist(page: str) -> None:
    path = ROOT / page
    links = re.findall(
        r"\]\((?!https?:|mailto:)([^)#\s]*)#([^)]+)\)", path.read_text(encoding="utf-8")
    )
    targets = [(path if not file else path.parent / file, anchor) for file, anchor in links]

    assert [anchor for file, anchor in targets if anchor not in anchors(file)] == []


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    text = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    headings = re.findall(r"^(?:> )?#+ (.+?) *$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}
