"""template.yaml, as the tests read it."""

from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from relay.settings import (
    AcceptSettings,
    ForwardSettings,
    MapPaymentSettings,
    ReceiveInstallSettings,
    ReceivePaymentSettings,
)

Json = dict[str, Any]

TEXT = (Path(__file__).parents[1] / "template.yaml").read_text()
TEMPLATE: Json = yaml_parse(TEXT)
PARAMETERS: dict[str, Json] = TEMPLATE["Parameters"]
RESOURCES: dict[str, Json] = TEMPLATE["Resources"]

SETTINGS: dict[str, Any] = {
    "AcceptFunction": AcceptSettings,
    "ReceivePaymentFunction": ReceivePaymentSettings,
    "ReceiveInstallFunction": ReceiveInstallSettings,
    "MapPaymentFunction": MapPaymentSettings,
    "ForwardMobileFunction": ForwardSettings,
    "ForwardWebFunction": ForwardSettings,
}


def of_type(kind: str) -> dict[str, Json]:
    return {name: one["Properties"] for name, one in RESOURCES.items() if one["Type"] == kind}


def properties(name: str) -> Json:
    found: Json = RESOURCES[name]["Properties"]
    return found


def variables(function: str) -> Json:
    """A function's environment, with what is common to all."""
    common: Json = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    own: Json = properties(function)["Environment"]["Variables"]
    return common | own
