"""The direction of imports, and that importing does nothing: no I/O, no look at the environment."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers" / "relay"

PACKAGES = {
    ".".join(init.parent.relative_to(LAYER).parts)
    for init in LAYER.rglob("relay/**/__init__.py")
    if "import " not in init.read_text("utf-8")
}
"""They hold modules and nothing else."""

PROVIDERS = {"stripe", "revenuecat", "paddle", "adyen", "standard_webhooks"}
FUNCTIONS = {
    *("accept", "receive_payment", "receive_install"),
    *("forward_mobile", "forward_web", "map_payment"),
}

PURE_LEVELS = [
    {
        "relay.errors",
        "relay.domain.findings",
        "relay.secrets",
        "relay.validation",
        "relay.messages.backoff",
    },
    {"relay.exact_json", "relay.aws.sigv4"},
    {"relay.instants", "relay.rules.hashing", "relay.rules.money"},
    {"relay.domain.kinds"},
    {"relay.rules.fields", "relay.rules.payload"},
    {"relay.rules.mobile", "relay.rules.web", "relay.gateway.request"},
    {"relay.rules.prepare"},
    {
        "relay.domain.outcomes",
        "relay.messages.envelope",
        "relay.rules.identity_lookup",
        "relay.accept.entries",
    },
    # What payment providers mean.
    {"relay.domain.movements"},
    {"relay.domain.payment_rules", "relay.payments.major_units", "relay.payments.minor_units"},
    {"relay.payments.provider", "relay.payments.reading", "relay.payments.signatures"},
    {f"relay.payments.{provider}" for provider in PROVIDERS},
    {"relay.payments.providers"},
    {"relay.messages.notice", "relay.stores.decision", "relay.payments.unmappable"},
    {"relay.payments.events", "relay.payments.revenue"},
]
"""No I/O, no clock, no environment."""

LEVELS = [
    *PURE_LEVELS,
    # What speaks to the world, one thing a module.
    {"relay.telemetry"},
    {"relay.http1"},
    {"relay.config.environment", "relay.appsflyer", "relay.aws.parameter_store", "relay.aws.sqs"},
    {
        "relay.gateway.responses",
        "relay.aws.table",
        "relay.forward.rate_limiter",
        "relay.consumer.circuit_breaker",
    },
    {"relay.stores.write_batcher", "relay.aws.async_table"},
    {
        "relay.config.apps",
        "relay.config.producers",
        "relay.stores.identities",
        "relay.stores.deliveries",
    },
    {"relay.config.sources", "relay.stores.money_trail"},
    {"relay.payments.picking"},
    {"relay.payments.deciding", "relay.payments.settling"},
    {"relay.consumer.job"},
    {"relay.consumer.settler", "relay.forward.sender"},
    {"relay.consumer.reporting"},
    # The use cases, and what puts them together.
    {"relay.forward.forwarder", "relay.accept.accept", "relay.installs.receive"},
    {"relay.payments.receiving", "relay.payments.mapping"},
    {"relay.composition"},
    {f"functions.{name}" for name in FUNCTIONS},
]
"""Each level imports from those above it in this list and from its own, never from one below."""

PURE = set().union(*PURE_LEVELS)

IMPURE = {
    *("aiohttp", "asyncio", "aws_lambda_powertools", "boto3", "botocore", "httpx", "io"),
    *("logging", "os", "pathlib", "random", "shutil", "socket", "ssl", "subprocess"),
    *("tempfile", "threading", "time", "urllib.request"),
}
"""What the pure core has no use for; the one clock, `instants.utc_now`, is an exception."""


def modules() -> dict[str, Path]:
    """Every module of the layer and the functions, by its name."""
    found = {}
    for file in sorted(LAYER.rglob("relay/**/*.py")):
        parts = file.relative_to(LAYER).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = file
    for file in sorted((ROOT / "functions").glob("*/app.py")):
        found[f"functions.{file.parent.name}"] = file
    return found


MODULES = modules()


def imported(file: Path) -> Iterator[str]:
    """What a module imports, wherever in it: `from a import b` is `a.b`."""
    waiting: list[ast.AST] = [ast.parse(file.read_text("utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not _is_for_types_only(node):
            waiting.extend(ast.iter_child_nodes(node))


def _is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def level_of(name: str) -> int | None:
    levels = [
        number for number, level in enumerate(LEVELS) if any(is_within(name, m) for m in level)
    ]
    return levels[0] if levels else None


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_package_itself_imports_nothing(package: str) -> None:
    """So that to import one of its modules is to import that module."""
    assert list(imported(MODULES[package])) == []


@pytest.mark.parametrize("module", sorted(MODULES.keys() - PACKAGES))
def test_module_has_its_level(module: str) -> None:
    assert level_of(module) is not None, "a new module: say in LEVELS where it stands"


@pytest.mark.parametrize("module", sorted(MODULES.keys() - PACKAGES))
def test_module_imports_nothing_of_a_later_level(module: str) -> None:
    own = level_of(module)
    upward = [
        name
        for name in imported(MODULES[module])
        if (level := level_of(name)) is not None and own is not None and level > own
    ]

    assert upward == []


@pytest.mark.parametrize(
    "module", [name for name in MODULES if any(is_within(name, pure) for pure in PURE)]
)
def test_pure_module_imports_nothing_that_does_io(module: str) -> None:
    allowed = {"time"} if module == "relay.instants" else set()
    impure = {
        name
        for name in imported(MODULES[module])
        if any(is_within(name, package) for package in IMPURE - allowed)
    }

    assert impure == set()


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_payment_provider_knows_of_no_other(provider: str) -> None:
    """So that adding one, or removing one, is a matter of one module."""
    others = {f"relay.payments.{name}" for name in PROVIDERS - {provider}}
    found = set(imported(MODULES[f"relay.payments.{provider}"]))

    assert {name for name in found if any(is_within(name, other) for other in others)} == set()


def test_clock_of_the_pure_core_is_read_by_one_function_alone() -> None:
    tree = ast.parse(MODULES["relay.instants"].read_text("utf-8"))
    readers = [
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        and any(isinstance(node, ast.Name) and node.id == "clock" for node in ast.walk(function))
    ]

    assert readers == ["utc_now"]


@pytest.mark.parametrize("module", [name for name in MODULES if name != "relay.composition"])
def test_module_never_looks_at_the_environment(module: str) -> None:
    """Settings come in as arguments; the composition alone knows where from."""
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    looks = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]

    assert not {"environ", "getenv"} & set(looks)


_IMPORT_TWICE = """
import importlib, os, runpy, sys

modules, functions = sys.argv[1].split(), sys.argv[2].split()


def import_all():
    for module in modules:
        importlib.import_module(module)
    for function in functions:
        runpy.run_path(function, run_name="app")


import_all()  # brings in what others wrote, which may do at import what it likes
for name in [name for name in sys.modules if name.split(".")[0] == "relay"]:
    del sys.modules[name]
heard = []


class Environment(dict):
    def _hear(self, name, *default):
        if not name.startswith("PYDANTIC_"):  # it looks for its plugins at every model
            heard.append(f"environment: {name}")
        return dict.get(self, name, *default)

    get = __getitem__ = __contains__ = _hear


def hear(event, args):
    source = event == "open" and str(args[0]).endswith((".py", ".pyc"))
    if event.startswith(("open", "socket.", "subprocess.", "ssl.", "urllib.")) and not source:
        heard.append(f"{event}: {args[0]}")


os.environ = Environment(os.environ)
sys.addaudithook(hear)
import_all()
os.environ = {}
sys.exit("; ".join(heard) or None)
"""


def test_import_of_every_module_and_function_does_nothing_else() -> None:
    """No file but source, no socket, no program, no look at the environment."""
    layer = " ".join(name for name in MODULES if name.startswith("relay"))
    functions = " ".join(
        str(file) for name, file in MODULES.items() if name.startswith("functions")
    )

    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_TWICE, layer, functions],
        capture_output=True,
        check=False,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "")


_IMPORT_ONE = """
import runpy, sys

runpy.run_path(sys.argv[1], run_name="app")
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("function", ["receive_payment", "receive_install"])
def test_function_that_answers_others_in_seconds_loads_no_library_that_it_can_do_without(
    function: str,
) -> None:
    """A provider waits 5 s, a cold start included. Its own SDK takes a second to import."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_ONE, str(MODULES[f"functions.{function}"])],
        capture_output=True,
        check=True,
        text=True,
    )

    loaded = set(done.stdout.split())
    assert "relay" in loaded
    assert loaded & {"stripe", "Adyen", "paddle_billing", "standardwebhooks"} == set()
    assert loaded & {"httpx", "httptools", "phonenumbers"} == set()
