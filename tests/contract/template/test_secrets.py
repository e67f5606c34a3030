"""Secrets: who may read which, and that the stack itself holds none."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

from tests.support.every import every
from tests.support.template import (
    FUNCTIONS,
    PARAMETERS,
    RESOURCES,
    TEMPLATE,
    TEXT,
    conditions,
    listed,
    statements,
    texts,
    under,
    variables,
)

FORWARD_MOBILE, FORWARD_WEB = "ForwardMobileFunction", "ForwardWebFunction"
ACCEPT, MAP_PAYMENT = "AcceptFunction", "MapPaymentFunction"
RECEIVE_PAYMENT, RECEIVE_INSTALL = "ReceivePaymentFunction", "ReceiveInstallFunction"

READERS = {
    "tokens/mobile/id123456789": {FORWARD_MOBILE},
    "tokens/web/website-www.example.com": {FORWARD_WEB},
    "webhook_secrets/stripe-main": {RECEIVE_PAYMENT},
    "producers": {ACCEPT},
    "push_senders": {RECEIVE_INSTALL},
    "sources": {RECEIVE_PAYMENT, MAP_PAYMENT},
    "apps/mobile/id123456789": {ACCEPT, MAP_PAYMENT, FORWARD_MOBILE},
    "apps/web/website-www.example.com": {ACCEPT, MAP_PAYMENT, FORWARD_WEB},
    "anything-else": set(),
    "tokens/of-a-kind-to-come/app": set(),
}
"""Who may read what below the prefix. The first five hold secrets, or digests of such."""

BASE = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter${Prefix}/"
_NAMED = re.compile(r"`([^`]+)`")

LOOKS_LIKE_A_SECRET = re.compile(r"\b(?!(?:Canary|Linear)10Percent)(?=\w*[A-Za-z])(?=\w*\d)\w{20,}")
"""A word of 20 letters and digits mixed is a key; our names, and CodeDeploy's, are not."""


def readable(function: str, name: str) -> bool:
    """Whether the role lets a parameter be read, by IAM's way with stars."""
    patterns = [
        resource["Fn::Sub"][0]
        for statement in statements(function)
        if "ssm:GetParameters" in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]
    return any(fnmatchcase(BASE + name, pattern) for pattern in patterns)


@every("name", READERS)
def test_parameter_is_readable_for_those_functions_only_that_need_it(name: str) -> None:
    assert {function for function in FUNCTIONS if readable(function, name)} == READERS[name]


def test_security_page_says_who_may_read_what() -> None:
    page = (Path(__file__).parents[3] / "SECURITY.md").read_text(encoding="utf-8")
    rows = page.partition("| parameter | can be read by |")[2].partition("\n\n")[0].splitlines()[2:]
    split = [row.split("|") for row in rows]
    told = {name: cells[2] for cells in split for name in _NAMED.findall(cells[1])}

    for name, functions in READERS.items():
        said = [readers for prefix, readers in told.items() if name.startswith(prefix)]
        named = {variables(one)["POWERTOOLS_SERVICE_NAME"] for one in functions}
        if "and the forwarder of their surface" in "".join(said):
            named -= {"forward_mobile", "forward_web"}
        assert set(_NAMED.findall("".join(said))) == named


@every("function", FUNCTIONS)
def test_parameters_are_read_by_exact_name_only(function: str) -> None:
    """A grant on a path would return everything below it, whatever is denied there."""
    actions = {action for one in statements(function) for action in listed(one["Action"])}

    assert {action for action in actions if action.startswith("ssm:")} == {"ssm:GetParameters"}


@every("part", TEMPLATE)
def test_template_holds_nothing_that_looks_like_a_secret(part: str) -> None:
    assert [text for text in texts(TEMPLATE[part]) if LOOKS_LIKE_A_SECRET.search(text)] == []


@every(
    "key", ["9f86d081884c7d659a2feaa0c55ad015", "whsec_3q2plMvT9wYc1bX8", "AKIAIOSFODNN7EXAMPLE"]
)
def test_a_key_would_be_found(key: str) -> None:
    assert LOOKS_LIKE_A_SECRET.search(f"something: {key}")


@every("function", FUNCTIONS)
def test_environment_has_no_variable_for_a_secret(function: str) -> None:
    """CloudFormation and the console show the environment to whoever may look."""
    words = re.compile("SECRET|TOKEN|PASSWORD|CREDENTIAL|_KEY")

    assert [name for name in variables(function) if words.search(name)] == []


@every("name", PARAMETERS)
def test_parameter_of_the_template_is_none_that_would_have_to_be_hidden(name: str) -> None:
    """It would still stand in the functions' settings, for whoever may see those."""
    assert "NoEcho" not in PARAMETERS[name]


def test_stack_resolves_no_secret_into_itself() -> None:
    assert "{{resolve:" not in TEXT


def test_stack_makes_no_resource_that_holds_a_secret() -> None:
    services = {one["Type"].split("::")[1] for one in RESOURCES.values()}

    assert services & {"SSM", "SecretsManager"} == set()


@every("name", TEMPLATE["Outputs"])
def test_output_is_the_name_or_the_address_of_something_in_the_stack(name: str) -> None:
    value = TEMPLATE["Outputs"][name]["Value"]

    assert under(value, conditions()).keys() <= {"Ref", "Fn::GetAtt", "Fn::Sub"}
