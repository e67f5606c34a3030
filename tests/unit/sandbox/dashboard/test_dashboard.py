"""The page's dashboard: what is measured, and what is drawn of it."""

import json
from typing import Any

import pytest

from relay_sandbox.dashboard.answer import PERIOD_SECONDS, PERIODS, answer, statistic
from relay_sandbox.dashboard.body import Alarm, Board, Rule, read_board
from relay_sandbox.dashboard.meter import KEPT_SECONDS, Meter, Name
from tests.support.template import sam_template

DELIVERED = Name("Relay", "Delivered", frozenset({("service", "forward_mobile")}))


class Clock:
    """Seconds that stand still until they are moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def meter(clock: Clock) -> Meter:
    return Meter(clock, {"accept": "AcceptFunction"})


def line(**said: Any) -> bytes:
    return json.dumps(said).encode()


def embedded(**counts: float | list[float]) -> bytes:
    group = {
        "Namespace": "Relay",
        "Dimensions": [["service"], ["service", "app_class"]],
        "Metrics": [{"Name": name} for name in counts],
    }
    told = {"_aws": {"CloudWatchMetrics": [group]}, "service": "forward_mobile"}
    return line(**told, app_class="ios", **counts)


def widget(metrics: list[Any], view: str = "timeSeries") -> dict[str, Any]:
    place = {"x": 0, "y": 0, "width": 4, "height": 3, "type": "metric"}
    found = {"title": "A", "view": view, "metrics": metrics, "stacked": False}
    return {**place, "properties": {**found, "yAxis": {"left": {"label": "events"}}}}


def drawn(meter: Meter, *widgets: dict[str, Any], **board: Any) -> list[Any]:
    found: list[Any] = answer(Board("relay", widgets, **board), meter)["widgets"]
    return found


def test_counter_is_kept_for_each_of_its_sets_of_dimensions(meter: Meter, clock: Clock) -> None:
    meter.function_line("forward_mobile", embedded(Delivered=[2.0, 3.0]))

    both = {*DELIVERED.dimensions, ("app_class", "ios")}
    assert meter.between(DELIVERED, clock.now, clock.now + 1) == [2.0, 3.0]
    assert meter.between(DELIVERED._replace(dimensions=frozenset(both)), 0, 2000) == [2.0, 3.0]


def test_runtimes_lines_are_metrics_of_lambda(meter: Meter) -> None:
    for said in (
        "START RequestId: 1 Version: $LATEST",
        "[ERROR] RuntimeError",
        "END RequestId: 1",
        "REPORT RequestId: 1\tDuration: 12.50 ms",
        "not for us {",
        "{not json",
    ):
        meter.function_line("accept", said.encode())

    found = {name.metric: meter.between(name, 0, 2000) for name in meter.names()}
    assert found == {"ConcurrentExecutions": [1.0], "Errors": [1.0], "Duration": [12.5]}
    assert {of for name in meter.names() for of in name.dimensions} == {
        ("FunctionName", "AcceptFunction")
    }


def test_answers_of_the_api_are_counted_by_their_class(meter: Meter) -> None:
    for status in (202, 404, 503):
        meter.answered(status, 0.25)

    sums = {name.metric: sum(meter.between(name, 0, 2000)) for name in meter.names()}
    assert (sums["Count"], sums["4xx"], sums["5xx"], sums["Latency"]) == (3, 1, 1, 750)


def test_old_points_are_forgotten(meter: Meter, clock: Clock) -> None:
    meter.put(DELIVERED, [1])
    clock.now += KEPT_SECONDS + 1
    meter.put(DELIVERED, [2])

    assert meter.between(DELIVERED, 0, 9e9) == [2]


def test_graph_has_a_point_for_each_period_and_a_gap_where_nothing_was_told(
    meter: Meter, clock: Clock
) -> None:
    meter.put(DELIVERED, [1, 2])
    clock.now += 2 * PERIOD_SECONDS
    meter.put(DELIVERED, [4])

    shown = {"stat": "Sum", "label": "delivered"}
    (found,) = drawn(meter, widget([["Relay", "Delivered", "service", "forward_mobile", shown]]))

    (one,) = found["lines"]
    assert one["points"] == [None] * (PERIODS - 3) + [3, None, 4]


def test_number_is_the_sum_of_its_hidden_metrics(meter: Meter) -> None:
    meter.put(DELIVERED, [3])
    meter.put(DELIVERED._replace(dimensions=frozenset({("service", "forward_web")})), [4])
    hidden = [
        ["Relay", "Delivered", "service", f"forward_{one}", {"id": one, "visible": False}]
        for one in ("mobile", "web")
    ]

    (found,) = drawn(meter, widget([[{"expression": "..."}], *hidden], "singleValue"))

    assert found["value"] == 7


@pytest.mark.parametrize(
    ("stat", "value"), [("Sum", 10), ("Maximum", 4), ("Minimum", 1), ("Average", 2.5), ("p50", 3)]
)
def test_statistics(stat: str, value: float) -> None:
    assert statistic(stat, [4, 1, 2, 3]) == value


def test_alarm_rings_while_its_metric_is_past_the_threshold_and_so_does_the_one_for_all(
    meter: Meter, clock: Clock
) -> None:
    rule = Rule(DELIVERED, "Sum", 900, "GreaterThanThreshold", 0)
    alarms = {"All": Alarm("all", "", any_of=("One",)), "One": Alarm("one", "", rule)}
    asked = {"x": 0, "y": 0, "width": 4, "height": 3, "type": "alarm"}
    board = {**asked, "properties": {"title": "A", "alarms": ["All", "One"]}}

    quiet = drawn(meter, board, alarms=alarms)[0]["alarms"]
    meter.put(DELIVERED, [1])
    ringing = drawn(meter, board, alarms=alarms)[0]["alarms"]
    clock.now += 16  # 900 s of which a second is a minute
    over = drawn(meter, board, alarms=alarms)[0]["alarms"]

    assert [[one["rings"] for one in each] for each in (quiet, ringing, over)] == [
        [False, False],
        [True, True],
        [False, False],
    ]


def test_table_counts_the_lines_that_its_query_asks_for(meter: Meter) -> None:
    for reason in ("rejected", "rejected", "credentials"):
        meter.function_line("f", line(message="event not delivered", outcome="held", reason=reason))
    meter.function_line("f", line(message="batch", Delivered=1))
    meter.function_line("f", line(message="batch", findings={"M12": 2}))
    place = {"x": 0, "y": 0, "width": 4, "height": 3, "type": "log"}
    why = 'filter message = "event not delivered" | stats count() as n by outcome, reason | sort n'
    found = 'filter message = "batch" | filter ispresent(found) | stats count() as n by found | x'

    tables = drawn(
        meter,
        *({**place, "properties": {"title": "A", "query": query}} for query in (why, found)),
    )

    assert [(one["heads"], one["rows"]) for one in tables] == [
        (
            ["outcome", "reason", "n"],
            [["held", "rejected", "2"], ["held", "credentials", "1"]],
        ),
        (["found", "n"], [['"M12": 2', "1"]]),
    ]


def test_dashboard_of_the_template_can_be_read() -> None:
    template = sam_template()
    board = read_board(template.source, template.parameters({}), "relay", "us-east-1")
    composite = next(one for one in board.alarms.values() if one.any_of)

    assert board.name == "relay-us-east-1"
    assert len(board.widgets) > 20
    assert set(composite.any_of) < board.alarms.keys()
    assert "${" not in json.dumps(board.widgets)


def test_template_without_a_dashboard_has_an_empty_one(meter: Meter) -> None:
    board = read_board({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}}, {}, "relay", "us-east-1")

    assert answer(board, meter)["widgets"] == []
