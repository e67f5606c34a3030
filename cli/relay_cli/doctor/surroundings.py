"""The checks of the HTTP API and of this machine's clock."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

from botocore.exceptions import ClientError

from relay_cli.clients.aws import translate_errors
from relay_cli.clients.http import call
from relay_cli.doctor.check import Case, Check, bad, good
from relay_cli.terminal.console import printable

_API_SECONDS: Final = 10
_MOST_OFF_SECONDS: Final = 60
"""AWS refuses what was signed more than five minutes off."""


def api(case: Case) -> Check:
    """The API answers, and a producer could be served."""
    url = f"{case.installation.api}/v1/health"
    response = call("GET", url, seconds=_API_SECONDS)
    content = response.json()
    if response.status != HTTPStatus.OK:
        what = f"{url} answers {response.status}"
        return bad("api", what, "look into the log of the function accept")
    if content.get("status") == "ok":
        return good("api", "it is up, and a producer could be served")
    named = ", ".join(printable(str(one)) for one in content.get("parameters", []))
    what = f"it is degraded by {named}" if named else "it does not say that it is ok"
    return bad("api", what, "correct it: apps and producers, here, say what is wrong")


def clock(case: Case) -> Check:
    """This machine's clock and AWS's tell about the same time."""
    theirs = _date_of_aws(case)
    if theirs is None:
        return bad("clock", "AWS did not say what time it is", "try again")
    off = abs((case.now - theirs).total_seconds())
    if off <= _MOST_OFF_SECONDS:
        return good("clock", "as AWS's")
    what = f"this machine's clock is {off:,.0f} s off AWS's"
    return bad("clock", what, "set it (NTP): AWS refuses what is signed 5 minutes off")


def _date_of_aws(case: Case) -> datetime | None:
    """The `Date` of a response; that of a refusal for the wrong time too."""
    try:
        answer: Any = case.client("sqs").get_queue_attributes(
            QueueUrl=case.installation.queues["mobile_queue"], AttributeNames=["QueueArn"]
        )
    except ClientError as error:
        answer = error.response
    except Exception:
        with translate_errors("SQS"):
            raise
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        return parsedate_to_datetime(headers["date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return None
