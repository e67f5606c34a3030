"""docs/schemas: what the code reads, as JSON Schema, for those who use Terraform or the like."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from relay_cli.setup.schemas import schemas, written
from relay_sandbox.seeds import Seeds

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"
DIGEST = "0" * 64


def _schema(name: str) -> Any:
    return json.loads((FOLDER / name).read_text("utf-8"))


def test_schemas_in_the_docs_are_what_the_code_gives() -> None:
    """Write them again with: relay setup schemas docs/schemas."""
    there = {file.name: file.read_text("utf-8") for file in FOLDER.iterdir()}

    assert there == {name: written(schema) for name, schema in schemas().items()}


def test_schemas_hold_for_what_a_sandbox_is_set_up_with() -> None:
    seeds = Seeds()
    values = dict([*seeds._settings(), *seeds._secrets()])  # noqa: SLF001 - parameters by name
    files = {"sources": "sources.json", "producers": "senders.json", "push_senders": "senders.json"}

    for name, value in values.items():
        file = "app.json" if name.startswith("apps/") else files.get(name)
        if file:
            assert jsonschema_rs.is_valid(_schema(file), json.loads(value)), name


@pytest.mark.parametrize(
    ("file", "value"),
    [
        ("app.json", {"timezone": "UTC"}),
        ("app.json", {"phone_region": "de"}),
        ("app.json", {"payments": {"revenue": "all"}}),
        ("senders.json", {"name": "shop"}),
        ("senders.json", [{"name": "shop", "token_sha256": ["token"], "apps": []}]),
        ("senders.json", [{"name": "shop", "token_sha256": [DIGEST] * 6, "apps": []}]),
        ("sources.json", {"Shop": {"provider": "stripe", "apps": {}}}),
        ("sources.json", {"shop": {"provider": "nobody", "apps": {}}}),
        ("sources.json", {"shop": {"provider": "stripe"}}),
    ],
)
def test_schemas_refuse_what_the_relay_cannot_read(file: str, value: Any) -> None:
    assert not jsonschema_rs.is_valid(_schema(file), value)
