"""The command-line interface of `relay capacity`."""

from typing import Annotated

import typer


def capacity(  # noqa: PLR0913 - one for each number that decides
    *,
    rate: Annotated[
        float | None,
        typer.Option(
            help="Events a second, on average. Otherwise 10.",
            metavar="NUMBER",
            min=0.001,
            max=100_000,
            show_default=False,
        ),
    ] = None,
    month: Annotated[
        float | None,
        typer.Option(
            help="Events a month, instead of --rate.",
            metavar="NUMBER",
            min=1_000,
            max=1e11,
            show_default=False,
        ),
    ] = None,
    money: Annotated[
        float,
        typer.Option(help="Share of events with revenue, 0 to 1.", metavar="NUMBER", min=0, max=1),
    ] = 0.3,
    latency: Annotated[
        float,
        typer.Option(
            help="Milliseconds that AppsFlyer takes to answer.",
            metavar="MILLISECONDS",
            min=0,
            max=60_000,
        ),
    ] = 150,
    batch: Annotated[
        int, typer.Option(help="BatchSize.", metavar="NUMBER", min=1, max=1_000)
    ] = 100,
    window: Annotated[
        float, typer.Option(help="BatchingWindowSeconds.", metavar="SECONDS", min=0, max=20)
    ] = 1,
    memory: Annotated[
        int, typer.Option(help="MemorySize.", metavar="MB", min=256, max=10_240)
    ] = 512,
    concurrency: Annotated[
        int, typer.Option(help="MobileMaxConcurrency.", metavar="NUMBER", min=2, max=1_000)
    ] = 10,
    in_flight: Annotated[
        int, typer.Option(help="RequestsInFlight.", metavar="NUMBER", min=1, max=500)
    ] = 50,
    together: Annotated[
        int,
        typer.Option(
            help="Events in one HTTP request, or in one call of a sender's to SQS.",
            metavar="NUMBER",
            min=1,
            max=500,
        ),
    ] = 1,
    backlog: Annotated[
        float | None,
        typer.Option(
            help="Events that have piled up. Otherwise those of an hour.",
            metavar="NUMBER",
            min=1,
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """What a load takes and costs: invocations, waits, USD a million events.

    From figures that were measured and AWS's list prices (us-east-1, no free
    tier). Events are taken to come evenly: bursts are cheaper.
    """
    from relay_cli.capacity.cost import SECONDS_A_MONTH
    from relay_cli.capacity.model import Load
    from relay_cli.capacity.run import show
    from relay_cli.terminal.errors import CliError

    if rate is not None and month is not None:
        raise CliError("give --rate or --month, not both")
    a_second = month / SECONDS_A_MONTH if month is not None else rate or 10.0
    load = Load(
        rate=a_second, money=money, latency=latency / 1000, batch=batch, window=window,
        memory=memory, concurrency=concurrency, in_flight=in_flight, together=together,
    )  # fmt: skip
    show(load, backlog or 3_600 * a_second, as_json=json)
