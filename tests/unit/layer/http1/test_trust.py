"""Which certificate authorities are trusted, and their age."""

import ssl
from datetime import date
from typing import Any

import certifi
import httpx
import pytest
from botocore.httpsession import get_cert_path

from relay.http1.trust import APPSFLYER, AWS, bundle_age_days, trust
from tests.support.every import every

BUNDLE = (certifi.where(), f"certifi {certifi.__version__}")


@every("variables", [APPSFLYER, AWS], ids=["appsflyer", "aws"])
def test_trust_is_certifis_bundle_unless_a_variable_names_another(
    variables: tuple[str, ...],
) -> None:
    assert trust(variables, {}) == BUNDLE
    assert trust(variables, dict.fromkeys(variables, "")) == BUNDLE
    assert trust(variables, dict.fromkeys(variables, "/own")) == ("/own", variables[0])
    assert trust(variables, {variables[-1]: "/own"}) == ("/own", variables[-1])


@pytest.mark.parametrize("environment", [{}, {"SSL_CERT_FILE": "/a"}, {"SSL_CERT_DIR": "/b"}])
def test_httpx_trusts_what_is_said_here(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name in APPSFLYER:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    loaded: list[str] = []

    def load(**paths: Any) -> None:
        loaded.extend(paths.values())

    monkeypatch.setattr(ssl, "create_default_context", load)
    httpx.create_ssl_context()

    assert loaded == [trust(APPSFLYER, environment).path]


def test_boto3_trusts_what_is_said_here() -> None:
    assert get_cert_path(verify=True) == trust(AWS, {}).path


@every("version", ["2026.10.18", "2026.10.18.1"])
def test_bundle_age_is_days_since_the_day_of_its_version(version: str) -> None:
    assert bundle_age_days(date(2026, 11, 27), version) == 40


def test_bundle_age_is_known_of_the_version_that_is_installed() -> None:
    """A release with a version of another form must fail here, and not on Lambda."""
    assert bundle_age_days(date(2026, 10, 18)) <= 0
