"""What every test stands on: no way out of this machine, and no AWS account of anybody's."""

import faulthandler
import gc
import importlib
import logging
import pkgutil
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from _pytest.faulthandler import fault_handler_stderr_fd_key
from _pytest.logging import LogCaptureHandler, caplog_handler_key, catching_logs
from hypothesis import settings

import relay

# No promise here is about time, and a busy machine is no reason to fail.
settings.register_profile("relay", deadline=None, max_examples=50)
settings.load_profile("relay")

_TESTS = Path(__file__).parent
_TRACED = [
    _TESTS / "unit" / "layer",
    _TESTS / "integration" / "layer" / "test_appsflyer_wire.py",
    _TESTS / "integration" / "layer" / "test_async_tables.py",
]
"""The tests that are about the layer's own lines, whose coverage is measured."""

_TRACERS = pytest.StashKey[tuple[Any, Any]]()
"""What traces this thread, and those that it starts, as soon as a test wants it again."""
_WATCHED_UNTIL = pytest.StashKey[float]()
_HANGS_SECONDS = 180
_WATCH_SECONDS = 10
_CACHED = type(cache(lambda: None))

_LOCAL_HOSTS = {"127.0.0.1", "::1", "0.0.0.0", "localhost"}  # noqa: S104 # compared, not bound to


def _refuse_the_outside(name: str, host: object) -> None:
    if isinstance(host, bytes):
        host = host.decode()
    if host not in _LOCAL_HOSTS:
        raise AssertionError(f"{name}: a test tried to reach {host!r}; tests stay on this machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much some tests take: see the conftest of tests/faults."""
    group = parser.getgroup("faults")
    group.addoption("--full", action="store_true", help="the long form of tests that have one")
    group.addoption("--soak-events", type=int, metavar="N", help="events of the soak in memory")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Say what runs, what of it in one process of xdist's, and what without measuring coverage.

    Each file that names no group is one: of single tests there would be thousands, and xdist goes
    through all that are left after every test. Tracing makes what runs much code often take two
    or three times as long, as a test with drawn examples does, and does not see other processes;
    each line of the layer is reached by the tests that are about it, which `fail_under` sees to.
    """
    if not config.getoption("--full"):
        full_only = [item for item in items if item.get_closest_marker("full_only")]
        config.hook.pytest_deselected(items=full_only)
        items[:] = [item for item in items if item not in full_only]
    for item in items:
        group, is_traced = _about_file(item.path)
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(group))
        if not is_traced or hasattr(getattr(item, "obj", None), "hypothesis"):
            item.add_marker("untraced")


@cache
def _about_file(path: Path) -> tuple[str, bool]:
    """The name of its group, and whether the coverage of its tests is measured."""
    is_traced = any(path.is_relative_to(folder) for folder in _TRACED)
    return path.relative_to(_TESTS).as_posix(), is_traced


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """What is collected here, a million objects, is no garbage: now or in a later collection.

    Nor is there anything to measure, once the layer's modules are loaded.
    """
    hands_out = session.config.getoption("dist", "no") != "no"
    if sys.gettrace() and (not hands_out or hasattr(session.config, "workerinput")):
        for module in pkgutil.walk_packages(relay.__path__, "relay."):
            importlib.import_module(module.name)
    gc.disable()
    try:
        with _untraced():
            _load_a_share(session.config)
            return (yield)
    finally:
        gc.enable()
        gc.freeze()


def _load_a_share(config: pytest.Config) -> None:
    """Where xdist runs all tests, load a part of them first: each of its processes another part.

    In a new checkout nothing is compiled, and all processes would compile the same at the same
    time. What fails to load is for the collection to report.
    """
    worker = getattr(config, "workerinput", None)
    if worker is None or [Path(arg).resolve() for arg in config.args] != [_TESTS]:
        return
    position = int(worker["workerid"].removeprefix("gw"))
    for path in sorted(_TESTS.rglob("test_*.py"))[position :: worker["workercount"]]:
        name = ".".join(path.relative_to(_TESTS.parent).with_suffix("").parts)
        with suppress(Exception, pytest.skip.Exception):
            importlib.import_module(name)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:
    """Fail where xdist runs groups and does not see ours: all would pass, in twice the time."""
    by_groups = node.config.getoption("dist") == "loadgroup"
    if by_groups and not all("@" in name for name in ids):
        raise pytest.UsageError("this pytest-xdist does not see the groups of tests in this pytest")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that hangs shows where, and ends the run, instead of waiting for whoever watches.

    As `faulthandler_timeout`, which goes before, but set anew every few seconds only: for each
    test, a thread would start and end.
    """
    stash, now = item.config.stash, time.monotonic()
    if not item.config.getini("faulthandler_timeout") and now >= stash.get(_WATCHED_UNTIL, now):
        stderr = stash[fault_handler_stderr_fd_key]
        faulthandler.dump_traceback_later(_HANGS_SECONDS, file=stderr, exit=True)
        stash[_WATCHED_UNTIL] = now + _WATCH_SECONDS


def pytest_sessionfinish() -> None:
    """Nothing hangs any more; and pytest, which looks for garbage five times now, finds it soon."""
    faulthandler.cancel_dump_traceback_later()
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Take the tracer off a test marked `untraced` and off the fixtures that it makes.

    pytest-cov has `no_cover` for this, but leaves a second tracer on in the processes of xdist.
    The tracer stays as it is until a test wants it otherwise: with each change, Python prepares
    all code anew that runs after it. What is cached goes with it: a traced test shall reach the
    lines that fill the caches, and a pool's idle threads, if they are traced, slow all others.
    """
    stash = item.session.stash
    wants_tracer = not item.get_closest_marker("untraced")
    if wants_tracer and _TRACERS in stash:
        _forget_what_is_cached()
        _set_tracers(*stash[_TRACERS])
        del stash[_TRACERS]
    elif not wants_tracer and sys.gettrace():
        stash[_TRACERS] = _set_tracers(None, None)
        _forget_what_is_cached()


@contextmanager
def _untraced() -> Iterator[None]:
    before = _set_tracers(None, None)
    try:
        yield
    finally:
        _set_tracers(*before)


def _set_tracers(here: Any, in_threads: Any) -> tuple[Any, Any]:
    """Give those that were set before."""
    before = sys.gettrace(), threading.gettrace()
    threading.settrace(in_threads)
    sys.settrace(here)
    return before


def _forget_what_is_cached() -> None:
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "relay":
            for value in vars(module).values():
                if isinstance(value, _CACHED):
                    value.cache_clear()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of what the fault tests saw, where they were run at full length."""
    if not terminalreporter.config.getoption("--full"):
        return
    for report in terminalreporter.stats.get("passed", []):
        for name, figures in getattr(report, "user_properties", []):
            if name == "saw":
                terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {figures}")


@pytest.fixture(autouse=True)
def _libraries_may_log() -> Iterator[None]:
    """The relay's processes silence libraries for good; these here go on to the next test.

    So does a command that maps payments, with the relay's own telemetry, whose metrics remember
    the namespace of their first use.
    """
    yield
    telemetry: Any = sys.modules.get("relay.telemetry")
    if telemetry is not None:
        telemetry._metrics.cache_clear()  # noqa: SLF001 - nobody else has to forget it
    if telemetry is not None and telemetry._silent.is_set():  # noqa: SLF001 - there is no way back
        telemetry._silent = threading.Event()  # noqa: SLF001
        telemetry.logger.cache_clear()
    logging.setLogRecordFactory(logging.LogRecord)
    root = logging.getLogger()
    if root.level != logging.WARNING:  # to set it makes every logger forget what it looked up
        root.setLevel(logging.WARNING)


@pytest.fixture
def caplog(request: pytest.FixtureRequest) -> Iterator[pytest.LogCaptureFixture]:
    """That of pytest, for those that ask for it: its plugin would listen in every test."""
    handler = LogCaptureHandler()
    request.node.stash[caplog_handler_key] = handler
    with catching_logs(handler):
        yield pytest.LogCaptureFixture(request.node, _ispytest=True)


@pytest.fixture(scope="session", autouse=True)
def _stay_on_this_machine() -> Iterator[None]:
    """Whatever would leave the machine fails at once, and says where it wanted to go."""
    connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo

    def local_connect(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple):
            _refuse_the_outside("connect", address[0])
        connect(self, address)

    def local_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host is not None:
            _refuse_the_outside("getaddrinfo", host)
        return getaddrinfo(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", local_connect)
        patch.setattr(socket, "getaddrinfo", local_getaddrinfo)
        yield


@pytest.fixture(scope="session", autouse=True)
def _nobodys_aws_account() -> Iterator[None]:
    """Credentials that open nothing, instead of those of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_CONFIG_FILE", "/dev/null")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield


@pytest.fixture(scope="session", autouse=True)
def _awss_models_are_read_once() -> Iterator[None]:
    """And not by each session of botocore's, of which tests make hundreds."""
    if "botocore.session" not in sys.modules:
        yield
        return
    session = sys.modules["botocore.session"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "create_loader", cache(vars(session)["create_loader"]))
        yield


@pytest.fixture(scope="session", autouse=True)
def _dynamo_calls_are_checked_by_awss_model() -> Iterator[None]:
    """Every call that the relay makes to DynamoDB by itself, and its answer, in every test."""
    # Only where a test has loaded it: loaded here, its lines would count as not covered.
    if "relay.aws.async_table" not in sys.modules:
        yield
        return
    from relay.aws.async_table import DynamoClient  # noqa: PLC0415 - see above
    from tests.support.dynamo_model import checked  # noqa: PLC0415 - see above

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DynamoClient, "call", checked(DynamoClient.call))
        yield


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def wire() -> AsyncIterator[Any]:
    """A wire to the page, which a test can cut."""
    from tests.browser.wire import Wire  # noqa: PLC0415 - only where it is used

    async with Wire() as made:
        yield made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox_for_page(wire: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A sandbox that tries again at once; group "sandbox for the page"."""
    from relay_sandbox.sandbox import (  # noqa: PLC0415 - loaded here, its lines would not count
        Sandbox,
        SandboxOptions,
    )

    options = SandboxOptions(
        work_dir=tmp_path_factory.mktemp("relay"),
        retry_schedule="0.1,0.1,0.1",
        hold_seconds=1,
        seconds_after_error=1,
        allow_hosts=[f"localhost:{wire.port}"],
    )
    async with Sandbox(options) as running:
        wire.target = urlsplit(running.ready["page"]).port or 0
        yield running
