"""The layer of release 0.1 at work beside this one, on the same queues and tables.

Its code is `tests/data/release_0_1/layer.tar.xz`. It is called `relay` as well, so its modules are
loaded while ours are put aside, and then ours are put back: each keeps the modules that it knows.
"""

from __future__ import annotations

import importlib
import io
import sys
import tarfile
from collections.abc import Callable, Collection, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from relay.aws.table import Condition, Item, Key
from relay.domain.kinds import Surface
from relay_sandbox.local_aws.memory_table import MemoryTable
from tests.support.builders import Json, make_sqs_event
from tests.support.fakes import longest
from tests.support.harnesses import (
    MOBILE_QUEUE,
    WEB_QUEUE,
    AcceptHarness,
    ForwarderHarness,
    InstallsHarness,
)
from tests.support.payments_harness import PAYMENTS_DEAD, PAYMENTS_QUEUE, PaymentsHarness

ARCHIVE = Path(__file__).parents[1] / "data" / "release_0_1" / "layer.tar.xz"
_LEFT_OUT = {"composition"}
"""What opens connections to AWS: here stands what this file puts together."""


@cache
def layer() -> Mapping[str, Any]:
    """The modules of release 0.1 by their names, without `relay.`."""
    ours = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_relays(name)}
    with TemporaryDirectory() as folder:
        _unpack(Path(folder))
        sys.path.insert(0, folder)
        try:
            for name in _modules(Path(folder)):
                importlib.import_module(name)
            return {
                name.removeprefix("relay."): sys.modules.pop(name)
                for name in list(sys.modules)
                if _is_relays(name)
            }
        finally:
            sys.path.remove(folder)
            sys.modules.update(ours)


def _is_relays(name: str) -> bool:
    return name.partition(".")[0] == "relay"


def _unpack(folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(ARCHIVE.read_bytes()), mode="r:xz") as archive:
        archive.extractall(folder, filter="data")


def _modules(folder: Path) -> list[str]:
    files = sorted((folder / "relay").rglob("*.py"))
    paths = [file.relative_to(folder).with_suffix("").parts for file in files]
    names = [".".join(path).removesuffix(".__init__") for path in paths]
    return [name for name in names if name.rpartition(".")[2] not in _LEFT_OUT]


class _LoopTable:
    """The table of the event loop, with the answers that release 0.1 wants."""

    def __init__(self, table: MemoryTable) -> None:
        self._table = table

    async def put(self, key: Key, item: Item, only_if: Condition | None = None) -> Item | None:
        return self._table.put(key, item, only_if)

    async def delete(self, key: Key, only_if: Condition) -> None:
        self._table.delete_if(key, only_if)

    async def put_all(self, items: Mapping[Key, Item]) -> None:
        for key, item in items.items():
            self._table.put(key, item)

    async def put_new(self, items: Mapping[Key, Item]) -> set[Key]:
        absent = Condition("nothing has this field", 0)
        return {key for key, item in items.items() if self._table.put(key, item, absent)}


def forwarder(beside: ForwarderHarness) -> Callable[..., Any]:
    """`forward(*bodies)` of release 0.1, with the queues, tables and AppsFlyer of a harness."""
    old, settings = layer(), beside.settings
    given = settings.model_dump(include=set(old["settings"].ForwardSettings.model_fields))
    store = old["parameters"].ParameterStore(beside.ssm.client(), "/relay", beside.clock.seconds)
    made = old["forwarding"].Forwarder(
        _surface(old, beside.surface),
        old["settings"].ForwardSettings.model_validate(given),
        old["appsflyer"].Client(
            beside.appsflyer.transport, settings.appsflyer_url, clock=beside.clock
        ),
        old["apps"].Apps(store, beside.clock.seconds),
        queue=old["queues"].Queue(beside.sqs.client(), settings.queue_url),
        dead_letters=old["queues"].Queue(beside.sqs.client(), settings.dead_letter_queue_url),
        deliveries=old["deliveries"].Deliveries(_LoopTable(beside.deliveries), 35, beside.clock),
        identities=old["identities"].Identities(beside.identities, clock=beside.clock),
        clock=beside.clock,
        chance=longest,
    )

    async def forward(*bodies: Json | str) -> list[str]:
        found: list[str] = await made.forward(make_sqs_event(*bodies)["Records"], lambda: 90.0)
        return found

    return forward


def accept(beside: AcceptHarness) -> Callable[[Json], Json]:
    """`handle(event)` of release 0.1's HTTP API, with the queues and parameters of a harness."""
    old = layer()
    store = old["parameters"].ParameterStore(beside.ssm.client(), "/relay", beside.clock.seconds)
    queues = {
        _surface(old, surface): old["queues"].Queue(beside.sqs.client(), url)
        for surface, url in ((Surface.MOBILE, MOBILE_QUEUE), (Surface.WEB, WEB_QUEUE))
    }
    apps = old["apps"].Apps(store, beside.clock.seconds)
    made = old["intake"].Intake(apps, old["producers"].Producers(store), queues)
    handle: Callable[[Json], Json] = made.handle
    return handle


def installs(beside: InstallsHarness) -> Callable[[Json], Json]:
    """`handle(event)` of release 0.1's receiver of installs, on the table of a harness."""
    old = layer()
    store = old["parameters"].ParameterStore(beside.ssm.client(), "/relay", beside.clock.seconds)
    identities = old["identities"].Identities(beside.table, 730, beside.clock)
    made = old["installs"].Installs(old["producers"].Producers(store, "push_senders"), identities)
    handle: Callable[[Json], Json] = made.handle
    return handle


def payments(beside: PaymentsHarness) -> SimpleNamespace:
    """`handle(event)` and `map(records)` of release 0.1, on the queues and tables of a harness."""
    old, sqs = layer(), beside.sqs.client()
    store = old["parameters"].ParameterStore(beside.ssm.client(), "/relay", beside.clock.seconds)
    settings = old["settings"].MapPaymentSettings
    given = beside.settings.model_dump(include=set(settings.model_fields))
    queue = old["queues"].Queue
    sources = old["payments.sources"].Sources(store)
    mapper = old["payments.mapping"].Mapper(
        settings.model_validate(given),
        sources,
        old["apps"].Apps(store, beside.clock.seconds),
        old["payments.trail"].Trail(beside.trail_table, 400, beside.clock),
        old["identities"].Identities(beside.identities_table, clock=beside.clock),
        queue=queue(sqs, PAYMENTS_QUEUE),
        dead_letters=queue(sqs, PAYMENTS_DEAD),
        delivery_queues={
            _surface(old, surface): queue(sqs, url)
            for surface, url in ((Surface.MOBILE, MOBILE_QUEUE), (Surface.WEB, WEB_QUEUE))
        },
        clock=beside.clock,
        chance=longest,
    )
    receiver = old["payments.receiving"].Receiver(sources, queue(sqs, PAYMENTS_QUEUE), beside.clock)

    def map_(bodies: Collection[str]) -> list[str]:
        found: list[str] = mapper.map(make_sqs_event(*bodies)["Records"], lambda: 90.0)
        return found

    return SimpleNamespace(handle=receiver.handle, map=map_)


def _surface(old: Mapping[str, Any], surface: Surface) -> Any:
    return old["preparation"].Surface(surface.value)
