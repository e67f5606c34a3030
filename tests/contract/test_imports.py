"""Importing does nothing: no I/O, no look at the environment; and little has to be loaded.

The direction of imports is held by import-linter: `[tool.importlinter]` in pyproject.toml.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

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


class Source(NamedTuple):
    """What is asked of a module's source; of its syntax tree, nothing is kept."""

    imports: list[str]
    """What it imports, wherever in it: `from a import b` is `a.b`."""
    attributes: set[str]
    """The names that stand behind a dot."""


@cache
def source(module: str) -> Source:
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    nodes = ast.walk(tree)
    return Source(
        list(imported(tree)), {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    )


def imported(tree: ast.Module) -> Iterator[str]:
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"from {node.module}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not _is_for_types_only(node):
            waiting.extend(ast.iter_child_nodes(node))


def _is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def test_package_of_modules_imports_nothing() -> None:
    """So that to import one of its modules is to import that module."""
    speak_for_their_parts = {"relay.appsflyer", "relay.rules.mobile"} | PROVIDERS
    packages = {name for name, file in MODULES.items() if file.name == "__init__.py"}

    assert [name for name in packages - speak_for_their_parts if source(name).imports] == []


def provider_of(module: str) -> str | None:
    """The provider that a module belongs to, by the module of the registry."""
    parts = (one for one in PROVIDERS if module == one or module.startswith(f"{one}."))
    return next(parts, None)


def test_provider_is_known_to_itself_and_the_registry_alone() -> None:
    """So that one is added, or goes, without a look at anything else."""
    wrong = [
        f"{name} imports {other}"
        for name in MODULES
        if name != registry.__name__
        for other in source(name).imports
        if provider_of(other) not in (None, provider_of(name))
    ]

    assert wrong == []


def test_samples_of_providers_are_loaded_by_no_function() -> None:
    """They stand in the layer, beside their provider, for the command and the sandbox."""
    samples = {name for name in MODULES if name.endswith("samples")}
    importers = [
        name
        for name in MODULES
        for other in source(name).imports
        if {other, other.rpartition(".")[0]} & samples or other.endswith(".samples_of")
    ]

    assert len(samples) == len(PROVIDERS) + 1
    assert set(importers) == samples - {"relay.payments.providers.samples"}


def test_clock_of_the_pure_core_is_read_by_one_function_alone() -> None:
    readers = [
        function.name
        for function in ast.walk(ast.parse(MODULES["relay.instants"].read_text("utf-8")))
        if isinstance(function, ast.FunctionDef)
        and any(isinstance(node, ast.Name) and node.id == "clock" for node in ast.walk(function))
    ]

    assert readers == ["utc_now"]


@every("module", [name for name in MODULES if name != "relay.composition"])
def test_module_never_looks_at_the_environment(module: str) -> None:
    """Settings come in as arguments; the composition alone knows where from."""
    assert not {"environ", "getenv"} & source(module).attributes


_IMPORT = """
import importlib, json, os, runpy, sys

steps = [["relay.aws.sqs"], sys.argv[1:3], sys.argv[3:]]
loaded, heard = [], []


def load(names):
    for name in names:
        if name.endswith(".py"):
            runpy.run_path(name, run_name="app")
        else:
            importlib.import_module(name)


for step in steps:
    load(step)
    loaded.append([*sys.modules])
# What others wrote is there, which may do at import what it likes. Once more, what is ours.
for name in [name for name in sys.modules if name.split(".")[0] == "relay"]:
    del sys.modules[name]


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
load(steps[-1])
os.environ = {}
print(json.dumps([*loaded, heard]))
"""

ANSWERING = ["functions.receive_payment", "functions.receive_install"]
"""Somebody waits for their answer."""


class Imports(NamedTuple):
    """What a new process has loaded after each of these, and what it did when all came again."""

    queues: list[str]
    answering: list[str]
    everything: list[str]
    done: list[str]


@pytest.fixture(scope="module")
def imports() -> Imports:
    """One process for all: each thing only adds to what was loaded before."""
    everything = [n if n.startswith("relay") else str(file) for n, file in MODULES.items()]
    answering = [str(MODULES[name]) for name in ANSWERING]
    told = subprocess.run(
        [sys.executable, "-c", _IMPORT, *answering, *everything],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return Imports(*json.loads(told.stdout))


def test_import_of_every_module_and_function_does_nothing_else(imports: Imports) -> None:
    """No file but source, no socket, no program, no look at the environment."""
    assert {name for name in MODULES if name.startswith("relay")} <= {*imports.everything}
    assert imports.done == []


def test_function_that_answers_others_in_seconds_loads_no_library_that_it_can_do_without(
    imports: Imports,
) -> None:
    """A provider waits 5 s, a cold start included. Its own SDK takes a second to import."""
    loaded = {name.partition(".")[0] for name in imports.answering}

    assert {"relay.composition", "relay.lambda_adapter"} <= {*imports.answering}
    assert loaded & {"stripe", "Adyen", "paddle_billing", "standardwebhooks"} == set()
    assert loaded & {"httpx", "httptools", "phonenumbers"} == set()


def test_module_that_speaks_to_sqs_loads_next_to_nothing_of_ours(imports: Imports) -> None:
    """No rule, no consent, no hashing: putting messages on a queue has no use for them."""
    assert {name for name in imports.queues if name.partition(".")[0] == "relay"} == {
        *("relay", "relay.telemetry"),
        *("relay.aws", "relay.aws.sqs", "relay.aws.timeouts"),
    }
