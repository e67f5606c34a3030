"""A parameter is changed without losing what somebody else writes at the same moment."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from relay_cli.clients.installation import Installation
from relay_cli.settings.parameters import ADVANCED_BYTES, STANDARD_BYTES, Parameters
from relay_cli.terminal.errors import CliError

NAME = "/relay/producers"


@pytest.fixture(scope="module")
def _aws() -> Iterator[Any]:
    """Made once: a client costs a tenth of a second."""
    with mock_aws():
        yield boto3.client("ssm", region_name="us-east-1")


@pytest.fixture
def ssm(_aws: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Parameter Store with nothing in it, which all clients of the command are for."""
    _aws.delete_parameters(Names=[NAME, "/relay/x"])
    monkeypatch.setattr("relay_cli.clients.aws.client", lambda *_: _aws)
    return _aws


@pytest.fixture
def parameters(ssm: Any) -> Parameters:
    return _parameters()


def _parameters(*, advanced: bool = False, kms_key: str | None = None) -> Parameters:
    installation = Installation("a stack", "", "/relay", "", {}, kms_key=kms_key)
    return Parameters(installation, advanced=advanced)


def _value(ssm: Any) -> Any:
    return json.loads(ssm.get_parameter(Name=NAME, WithDecryption=True)["Parameter"]["Value"])


def _put(ssm: Any, value: object) -> None:
    text = json.dumps(value)
    ssm.put_parameter(Name=NAME, Value=text, Type="SecureString", Overwrite=True)


def _adding(one: str, meanwhile: Callable[[], object]) -> Callable[[str | None], str]:
    """A change that adds to a list; the first time somebody else writes before it is written."""
    first = iter([meanwhile])

    def change(there: str | None) -> str:
        next(first, lambda: None)()
        return json.dumps([*json.loads(there or "[]"), one])

    return change


def test_change_makes_what_is_not_there_and_writes_nothing_where_nothing_changes(
    ssm: Any, parameters: Parameters
) -> None:
    assert parameters.change("producers", lambda _: "[1]", secure=True)
    assert not parameters.change("producers", lambda _: "[1]", secure=True)

    stored = ssm.get_parameter(Name=NAME)["Parameter"]
    assert (stored["Version"], stored["Type"]) == (1, "SecureString")


@pytest.mark.parametrize("before", [None, ["old"]])
def test_change_keeps_what_somebody_else_wrote_in_between(
    ssm: Any, parameters: Parameters, before: Any
) -> None:
    if before is not None:
        _put(ssm, before)
    theirs = [*(before or []), "theirs"]

    assert parameters.change("producers", _adding("ours", lambda: _put(ssm, theirs)), secure=True)

    assert _value(ssm) == [*theirs, "ours"]


def test_change_that_cannot_stand_on_theirs_puts_theirs_back(
    ssm: Any, parameters: Parameters
) -> None:
    _put(ssm, ["old"])

    def change(there: str | None) -> str:
        if there == '["theirs"]':
            raise CliError("there is one of this name")
        _put(ssm, ["theirs"])
        return '["ours"]'

    with pytest.raises(CliError, match="of this name"):
        parameters.change("producers", change, secure=True)

    assert _value(ssm) == ["theirs"]


def test_change_gives_up_where_somebody_else_always_writes(
    ssm: Any, parameters: Parameters
) -> None:
    _put(ssm, [])
    numbers = iter(range(100))

    def change(there: str | None) -> str:
        _put(ssm, [next(numbers)])
        return f"[{next(numbers)}]"

    with pytest.raises(CliError, match="try again later"):
        parameters.change("producers", change, secure=True)


@pytest.mark.parametrize(
    ("size", "advanced", "what"),
    [
        (STANDARD_BYTES, False, None),
        (STANDARD_BYTES + 1, False, "--advanced"),
        (STANDARD_BYTES + 1, True, None),
        (ADVANCED_BYTES, True, None),
        (ADVANCED_BYTES + 1, True, "8,192"),
    ],
)
def test_change_says_what_is_too_large_before_it_writes(
    ssm: Any, size: int, what: str | None, *, advanced: bool
) -> None:
    def change() -> bool:
        return _parameters(advanced=advanced).change("x", lambda _: "v" * size, secure=False)

    if what is None:
        assert change()
        return
    with pytest.raises(CliError, match=what):
        change()
    assert ssm.get_parameters(Names=["/relay/x"])["Parameters"] == []


def test_change_uses_the_stacks_own_key_for_secrets_alone(ssm: Any) -> None:
    parameters = _parameters(kms_key="arn:aws:kms:us-east-1:123456789012:key/k")
    parameters.change("secret", lambda _: "v", secure=True)
    parameters.change("plain", lambda _: "v", secure=False)

    described = ssm.describe_parameters()["Parameters"]
    assert {one["Name"]: one.get("KeyId") for one in described} == {
        "/relay/secret": "arn:aws:kms:us-east-1:123456789012:key/k",
        "/relay/plain": None,
    }
