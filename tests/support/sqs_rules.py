"""SQS's own rules: what it refuses, by its code for that."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from relay.aws.sqs import size_of
from tests.support.builders import Json

PREFIX: Final = "AWS.SimpleQueueService."
"""Of the codes that have kept their old form."""
LONGEST_WAIT: Final = 20
LONGEST_VISIBILITY: Final = 43_200
MOST_ENTRIES: Final = 10

_MEBIBYTE: Final = 1_048_576
_LONGEST_DELAY: Final = 900
_GROUP: Final = re.compile(r"[\x21-\x7e]{1,128}")
_ENTRY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def problem_of(entry: Json) -> str | None:
    """What is wrong with a message on its way to a queue."""
    body = entry["MessageBody"]
    strangers = entry.keys() - {"Id", "MessageBody", "DelaySeconds", "MessageGroupId"}
    if strangers or not 0 <= entry.get("DelaySeconds", 0) <= _LONGEST_DELAY:
        return "InvalidParameterValue"
    if not body or size_of(body) > _MEBIBYTE:
        return "InvalidParameterValue"
    if not _GROUP.fullmatch(entry.get("MessageGroupId", "any")):
        return "InvalidParameterValue"
    return "InvalidMessageContents" if _UNPRINTABLE.search(body) else None


def problem_of_batch(entries: Sequence[Json]) -> str | None:
    """Why a batch is refused as a whole."""
    ids = [entry["Id"] for entry in entries]
    if not ids:
        return f"{PREFIX}EmptyBatchRequest"
    if len(ids) > MOST_ENTRIES:
        return f"{PREFIX}TooManyEntriesInBatchRequest"
    if len(set(ids)) != len(ids):
        return f"{PREFIX}BatchEntryIdsNotDistinct"
    if not all(map(_ENTRY_ID.fullmatch, ids)):
        return f"{PREFIX}InvalidBatchEntryId"
    if sum(size_of(entry.get("MessageBody", "")) for entry in entries) > _MEBIBYTE:
        return f"{PREFIX}BatchRequestTooLong"
    return None


def answer_to_batch(entries: Sequence[Json], outcome: Callable[[Json], Json | str | None]) -> Json:
    """Each entry of a batch fares by itself: its part of the answer, or the code of its failure."""
    answer: dict[str, list[Json]] = {"Successful": []}
    for entry in entries:
        done = outcome(entry)
        if isinstance(done, str):
            failure = {"Id": entry["Id"], "Code": done, "Message": "refused"}
            blame = {"SenderFault": done != "InternalError"}
            answer.setdefault("Failed", []).append(failure | blame)
        else:
            answer["Successful"].append({"Id": entry["Id"], **(done or {})})
    return answer
