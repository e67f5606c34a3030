"""Writes the dashboard, the composite alarm and the saved queries into template.yaml.

python -m scripts.dashboard           writes them
python -m scripts.dashboard --check   fails if template.yaml does not have what it would write
"""

import sys
from pathlib import Path

from scripts.dashboard.block import written

TEMPLATE = Path(__file__).parents[2] / "template.yaml"


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    before = TEMPLATE.read_text(encoding="utf-8")
    after = written(before)
    if arguments == ["--check"]:
        if before != after:
            print(
                "template.yaml does not have what scripts/dashboard says. Run: make dashboard",
                file=sys.stderr,
            )
        return int(before != after)
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    TEMPLATE.write_text(after, encoding="utf-8")
    return 0


sys.exit(main(sys.argv[1:]))
