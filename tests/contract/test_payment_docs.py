"""docs/payments.md names every payment provider of the registry, and every setting of a source."""

import re
from pathlib import Path

from relay.payments.providers.registry import PROVIDERS, source_settings

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "payments.md").read_text("utf-8")
_SOURCES = TEXT.partition("## Set up a source")[2].partition("\n## ")[0]
ROWS = dict(re.findall(r"^\| `(\w+)` \|(.*)\|$", _SOURCES, re.MULTILINE))


def test_guide_lists_the_providers() -> None:
    assert re.findall(r"`(\w+)`", ROWS["provider"]) == list(PROVIDERS)


def test_guide_says_how_to_set_up_each_provider() -> None:
    """The schema of one's own billing has a page of its own."""
    titles = {
        title.lower().replace(" ", "_") for title in re.findall(r"^### (.+)$", TEXT, re.MULTILINE)
    }

    assert set(PROVIDERS) - titles == {"standard_webhooks"}
    assert "Standard Webhooks" in (DOCS / "payments-schema.md").read_text("utf-8")


def test_guide_has_a_row_for_each_setting_of_a_source() -> None:
    fields = source_settings().model_fields
    settings = {field.alias or name for name, field in fields.items()}

    assert settings - ROWS.keys() == set()
