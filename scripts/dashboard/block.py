"""The part of template.yaml that is written by this: from BEGIN to END, as YAML."""

import json
from collections.abc import Iterator
from typing import Any, Final

from samtranslator.yaml_helper import yaml_parse

from relay_sandbox.deployment.loops import expanded
from scripts.dashboard.body import dashboard_body
from scripts.dashboard.queries import QUERIES, Query
from scripts.dashboard.table import ROWS

BEGIN: Final = (
    "  # -- written by `make dashboard` from scripts/dashboard, down to the next such line\n"
)
END: Final = "  # -- written by `make dashboard` up to here\n"

_CAN_WAIT: Final = ("Late", "DeadLettersForgotten", "DeadLettersOld", "Uncertain")
"""What the alarms are about that nobody has to be woken for (docs/operations.md, Alarms)."""
_COMPOSITE: Final = "SomebodyMustLookAlarm"

Json = dict[str, Any]


def written(template: str) -> str:
    """The text of the template with its written part as it should be; raises ValueError."""
    before, begin, rest = template.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(
            "template.yaml has lost a line that says where the written part begins or ends"
        )
    source = expanded(yaml_parse(template))
    return "".join([before, begin, *_parts(source), end, after])


def _parts(source: Json) -> Iterator[str]:
    alarms = [
        name for name, one in source["Resources"].items() if one["Type"] == "AWS::CloudWatch::Alarm"
    ]
    yield _composite([name for name in alarms if not _can_wait(name)])
    yield _dashboard(dashboard_body(ROWS, [_COMPOSITE, *alarms], _namespace(source)))
    for name, query in QUERIES.items():
        yield _query(name, query)


def _namespace(source: Json) -> str:
    """The namespace of the relay's metrics, as the functions are told it."""
    found = source["Globals"]["Function"]["Environment"]["Variables"]
    name = found["POWERTOOLS_METRICS_NAMESPACE"]
    text: str = name["Fn::Sub"] if isinstance(name, dict) else name
    return text


def _can_wait(alarm: str) -> bool:
    return alarm.removesuffix("Alarm").endswith(_CAN_WAIT)


def _composite(alarms: list[str]) -> str:
    rule = " OR ".join(f'ALARM("${{{name}}}")' for name in alarms)
    return f"""\
  {_COMPOSITE}:
    Type: AWS::CloudWatch::CompositeAlarm
    Properties:
      AlarmName: !Sub ${{AWS::StackName}}-somebody-must-look
      AlarmDescription: >-
        An alarm rings that cannot wait until the morning: the dashboard shows it first.
        See docs/operations.md, Alarms.
      AlarmRule: !Sub '{rule}'
      AlarmActions: !If [HasPagerTopic, [!Ref PagerTopicArn], !Ref AWS::NoValue]
      OKActions: !If [HasPagerTopic, [!Ref PagerTopicArn], !Ref AWS::NoValue]

"""


def _dashboard(body: str) -> str:
    lines = "\n".join(f"        {line}" for line in body.splitlines())
    return f"""\
  StackDashboard:
    Type: AWS::CloudWatch::Dashboard
    Condition: HasDashboard
    Properties:
      DashboardName: !Sub ${{AWS::StackName}}-${{AWS::Region}} # the same in all regions
      DashboardBody: !Sub |-
{lines}

"""


def _query(name: str, query: Query) -> str:
    words = "".join(word.capitalize() for word in name.split())
    groups = ", ".join(f"!Ref {group}" for group in query.groups)
    title = f"${{AWS::StackName}}/{name}"
    return f"""\
  {words}Query: {{ Type: AWS::Logs::QueryDefinition, Properties: {{ Name: !Sub "{title}",
    LogGroupNames: [{groups}], QueryString: {json.dumps(query.query)} }} }}
"""
