"""In-memory stand-ins with the shape of what they stand for: AWS clients and AppsFlyer itself.

They behave (a queue keeps its messages, Parameter Store its parameters, both refuse what AWS
refuses); what shall go wrong is handed to them as a value.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, cast

import httpx
from botocore.exceptions import ClientError

from tests.support.builders import NOW, Json
from tests.support.sqs_rules import answer_to_batch, problem_of, problem_of_batch

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient


def aws_error(code: str, message: str = "refused") -> ClientError:
    """What boto3 raises when AWS refuses a call; AWS's own texts may quote what it was sent."""
    return ClientError({"Error": {"Code": code, "Message": message}}, "Call")


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        """The same clock in seconds."""
        return (self.now - NOW).total_seconds() + 100_000

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class SentMessage(NamedTuple):
    """A message on a queue."""

    body: str
    delay_seconds: int
    group: str

    @property
    def content(self) -> Json:
        content: Json = json.loads(self.body)
        return content


class Meta(NamedTuple):
    """What boto3's clients tell of themselves."""

    endpoint_url: str = "https://aws.example.com"


class FakeSqs:
    """SQS for senders: `queues` holds what was put on each, by its URL, and nothing is received.

    What SQS does with its messages: `MemorySqs`, which refuses by the same rules.
    """

    meta = Meta()

    def __init__(self) -> None:
        self.queues: defaultdict[str, list[SentMessage]] = defaultdict(list)
        self.calls: list[Sequence[Json]] = []
        self.error: Exception | None = None
        """Raised by every call, while it is set."""
        self.broken_queues: set[str] = set()
        """Calls for these queues are refused as a whole."""
        self.refuses: Callable[[Json], bool] = lambda entry: False
        """Entries that SQS reports as failed, in a call that succeeds."""
        self.deleted: list[str] = []
        """Receipt handles of what was deleted."""
        self.hidden: list[tuple[str, int]] = []
        """Receipt handles of what was hidden, and for how many seconds."""

    def client(self) -> "SQSClient":
        """The fake as boto3's client."""
        return cast("SQSClient", self)

    def delete_message_batch(self, *, QueueUrl: str, Entries: Sequence[Json]) -> Json:  # noqa: N803 - AWS's
        self._check(QueueUrl, problem_of_batch(Entries))
        self.deleted += [entry["ReceiptHandle"] for entry in Entries]
        return answer_to_batch(Entries, lambda entry: None)

    def change_message_visibility(
        self,
        *,
        QueueUrl: str,  # noqa: N803 - AWS's
        ReceiptHandle: str,  # noqa: N803
        VisibilityTimeout: int,  # noqa: N803
    ) -> None:
        self._check(QueueUrl)
        self.hidden.append((ReceiptHandle, VisibilityTimeout))

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[Json]) -> Json:  # noqa: N803 - AWS's
        self.calls.append(Entries)
        self._check(QueueUrl, problem_of_batch(Entries))

        def outcome(entry: Json) -> str | None:
            problem = "InternalError" if self.refuses(entry) else problem_of(entry)
            if problem is None:
                delay, group = entry.get("DelaySeconds", 0), entry["MessageGroupId"]
                self.queues[QueueUrl].append(SentMessage(entry["MessageBody"], delay, group))
            return problem

        return answer_to_batch(Entries, outcome)

    def _check(self, url: str, problem: str | None = None) -> None:
        if self.error is not None:
            raise self.error
        if url in self.broken_queues or problem:
            raise aws_error(problem or "AccessDenied")


class FakeSsm:
    """Parameter Store: `parameters` holds the values by their full names."""

    meta = Meta()

    def __init__(self, parameters: dict[str, str] | None = None) -> None:
        self.parameters = parameters or {}
        self.calls: list[list[str]] = []
        self.error: Exception | None = None
        """Raised by every call, while it is set."""
        self.fails_from_call: int | None = None
        """The number (from 1) of the first call that fails."""
        self.forbidden: set[str] = set()
        """Names that may not be read: a call with one of them is refused as a whole."""
        self.before_answer: Callable[[], object] = lambda: None
        """Called in the thread of each call: may keep it waiting."""

    def client(self) -> "SSMClient":
        """The fake as boto3's client."""
        return cast("SSMClient", self)

    def get_parameters(self, *, Names: list[str], WithDecryption: bool) -> Json:  # noqa: N803 - AWS's
        self.calls.append(Names)
        self.before_answer()
        if self.error is not None:
            raise self.error
        if self.fails_from_call is not None and len(self.calls) >= self.fails_from_call:
            raise aws_error("ThrottlingException")
        if self.forbidden & set(Names):
            raise aws_error("AccessDeniedException")
        if not 1 <= len(Names) <= 10 or len(set(Names)) != len(Names):
            raise aws_error("ValidationException")
        assert WithDecryption
        return {
            "Parameters": [
                {"Name": name, "Value": self.parameters[name]}
                for name in Names
                if name in self.parameters
            ],
            "InvalidParameters": [name for name in Names if name not in self.parameters],
        }


class Says(NamedTuple):
    """One answer of AppsFlyer's."""

    status: int
    text: str = ""
    headers: dict[str, str] = {}  # noqa: RUF012 - never written to


OK = Says(200, "OK")
Reaction = Says | Exception
Behaviour = Callable[[httpx.Request], Reaction]


class FakeAppsFlyer:
    """AppsFlyer at the other end of the transport: `requests` holds what it was sent."""

    def __init__(self, behaviour: Behaviour = lambda request: OK) -> None:
        self.behaviour = behaviour
        self.requests: list[httpx.Request] = []

    @property
    def transport(self) -> httpx.AsyncBaseTransport:
        return httpx.MockTransport(self._answer)

    def says(self, *reactions: Reaction) -> None:
        """Reacts so, one request after the other; the last one stands for all that follow."""
        left = list(reactions)
        self.behaviour = lambda request: left.pop(0) if len(left) > 1 else left[0]

    def takes_only(self, token: str, otherwise: Says = Says(401)) -> None:  # noqa: B008 - a constant
        """Knows one S2S key of a mobile app, and refuses all others."""
        self.behaviour = lambda r: OK if r.headers["authentication"] == token else otherwise

    @property
    def bodies(self) -> list[Json]:
        return [json.loads(request.content) for request in self.requests]

    @property
    def tokens(self) -> list[str]:
        """The S2S keys of the mobile requests."""
        return [request.headers["authentication"] for request in self.requests]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reaction = self.behaviour(request)
        if isinstance(reaction, Exception):
            raise reaction
        return httpx.Response(
            reaction.status, content=reaction.text.encode(), headers=reaction.headers
        )


def longest(low: float, high: float) -> float:
    """Chance without chance: every jittered wait is as long as it can be."""
    return high
