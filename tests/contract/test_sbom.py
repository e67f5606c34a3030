"""`make sbom`: what it says is CycloneDX, and says all that is installed."""

import json
import re
from importlib import resources

import jsonschema_rs
import pytest

from scripts.sbom import LISTS, ROOT, bill_of
from tests.support.builders import Json


@pytest.fixture(scope="module")
def bills() -> dict[str, Json]:
    return {name: bill_of(name) for name in LISTS}


def schema(name: str) -> Json:
    """The standard's own, as CycloneDX's library carries it."""
    file = resources.files("cyclonedx.schema") / "_res" / f"{name}.SNAPSHOT.schema.json"
    found: Json = json.loads(file.read_text(encoding="utf-8"))
    return found


def test_every_bill_of_materials_is_cyclonedx(bills: dict[str, Json]) -> None:
    place = "http://cyclonedx.org/schema/{}.SNAPSHOT.schema.json"
    others = [(place.format(name), schema(name)) for name in ("spdx", "jsf-0.82")]
    validator = jsonschema_rs.Draft7Validator(
        schema("bom-1.5"), registry=jsonschema_rs.Registry(others)
    )

    wrong = {name: next(validator.iter_errors(bill), None) for name, bill in bills.items()}
    assert {name: error.message for name, error in wrong.items() if error} == {}
    assert not validator.is_valid({**bills["layer"], "components": [{"name": "no type"}]})


def test_bill_of_the_layer_names_what_is_put_on_lambda(bills: dict[str, Json]) -> None:
    text = (ROOT / "layers/relay/requirements.txt").read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", text, re.MULTILINE))

    assert len(pinned) > 10
    assert {(one["name"], one["version"]) for one in bills["layer"]["components"]} == pinned


def test_every_component_has_a_package_url_and_a_digest(bills: dict[str, Json]) -> None:
    components = [one for bill in bills.values() for one in bill["components"]]
    files = [
        (one, [*one.get("hashes", []), *_digests(one.get("externalReferences", []))])
        for one in components
    ]

    assert len(files) > 200
    assert [one["name"] for one, found in files if not found or "purl" not in one] == []


def _digests(references: list[Json]) -> list[Json]:
    return [digest for one in references for digest in one.get("hashes", [])]


def test_bill_of_development_names_what_others_wrote_and_stands_here(
    bills: dict[str, Json],
) -> None:
    vendored = json.loads((ROOT / "scripts/vendored.json").read_text(encoding="utf-8"))
    named = {one["purl"] for one in bills["development"]["components"]}

    assert {f"pkg:npm/{name}@{one['version']}" for name, one in vendored.items()} <= named
