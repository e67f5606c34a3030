from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.config.environment import BASELINE_A_SECOND, AcceptSettings, ForwardSettings
from relay.domain.kinds import Surface
from relay.errors import ConfigurationError
from tests.support.builders import make_settings
from tests.support.every import every

ACCEPT = {
    "RELAY_PARAMETER_PREFIX": "/appsflyer-relay",
    "RELAY_MOBILE_QUEUE_URL": "https://sqs.example.com/mobile",
    "RELAY_WEB_QUEUE_URL": "https://sqs.example.com/web",
}
FORWARD = {
    "RELAY_PARAMETER_PREFIX": "/appsflyer-relay",
    "RELAY_QUEUE_URL": "https://sqs.example.com/mobile",
    "RELAY_DEAD_LETTER_QUEUE_URL": "https://sqs.example.com/mobile-dead",
    "RELAY_APPSFLYER_URL": "https://api3.appsflyer.com",
    "RELAY_RETRY_SCHEDULE_SECONDS": "5,30,0.5",
    "RELAY_DELIVERIES_TABLE": "deliveries",
}
Read = Callable[[dict[str, str]], object]


def test_from_env_accept_reads_its_variables() -> None:
    settings = AcceptSettings.from_env(ACCEPT | {"HOME": "/root"})

    assert settings.parameter_prefix == "/appsflyer-relay"
    assert settings.mobile_queue_url == "https://sqs.example.com/mobile"
    assert settings.web_queue_url == "https://sqs.example.com/web"


def test_from_env_forward_reads_the_schedule_in_seconds() -> None:
    settings = ForwardSettings.from_env(FORWARD | {"RELAY_RETRY_SCHEDULE_SECONDS": "5, 30,0.5"})

    assert settings.retry_schedule_seconds == (5.0, 30.0, 0.5)


def test_from_env_forward_reads_every_other_variable() -> None:
    settings = ForwardSettings.from_env(
        FORWARD
        | {
            "RELAY_REQUESTS_IN_FLIGHT": "7",
            "RELAY_HOLD_SECONDS": "60",
            "RELAY_HOLD_LIMIT_SECONDS": "3600",
            "RELAY_UNCERTAIN_MONEY": "dead_letter",
            "RELAY_CONNECT_TIMEOUT_SECONDS": "1.5",
            "RELAY_READ_TIMEOUT_SECONDS": "4",
        }
    )

    assert settings.requests_in_flight == 7
    assert settings.hold_seconds == 60
    assert settings.hold_limit_seconds == 3600
    assert settings.uncertain_money == "dead_letter"
    assert settings.longest_request_seconds == 5.5


def test_from_env_forward_is_content_with_what_must_be_given() -> None:
    settings = ForwardSettings.from_env(FORWARD)

    assert settings.requests_in_flight == 50
    assert settings.uncertain_money == "resend"
    assert settings.longest_request_seconds == 13


@every("variable", ACCEPT)
def test_from_env_accept_names_a_missing_variable(variable: str) -> None:
    without = {name: value for name, value in ACCEPT.items() if name != variable}

    with pytest.raises(ConfigurationError) as raised:
        AcceptSettings.from_env(without)

    assert raised.value.key == variable
    assert variable in str(raised.value)


@every("variable", FORWARD)
def test_from_env_forward_names_a_missing_variable(variable: str) -> None:
    without = {name: value for name, value in FORWARD.items() if name != variable}

    with pytest.raises(ConfigurationError) as raised:
        ForwardSettings.from_env(without)

    assert raised.value.key == variable


MALFORMED = [
    ("RELAY_PARAMETER_PREFIX", "no-slash"),
    ("RELAY_PARAMETER_PREFIX", "/ends-with/"),
    ("RELAY_PARAMETER_PREFIX", "/with space"),
    ("RELAY_PARAMETER_PREFIX", ""),
    ("RELAY_QUEUE_URL", ""),
    ("RELAY_QUEUE_URL", "queue-of-no-url"),
    ("RELAY_DEAD_LETTER_QUEUE_URL", ""),
    ("RELAY_DEAD_LETTER_QUEUE_URL", "arn:aws:sqs:us-east-1:1:q"),
    ("RELAY_APPSFLYER_URL", "api3.example.com"),
    ("RELAY_APPSFLYER_URL", "ftp://api3.example.com"),
    ("RELAY_APPSFLYER_URL", "https://user@api3.example.com"),
    ("RELAY_APPSFLYER_URL", "https://api3.example.com/?q=1"),
    ("RELAY_REQUESTS_IN_FLIGHT", "0"),
    ("RELAY_REQUESTS_IN_FLIGHT", "1001"),
    ("RELAY_REQUESTS_IN_FLIGHT", "many"),
    ("RELAY_RETRY_SCHEDULE_SECONDS", ""),
    ("RELAY_RETRY_SCHEDULE_SECONDS", "5,,30"),
    ("RELAY_RETRY_SCHEDULE_SECONDS", "5;30"),
    ("RELAY_RETRY_SCHEDULE_SECONDS", "-1"),
    ("RELAY_RETRY_SCHEDULE_SECONDS", "100000"),
    ("RELAY_RETRY_SCHEDULE_SECONDS", "nan"),
    ("RELAY_RETRY_SCHEDULE_SECONDS", "inf"),
    ("RELAY_RETRY_SCHEDULE_SECONDS", ",".join(["1"] * 51)),
    ("RELAY_HOLD_SECONDS", "-1"),
    ("RELAY_HOLD_SECONDS", "inf"),
    ("RELAY_HOLD_LIMIT_SECONDS", "nan"),
    ("RELAY_UNCERTAIN_MONEY", "drop"),
    ("RELAY_CONNECT_TIMEOUT_SECONDS", "0"),
    ("RELAY_CONNECT_TIMEOUT_SECONDS", "31"),
    ("RELAY_CONNECT_TIMEOUT_SECONDS", "nan"),
    ("RELAY_READ_TIMEOUT_SECONDS", "61"),
    ("RELAY_READ_TIMEOUT_SECONDS", "inf"),
]


@every("variable, value", MALFORMED)
def test_from_env_forward_names_a_malformed_variable(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        ForwardSettings.from_env(FORWARD | {variable: value})

    assert raised.value.key == variable


@every("variable", ["RELAY_MOBILE_QUEUE_URL", "RELAY_WEB_QUEUE_URL"])
@every("value", ["", "mobile", "https://"])
def test_from_env_accept_names_a_malformed_variable(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        AcceptSettings.from_env(ACCEPT | {variable: value})

    assert raised.value.key == variable


@every("variable, value", [pair for pair in MALFORMED if len(pair[1]) > 4 and pair[1][0] != "1"])
def test_from_env_forward_never_shows_a_malformed_value(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        ForwardSettings.from_env(FORWARD | {variable: value})

    assert value not in str(raised.value)
    assert value not in repr(raised.value.__cause__)


@every("surface, share", [(Surface.MOBILE, 80), (Surface.WEB, 20)], ids=["mobile", "web"])
def test_forward_settings_an_invocation_has_its_part_of_its_surfaces_part(
    surface: Surface, share: int
) -> None:
    """S2: 10 invocations of a forwarder, of 5,000 a second in all, 20 % of them for the web."""
    settings = make_settings(requests_a_second=5_000, web_share_percent=20, max_concurrency=10)

    assert settings.requests_a_second_here(surface) == 5_000 * share / 100 / 10


@given(
    total=st.floats(1, 10_000),
    web_share=st.floats(1, 99),
    mobile=st.integers(2, 1000),
    web=st.integers(2, 1000),
)
def test_forward_settings_all_invocations_together_keep_to_the_baseline(
    total: float, web_share: float, mobile: int, web: int
) -> None:
    given_ = {"requests_a_second": total, "web_share_percent": web_share}

    sent = mobile * make_settings(max_concurrency=mobile, **given_).requests_a_second_here(
        Surface.MOBILE
    ) + web * make_settings(max_concurrency=web, **given_).requests_a_second_here(Surface.WEB)

    assert sent == pytest.approx(total)
    assert total <= BASELINE_A_SECOND == 10_000


# Keys leave by TLS alone

HERE = ["http://localhost:8702", "http://127.0.0.1:8702", "http://127.8.9.1", "http://[::1]:8702"]
CONTAINERS_HOST = ["http://host.docker.internal:8702", "http://172.17.0.1:8702", "http://10.88.0.1"]
ELSEWHERE = [
    *("http://api3.appsflyer.com", "http://localhost.example.com", "http://203.0.113.9"),
    *("http://example.com:443", "http://0177.0.0.1", "http://xn--localhost-.example"),
]


@every("url", ["https://api3.appsflyer.com", *HERE])
def test_from_env_forward_takes_https_and_this_machine(url: str) -> None:
    settings = ForwardSettings.from_env(FORWARD | {"RELAY_APPSFLYER_URL": url})

    assert settings.appsflyer_url == url


@every("url", [*ELSEWHERE, *CONTAINERS_HOST])
def test_from_env_forward_refuses_http_to_another_machine(url: str) -> None:
    with pytest.raises(ConfigurationError, match="must be https") as raised:
        ForwardSettings.from_env(FORWARD | {"RELAY_APPSFLYER_URL": url})

    assert raised.value.key == "RELAY_APPSFLYER_URL"
    assert url not in str(raised.value)


@every("url", CONTAINERS_HOST)
def test_from_env_forward_takes_the_machine_of_a_container_of_sam_local(url: str) -> None:
    local = {"RELAY_APPSFLYER_URL": url, "AWS_SAM_LOCAL": "true"}

    assert ForwardSettings.from_env(FORWARD | local).appsflyer_url == url


@every("url", ELSEWHERE)
def test_from_env_forward_refuses_others_in_a_container_too(url: str) -> None:
    local = {"RELAY_APPSFLYER_URL": url, "AWS_SAM_LOCAL": "true"}

    with pytest.raises(ConfigurationError, match="must be https"):
        ForwardSettings.from_env(FORWARD | local)
