"""The blocks of commands in the documents, as a reader would run them: page by page, in order.

A fence says what its block is: `sh` is run, `sh not-run: WHY` is not.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for page in (
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
        ROOT / "events" / "README.md",
        *(ROOT / "docs").glob("*.md"),
    )
    if page.name not in {"decisions.md", "cli.md"}
)
"""All but the log of decisions, and the page that is made of the help, whose examples
tests/integration/cli/test_examples.py runs."""
LANGUAGES = {"sh", "text", "json", "python", "mermaid", "yaml", "hcl", "logs-insights"}

_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"sh not-run: (?P<why>.{10,})")


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    line: int
    info: str
    text: str

    @property
    def language(self) -> str:
        """The first word of its fence."""
        return self.info.partition(" ")[0]

    @property
    def is_run(self) -> bool:
        """Whether it holds commands that are run."""
        return self.info == "sh"

    @property
    def fault(self) -> str | None:
        """What is wrong with its fence."""
        if self.language not in LANGUAGES:
            return f"the fence says {self.info!r}, and not which of {sorted(LANGUAGES)} it is"
        if self.language == "sh" and not self.is_run and not _NOT_RUN.fullmatch(self.info):
            return "a block of commands is run, or its fence says `sh not-run: WHY`"
        return None


def blocks_of(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text("utf-8")
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Block(str(page.relative_to(ROOT)), line, match[1].strip(), match[2])


def script_of(page: Path) -> str:
    """A script that runs a page's blocks, and says before each where it stands."""
    parts = [
        f"printf '\\n--- line %s\\n' {block.line}\n{block.text}"
        for block in blocks_of(page)
        if block.is_run
    ]
    return "set -euo pipefail\n" + "\n".join(parts) if parts else ""
