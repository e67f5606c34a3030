"""Every fault of AppsFlyer, and of the way to it, over real sockets: in = recorded + dead-lettered.

Each run has four parts: all is well; some requests fail; all do; all is well again.
"""

import asyncio
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from relay.domain.kinds import Surface
from relay_sandbox.http.server import Connection, Request, Response, Server
from relay_sandbox.stand_in import Fault
from tests.faults.conftest import Saw, Scale
from tests.faults.ledger import event_id_of
from tests.faults.runs import Certificates, Door, Run, nobody, resetting, running

IMPATIENT = {"read_timeout_seconds": 0.2, "requests_in_flight": 50}
SLOW = ({"time_out": True}, {"slow_drip_seconds": 0.02})
SURE = ({"status": 503}, {"status": 429, "retry_after": 7})
UNCERTAIN = (
    {"status": 500},
    {"status": 408},
    {"reset": True},  # after the request was read
    {"garbage": True},
    *SLOW,
)
MOMENTS = pytest.mark.parametrize("moment", ["before", "after"])

Shape = dict[str, Any]


def name_of(fault: Shape) -> str:
    """Names a case: "500", "reset", "429"."""
    name, value = next(iter(fault.items()))
    return str(value) if name == "status" else name.removesuffix("_seconds")


def settings_for(fault: Shape) -> Shape:
    return IMPATIENT if fault in SLOW else {}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certificates]:
    """Of two authorities, one of which the client is told to trust."""
    known, unknown = trustme.CA(), trustme.CA()
    bundle = tmp_path_factory.mktemp("authorities") / "known.pem"
    known.cert_pem.write_to_path(str(bundle))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(bundle))
        yield Certificates(serving(known), serving(unknown))


def serving(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def strike(run: Run, **fault: Any) -> set[str]:
    """One round under a fault; gives the events that it struck."""
    before = len(struck(run))
    run.stand_in.faults.add([Fault.model_validate(fault)])
    await run.round()
    applied: int = run.stand_in.faults.as_json()[0]["applied"]
    run.stand_in.faults.clear()
    async with asyncio.timeout(30):  # a drip is written down when the client has hung up
        while len(struck(run)) - before < applied:  # noqa: ASYNC110 - the ledger tells nobody
            await asyncio.sleep(0.01)
    return set(struck(run)[before:])


def struck(run: Run) -> list[str]:
    """The events of all requests that a fault struck, in order."""
    return [event_id_of(entry) for entry in run.stand_in.ledger if entry.fault]


async def endure(run: Run, events: int, **fault: Any) -> set[str]:
    """A whole run under a fault; gives the events that it struck."""
    run.hand_in(events // 4)
    await run.round()
    run.hand_in(events - events // 4)
    hit = await strike(run, every=3, **fault)
    if run.waiting:
        hit |= await strike(run, **fault)
    await run.until_settled()
    return hit


# What AppsFlyer answers


@pytest.mark.parametrize("fault", SURE, ids=name_of)
async def test_run_under_a_sure_fault_has_every_event_recorded_once(
    fault: Shape, certificates: Certificates, scale: Scale, saw: Saw
) -> None:
    async with running(tls=certificates.trusted) as run:
        hit = await endure(run, scale.events, **fault)
        ledger = run.ledger()

    ledger.assert_balanced()
    assert hit
    assert (ledger.doubled, ledger.dead, ledger.in_doubt) == (set(), {}, {})
    saw(**ledger.figures())


@MOMENTS
@pytest.mark.parametrize("fault", UNCERTAIN, ids=name_of)
async def test_run_under_an_uncertain_fault_doubles_only_what_was_counted(
    fault: Shape, moment: str, certificates: Certificates, scale: Scale, saw: Saw
) -> None:
    async with running(tls=certificates.trusted, **settings_for(fault)) as run:
        hit = await endure(run, scale.events, recorded=moment, **fault)
        ledger = run.ledger()

    ledger.assert_balanced()
    assert ledger.dead == {}
    assert hit
    assert hit <= ledger.in_doubt.keys()
    assert moment == "before" or hit <= ledger.doubled  # the price of `resend`
    saw(**ledger.figures())


@pytest.mark.parametrize("fault", UNCERTAIN, ids=name_of)
async def test_run_of_web_events_is_recorded_once_though_they_were_resent(
    fault: Shape, certificates: Certificates, scale: Scale, saw: Saw
) -> None:
    """W11: AppsFlyer drops the second of a `customer_dedup_id`."""
    async with running(Surface.WEB, certificates.trusted, **settings_for(fault)) as run:
        hit = await endure(run, scale.events, recorded="after", **fault)
        ledger = run.ledger()
        dropped = {
            event_id_of(entry) for entry in run.stand_in.ledger if entry.why.startswith("W11")
        }

    ledger.assert_balanced()
    assert hit <= dropped
    assert (set(ledger.recorded.values()), ledger.dead) == ({1}, {})
    saw(**ledger.figures(), dropped_by_appsflyer=len(dropped))


@MOMENTS
@pytest.mark.parametrize("fault", UNCERTAIN, ids=name_of)
async def test_run_that_buries_doubtful_money_doubles_none(
    fault: Shape, moment: str, certificates: Certificates, scale: Scale, saw: Saw
) -> None:
    settings = {"uncertain_money": "dead_letter", **settings_for(fault)}
    async with running(tls=certificates.trusted, **settings) as run:
        hit = await endure(run, scale.events, recorded=moment, **fault)
        ledger = run.ledger()
        reasons = {letter["reason"].partition(":")[0] for letter in run.letters}

    ledger.assert_balanced()
    assert ledger.doubled == set()
    assert hit
    assert hit <= ledger.dead.keys()
    assert hit & ledger.recorded.keys() == (hit if moment == "after" else set())
    assert reasons == {"uncertain_money"}
    saw(**ledger.figures())


@pytest.mark.parametrize(
    "fault",
    [{"status": 503}, {"status": 500}, {"status": 500, "recorded": "after"}],
    ids=["503", "500-before", "500-after"],
)
async def test_run_that_outlasts_the_schedule_loses_nothing(
    fault: Shape, certificates: Certificates, scale: Scale, saw: Saw
) -> None:
    """Attempts run out meanwhile: what is given up is dead, with the reason."""
    async with running(tls=certificates.trusted) as run:
        run.hand_in(scale.events // 2)
        for _ in range(len(run.settings.retry_schedule_seconds) + 2):
            await strike(run, **fault)
        run.hand_in(scale.events - scale.events // 2)
        await run.until_settled()
        ledger = run.ledger()

    ledger.assert_balanced()
    sure = fault["status"] == 503
    assert not (sure and (ledger.in_doubt or ledger.dead.keys() & ledger.recorded.keys()))
    saw(**ledger.figures())


# The way to AppsFlyer


@pytest.mark.parametrize("door", ["nobody", "resetting", "strange"])
async def test_run_without_a_way_to_appsflyer_has_every_event_recorded_once(
    door: str, certificates: Certificates, scale: Scale, saw: Saw
) -> None:
    """Refused, reset before the request was read, and a certificate that nobody knows."""
    async with running(tls=certificates.trusted) as run:
        doors: dict[str, Door] = {
            "nobody": nobody,
            "resetting": resetting,
            "strange": lambda port: run.stand_in.server(
                port=port, ssl_context=certificates.strange
            ),
        }
        run.hand_in(scale.events // 4)
        await run.round()
        await run.site.put(doors[door])
        run.hand_in(scale.events - scale.events // 4)
        await run.round()
        arrived = len(run.stand_in.ledger)
        await run.site.put(run.appsflyer)
        await run.until_settled()
        ledger = run.ledger()

    ledger.assert_balanced()
    assert arrived == scale.events // 4
    assert (ledger.doubled, ledger.dead, ledger.in_doubt) == (set(), {}, {})
    saw(**ledger.figures())


async def test_run_whose_plain_connections_are_reset_at_once_has_every_event_recorded_once(
    scale: Scale, saw: Saw
) -> None:
    """Without a handshake before it, the request may have been written: that is in doubt."""
    async with running() as run:
        await run.site.put(resetting)
        run.hand_in(scale.events)
        await run.round()
        await run.site.put(run.appsflyer)
        await run.until_settled()
        ledger = run.ledger()

    ledger.assert_balanced()
    assert (ledger.doubled, ledger.dead) == (set(), {})
    saw(**ledger.figures())


async def test_run_in_whose_middle_appsflyer_goes_away_doubles_only_what_was_counted(
    certificates: Certificates, scale: Scale, saw: Saw
) -> None:
    """Its connections break with requests and answers on them."""
    async with running(tls=certificates.trusted) as run:
        run.stand_in.faults.add([Fault(latency_seconds=0.05, recorded="after")])
        run.hand_in(scale.events)
        round_under_way = asyncio.create_task(run.round())
        async with asyncio.timeout(30):
            while run.stand_in.ledger.written < scale.events // 2:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
        await run.site.put(nobody)
        await round_under_way
        run.stand_in.faults.clear()
        await run.site.put(run.appsflyer)
        await run.until_settled()
        ledger = run.ledger()

    ledger.assert_balanced()
    assert ledger.dead == {}
    assert ledger.doubled
    saw(**ledger.figures())


# Redirects


@pytest.mark.parametrize(
    ("surface", "status"),
    [(Surface.MOBILE, 301), (Surface.MOBILE, 307), (Surface.WEB, 302), (Surface.WEB, 308)],
)
async def test_run_under_redirects_waits_and_never_goes_to_their_target(
    surface: Surface, status: int, certificates: Certificates, scale: Scale, saw: Saw
) -> None:
    """E17: a redirect followed would carry the app's token to whoever it names."""
    gone_to: list[str] = []

    async def note(request: Request, _: Connection) -> Response:
        gone_to.append(request.target)
        return Response.text(200, "OK")

    async with Server(note) as target, running(surface, certificates.trusted) as run:
        location = f"{target.url}/elsewhere"
        hit = await endure(run, scale.events, status=status, location=location)
        ledger = run.ledger()

    ledger.assert_balanced()
    assert gone_to == []
    assert hit
    assert ledger.dead.keys() == set()
    assert ledger.recorded.keys() == ledger.handed_in
    assert ledger.doubled == set()
    saw(**ledger.figures())
