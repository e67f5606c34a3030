"""The sandbox's servers answer to their own names, and to no page but their own."""

import pytest

from relay_sandbox.errors import SandboxError
from relay_sandbox.http.access import Access
from relay_sandbox.http.messages import Headers, Listener
from tests.support.every import every

HTTP = Listener(8700)
ALLOWING = Access.allowing(["host.docker.internal", "172.17.0.1", "Relay.Test.:9000", "[fd00::1]"])


def refused(
    headers: Headers, *, access: Access | None = None, listener: Listener = HTTP
) -> str | None:
    return (access or Access()).refusal(headers, listener)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8700",
        "localhost:8700",
        "LocalHost:8700",
        "localhost.:8700",
        "[::1]:8700",
    ],
)
def test_access_passes_a_name_of_the_loopback_interface_with_the_port(host: str) -> None:
    assert refused((("host", host),)) is None


@every(
    "host",
    [
        *("", " ", ":8700", "."),
        *("evil.example", "evil.example:8700"),
        *("localhost", "127.0.0.1", "[::1]"),
        *("localhost:8701", "127.0.0.1:80", "localhost:"),
        *("localhost:08700x", "localhost:+8700", "localhost:8700:8700", "localhost:0x21fc"),
        *("localhost.evil.example:8700", "127.0.0.1.evil.example:8700", "evil-localhost:8700"),
        *("foo.localhost:8700", "localhost..:8700", ".localhost:8700"),
        *("localhost:8700@evil.example", "evil.example@localhost:8700", "a:b@localhost:8700"),
        *("localhost:8700.evil.example", "localhost:8700/", "localhost:8700#", "localhost:8700?"),
        *("http://localhost:8700", "//localhost:8700", "localhost\\:8700", "localhost%2e:8700"),
        *("0.0.0.0:8700", "127.1:8700", "2130706433:8700", "0x7f000001:8700", "127.0.0.2:8700"),
        *("::1:8700", "[::1]8700", "[::1:8700", "[[::1]]:8700", "[::ffff:127.0.0.1]:8700"),
        *("[localhost]:8700", "[::1]x:8700", "[127.0.0.1]:8700"),
        *("localhost:8700,evil.example", "evil.example,localhost:8700", "localhost:8700 x"),
        *("\u212aocalhost:8700", "localhost\uff1a8700", "localhost:\u0668\u0667\u0660\u0660"),
        "host.docker.internal:8700",
        "localhost:8700\n",
    ],
)
def test_access_refuses_any_other_host_and_says_what_to_do(host: str) -> None:
    refusal = refused((("host", host),))

    assert refusal == (
        "This sandbox answers to localhost and 127.0.0.1 with port 8700 only: "
        "start it with --allow-host NAME to have it answer to another name."
    )


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("host", "localhost:8700"), ("host", "localhost:8700")),
        (("host", "localhost:8700"), ("host", "evil.example")),
        (("host", "evil.example"), ("host", "localhost:8700")),
        (("x-forwarded-host", "localhost:8700"),),
        (("host", "evil.example"), ("x-forwarded-host", "localhost:8700")),
    ],
)
def test_access_refuses_a_request_without_exactly_one_host(headers: Headers) -> None:
    assert "--allow-host" in (refused(headers) or "")


@pytest.mark.parametrize(
    ("listener", "host", "passes"),
    [
        (Listener(80), "localhost", True),
        (Listener(80), "localhost:80", True),
        (Listener(80), "localhost:443", False),
        (Listener(443, "https"), "localhost", True),
        (Listener(443, "https"), "localhost:443", True),
        (Listener(443, "http"), "localhost", False),
        (Listener(8700, "https"), "localhost", False),
    ],
)
def test_access_takes_a_host_without_a_port_for_the_port_of_the_scheme(
    listener: Listener, host: str, *, passes: bool
) -> None:
    assert (refused((("host", host),), listener=listener) is None) is passes


@every(
    "host, passes",
    [
        ("host.docker.internal:8700", True),
        ("HOST.docker.internal.:8700", True),
        ("host.docker.internal", True),  # a tunnel on port 80 or 443
        ("host.docker.internal:9999", True),  # a forwarded port
        ("172.17.0.1:8700", True),
        ("[fd00::1]:8700", True),
        ("relay.test:9000", True),
        ("localhost:8700", True),
        ("relay.test:8700", False),
        ("relay.test", False),
        ("172.17.0.10:8700", False),
        ("host.docker.internal.evil.example:8700", False),
        ("x.host.docker.internal:8700", False),
        ("localhost:8701", False),
        ("[fd00::2]:8700", False),
    ],
)
def test_access_passes_what_is_allowed_and_nothing_like_it(host: str, *, passes: bool) -> None:
    assert (refused((("host", host),), access=ALLOWING) is None) is passes


@every(
    "text",
    ["", "*", "*.test", "http://relay.test", "relay.test/", "a b", "relay.test:", "::1", "é"],
)
def test_access_cannot_allow_what_is_no_host(text: str) -> None:
    with pytest.raises(SandboxError, match=r"--allow-host .* is no host: give a name"):
        Access.allowing([text])


@every(
    "host, origin",
    [
        ("localhost:8700", "http://localhost:8700"),
        ("127.0.0.1:8700", "http://127.0.0.1:8700"),
        ("[::1]:8700", "http://[::1]:8700"),
        ("LOCALHOST:8700", "http://localhost:8700"),
        ("127.0.0.1:8700", "http://localhost:8700"),
        ("host.docker.internal", "https://host.docker.internal"),
        ("host.docker.internal:9999", "http://host.docker.internal:9999"),
        ("host.docker.internal:443", "https://host.docker.internal"),
    ],
)
def test_access_passes_a_page_of_its_own(host: str, origin: str) -> None:
    headers = (("host", host), ("origin", origin), ("sec-fetch-site", "same-origin"))

    assert refused(headers, access=ALLOWING) is None


@every(
    "origin",
    [
        *("null", "", "*", "localhost:8700", "//localhost:8700"),
        *("https://evil.example", "http://evil.example:8700", "http://localhost.evil.example:8700"),
        *("http://localhost", "http://localhost:3000", "http://127.0.0.1:8701"),
        *("https://localhost:8700", "file://localhost:8700", "chrome-extension://localhost:8700"),
        *(
            "http://localhost:8700/",
            "http://localhost:8700@evil.example",
            "http://a@localhost:8700",
        ),
        *(
            "http://localhost:8700, http://evil.example",
            "http://localhost:8700 http://evil.example",
        ),
        *("http://host.docker.internal:8700", "http://foo.localhost:8700", "http://0.0.0.0:8700"),
    ],
)
def test_access_refuses_a_page_of_another_origin_and_says_what_to_do(origin: str) -> None:
    """Also one of an allowed name, where the request is not for that name."""
    headers = (("host", "localhost:8700"), ("origin", origin))

    assert refused(headers, access=ALLOWING) == (
        "This sandbox takes no requests from pages of other sites: send it from a program, such "
        "as curl, or type its address into the browser."
    )


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("host.docker.internal:8700", "http://host.docker.internal:3000"),
        ("host.docker.internal", "http://host.docker.internal:8700"),
        ("host.docker.internal:8700", "http://172.17.0.1:8700"),
        ("relay.test:9000", "http://relay.test:9001"),
        ("host.docker.internal:80", "https://host.docker.internal"),
    ],
)
def test_access_refuses_a_page_on_another_port_of_an_allowed_host(host: str, origin: str) -> None:
    assert refused((("host", host), ("origin", origin)), access=ALLOWING)


@every(
    "site, passes",
    [
        ("none", True),
        ("same-origin", True),
        ("same-site", False),
        ("cross-site", False),
        ("Cross-Site", False),
        ("", False),
        ("something-new", False),
        ("none,cross-site", False),
    ],
)
def test_access_goes_by_where_the_browser_says_that_a_request_comes_from(
    site: str, *, passes: bool
) -> None:
    """Of an image or a link there is no origin, only this."""
    headers = (("host", "localhost:8700"), ("sec-fetch-site", site))

    assert (refused(headers) is None) is passes


@pytest.mark.parametrize("name", ["origin", "sec-fetch-site"])
def test_access_refuses_a_header_that_comes_twice_if_one_is_foreign(name: str) -> None:
    own = {"origin": "http://localhost:8700", "sec-fetch-site": "none"}[name]
    host = ("host", "localhost:8700")

    assert refused((host, (name, own), (name, "https://evil.example")))
    assert refused((host, (name, "https://evil.example"), (name, own)))


def test_access_does_not_repeat_what_was_sent() -> None:
    assert "evil" not in (refused((("host", "evil.example"),)) or "")
    origin = (("host", "localhost:8700"), ("origin", "https://evil.example"))
    assert "evil" not in (refused(origin) or "")
