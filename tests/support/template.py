"""template.yaml, as the tests read it."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from relay.config.environment import (
    AcceptSettings,
    ForwardSettings,
    MapPaymentSettings,
    ReceiveInstallSettings,
    ReceivePaymentSettings,
)
from relay_sandbox.deployment.loops import expanded
from relay_sandbox.deployment.template import Template, parsed

Json = dict[str, Any]


PATH = Path(__file__).parents[2] / "template.yaml"
TEXT = PATH.read_text()
TEMPLATE = expanded(parsed(TEXT))
"""With its loops written out, as CloudFormation hands it to SAM's transform."""
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

SOURCES = ["MobileQueue", "WebQueue", "PaymentsQueue"]
DEAD_LETTERS = ["MobileDeadLetterQueue", "WebDeadLetterQueue", "PaymentsDeadLetterQueue"]
TABLES = ["IdentitiesTable", "DeliveriesTable", "PaymentTrailTable"]
FORWARDERS = ["ForwardMobileFunction", "ForwardWebFunction"]
CONSUMERS = [*FORWARDERS, "MapPaymentFunction"]
"""The functions that a queue invokes, in the order of SOURCES."""
BEHIND_HTTP = ["AcceptFunction", "ReceivePaymentFunction", "ReceiveInstallFunction"]
FUNCTIONS = [*BEHIND_HTTP, *CONSUMERS]


@cache
def sam_template() -> Template:
    """As the sandbox reads it, the SAM transform included: a third of a second."""
    return Template.read(PATH)


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


def event_source(function: str) -> Json:
    """The event source mapping of a function that a queue invokes."""
    (source,) = properties(function)["Events"].values()
    found: Json = source["Properties"]
    return found


def under(value: Any, conditions: Mapping[str, bool]) -> Any:
    """The value that an `!If` comes to."""
    match value:
        case {"Fn::If": [name, yes, no]}:
            return under(yes if conditions[name] else no, conditions)
        case {"Ref": "AWS::NoValue"}:
            return None
    return value


def conditions(**parameters: str) -> dict[str, bool]:
    """What the template's conditions come to, with these parameters and defaults for the rest."""
    given = {name: str(one["Default"]) for name, one in PARAMETERS.items()} | parameters
    return {name: _holds(one, given) for name, one in TEMPLATE["Conditions"].items()}


def _holds(condition: Json, given: Mapping[str, str]) -> bool:
    match condition:
        case {"Fn::Not": [inner]}:
            return not _holds(inner, given)
        case {"Fn::Equals": [{"Ref": name}, wanted]}:
            return given[name] == str(wanted)
    raise AssertionError(f"these tests do not know what {condition} means")


def statements(function: str, *, conditions: bool = True) -> list[Json]:
    """All that a function may do: its role's own statements, and those of the policy it refers to.

    With `conditions`, those included that depend on one.
    """
    (shell,) = properties(function.replace("Function", "Role"))["Policies"]
    documents = [shell, properties(function.replace("Function", "Policy"))]
    written = [s for one in documents for s in one["PolicyDocument"]["Statement"]]
    always = dict.fromkeys(("HasCustomerKey", "TracingIsActive"), conditions)
    return [one for one in (under(s, always) for s in written) if one]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def environment(function: str, which: str) -> dict[str, str]:
    """The environment with each parameter at its "Default", "MinValue" or "MaxValue"."""

    def value(given: Any) -> str:
        given = under(given, conditions())
        if not isinstance(given, dict):
            return str(given)
        if "Fn::Sub" in given:
            return str(given["Fn::Sub"]).replace("${AWS::StackName}", "appsflyer-relay")
        if given["Ref"] in TABLES:
            return f"appsflyer-relay-{given['Ref']}-1A2B3C4D5E6F"  # as CloudFormation names it
        parameter = PARAMETERS.get(given["Ref"], {})
        return str(parameter.get(which, parameter.get("Default", "https://sqs.example.com/1/q")))

    return {name: value(given) for name, given in variables(function).items()}


def texts(value: Any) -> Iterator[str]:
    """Every text within a part of the template, keys apart."""
    match value:
        case dict():
            yield from (text for inner in value.values() for text in texts(inner))
        case list():
            yield from (text for inner in value for text in texts(inner))
        case str():
            yield value


def objects(value: Any) -> Iterator[Json]:
    """Every object within a part of the template, itself included."""
    match value:
        case dict():
            yield value
            yield from (found for inner in value.values() for found in objects(inner))
        case list():
            yield from (found for inner in value for found in objects(inner))
