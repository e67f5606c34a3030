"""Importing does nothing: no I/O, no look at the environment; and little has to be loaded.

The direction of imports is held by import-linter: `[tool.importlinter]` in pyproject.toml.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.payments.providers import registry
from tests.support.every import every

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers" / "relay"

PROVIDERS = {f"relay.payments.providers.{name}" for name in registry.PROVIDERS}


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


def test_package_of_modules_imports_nothing() -> None:
    """So that to import one of its modules is to import that module."""
    speak_for_their_parts = {"relay.appsflyer", "relay.rules.mobile"} | PROVIDERS
    packages = {name for name, file in MODULES.items() if file.name == "__init__.py"}

    assert [
        name for name in packages - speak_for_their_parts if list(imported(MODULES[name]))
    ] == []


def provider_of(module: str) -> str | None:
    """The provider that a module belongs to, by the module of the registry."""
    parts = (one for one in PROVIDERS if module == one or module.startswith(f"{one}."))
    return next(parts, None)


def test_provider_is_known_to_itself_and_the_registry_alone() -> None:
    """So that one is added, or goes, without a look at anything else."""
    wrong = [
        f"{name} imports {other}"
        for name, file in MODULES.items()
        if name != registry.__name__
        for other in imported(file)
        if provider_of(other) not in (None, provider_of(name))
    ]

    assert wrong == []


def test_samples_of_providers_are_loaded_by_no_function() -> None:
    """They stand in the layer, beside their provider, for the command and the sandbox."""
    samples = {name for name in MODULES if name.endswith("samples")}
    importers = [
        name
        for name, file in MODULES.items()
        for other in imported(file)
        if {other, other.rpartition(".")[0]} & samples or other.endswith(".samples_of")
    ]

    assert len(samples) == len(PROVIDERS) + 1
    assert set(importers) == samples - {"relay.payments.providers.samples"}


def test_clock_of_the_pure_core_is_read_by_one_function_alone() -> None:
    tree = ast.parse(MODULES["relay.instants"].read_text("utf-8"))
    readers = [
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        and any(isinstance(node, ast.Name) and node.id == "clock" for node in ast.walk(function))
    ]

    assert readers == ["utc_now"]


@every("module", [name for name in MODULES if name != "relay.composition"])
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


_IMPORT_QUEUES = (
    "import sys, relay.aws.sqs; print(*(n for n in sys.modules if n.startswith('relay')))"
)


def test_module_that_speaks_to_sqs_loads_next_to_nothing_of_ours() -> None:
    """No rule, no consent, no hashing: putting messages on a queue has no use for them."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_QUEUES], capture_output=True, check=True, text=True
    )

    assert set(done.stdout.split()) == {
        *("relay", "relay.telemetry"),
        *("relay.aws", "relay.aws.sqs", "relay.aws.timeouts"),
    }
