"""The resubmitter between a dead-letter queue and the queues, in memory."""

import json
from collections import Counter
from pathlib import Path
from threading import Event

import pytest

from relay_cli.dlq.correction import Correction, read_correction
from relay_cli.dlq.lines import read_corrections
from relay_cli.dlq.reader import DeadLetterReader
from relay_cli.dlq.resubmit import Resubmitter, Result
from relay_cli.terminal.errors import CliError
from tests.support.dead_letters import NOW, Json
from tests.support.memory_sqs import MemorySqs
from tests.unit.cli.dlq.test_correction import GOOD, REJECTED

ELSEWHERE = {"eventName": "af_share", "appsflyer_id": "1415211453000-6513894"}


class Stack:
    """The queues of a relay, and a dead-letter queue with `number` rejected events."""

    def __init__(self, number: int = 1) -> None:
        self.sqs = MemorySqs(lambda: NOW)
        self.urls = {name: self.sqs.make_queue(name) for name in ("mobile", "web", "payments")}
        self.dead = self.sqs.make_queue("dead")
        self.stop = Event()
        for one in range(number):
            self.put({**REJECTED, "event_id": f"order-{one}"})

    def put(self, letter: Json) -> None:
        self.sqs.put(self.dead, json.dumps(letter))

    def exported(self, **changes: object) -> list[Correction]:
        """Every letter, corrected so (its event by default)."""
        made = []
        with DeadLetterReader(self.sqs.client(), self.dead, 0) as reader:
            for batch in reader.batches():
                for letter in batch:
                    content = {"queue": "mobile", "letter_id": letter.message_id, **letter.fields}
                    one = read_correction({**content, "event": GOOD, **changes}, "line")
                    assert one is not None
                    made.append(one)
        return made

    def resubmit(
        self, corrections: list[Correction], *, without_letter: bool = False
    ) -> list[Result]:
        reader = DeadLetterReader(self.sqs.client(), self.dead, 0)
        resubmitter = Resubmitter(
            reader,
            lambda surface: (self.sqs.client(), self.urls[surface]),
            NOW,
            without_letter=without_letter,
            stop=self.stop,
        )
        results = [Result(one) for one in corrections]
        resubmitter.run(results, lambda _: None)
        return results

    def ids(self, name: str = "mobile") -> list[str]:
        """The event ids on a queue, which is emptied."""
        bodies = self.sqs.take_all(self.urls[name])
        return sorted(json.loads(body)["event_id"] for body in bodies)

    @property
    def letters(self) -> list[str]:
        """The event ids of the letters that are visible."""
        with DeadLetterReader(self.sqs.client(), self.dead, 0) as reader:
            return sorted(one.event_id for batch in reader.batches() for one in batch)


def statuses(results: list[Result]) -> dict[str, int]:
    return dict(Counter(one.status for one in results))


def test_resubmit_sends_corrections_and_closes_their_letters_and_no_others() -> None:
    stack = Stack(25)
    corrections = stack.exported()
    stack.put({**REJECTED, "event_id": "later"})

    results = stack.resubmit(corrections)

    assert statuses(results) == {"sent": 25}
    assert stack.ids() == sorted(f"order-{number}" for number in range(25))
    assert stack.letters == ["later"]


def test_resubmit_told_twice_sends_nothing_again() -> None:
    stack = Stack(3)
    corrections = stack.exported()
    stack.resubmit(corrections)
    stack.ids()

    results = stack.resubmit(corrections)

    assert statuses(results) == {"no_letter": 3}
    assert stack.ids() == []


def test_resubmit_of_letters_that_are_gone_sends_them_if_told() -> None:
    stack = Stack(2)
    corrections = stack.exported()
    stack.sqs.take_all(stack.dead)  # SQS drops them after 14 days

    results = stack.resubmit(corrections, without_letter=True)

    assert statuses(results) == {"sent": 2}
    assert stack.ids() == ["order-0", "order-1"]


@pytest.mark.parametrize("without_letter", [False, True])
def test_resubmit_takes_no_letter_for_gone_while_another_command_has_some(
    *, without_letter: bool
) -> None:
    stack = Stack(2)
    corrections = stack.exported()
    stack.sqs.receive_message(QueueUrl=stack.dead)

    results = stack.resubmit(corrections, without_letter=without_letter)

    assert statuses(results) == {"sent": 1, "hidden": 1}


def test_resubmit_leaves_what_is_still_wrong_and_sends_the_others() -> None:
    stack = Stack(3)
    corrections = stack.exported()
    corrections[1] = Correction(
        "line 2", "mobile", corrections[1].letter_id, {**corrections[1].content, "event": {}}
    )

    results = stack.resubmit(corrections)

    assert [one.status for one in results] == ["sent", "left", "sent"]
    assert results[1].replacement.findings
    assert stack.letters == [results[1].correction.event_id]


def test_resubmit_deletes_no_letter_whose_event_was_not_taken() -> None:
    stack = Stack(4)
    corrections = stack.exported()
    stack.sqs.refuses = lambda entry: '"order-2"' in entry.get("MessageBody", "")

    results = stack.resubmit(corrections)

    assert statuses(results) == {"sent": 3, "not_taken": 1}
    assert stack.letters == ["order-2"]


def test_resubmit_to_a_queue_that_does_not_answer_ends_after_the_first_call() -> None:
    stack = Stack(25)
    corrections = stack.exported()
    stack.sqs.refuses = lambda entry: "MessageBody" in entry

    results = stack.resubmit(corrections)

    assert statuses(results) == {"not_taken": 10, "not_reached": 15}
    assert len(stack.letters) == 25


def test_resubmit_says_what_was_sent_and_could_not_be_deleted() -> None:
    stack = Stack(2)
    corrections = stack.exported()
    stack.sqs.refuses = lambda entry: "ReceiptHandle" in entry and "VisibilityTimeout" not in entry

    results = stack.resubmit(corrections)

    assert statuses(results) == {"not_deleted": 2}
    assert stack.letters == stack.ids() == ["order-0", "order-1"]


def test_resubmit_that_is_stopped_sends_nothing_and_hides_nothing() -> None:
    stack = Stack(3)
    corrections = stack.exported()
    stack.stop.set()

    results = stack.resubmit(corrections)

    assert statuses(results) == {"not_reached": 3}
    assert len(stack.letters) == 3
    assert stack.ids() == []


def test_resubmit_finds_the_letter_of_an_event_that_was_sent_back_and_came_back() -> None:
    stack = Stack(1)
    corrections = stack.exported()
    stack.sqs.take_all(stack.dead)
    stack.put({**REJECTED, "event_id": "order-0"})

    assert statuses(stack.resubmit(corrections)) == {"sent": 1}
    assert stack.letters == []


def test_resubmit_closes_no_letter_of_another_event_with_the_same_id() -> None:
    stack = Stack(1)
    corrections = stack.exported()
    stack.put({**REJECTED, "event_id": "order-0", "app_id": "com.example.other"})
    conflict = {**REJECTED, "event_id": "order-0", "event": ELSEWHERE, "reason": "id_conflict"}
    stack.put(conflict)

    stack.resubmit(corrections)

    assert stack.letters == ["order-0", "order-0"]


def test_resubmit_puts_a_corrected_kind_on_the_queue_of_that_kind() -> None:
    stack = Stack(1)
    visit = {"user_id": {"customer_user_id": "u"}, "event_url": "https://www.example.com/"}
    corrections = stack.exported(kind="web_visit", event=visit)

    stack.resubmit(corrections)

    assert (stack.ids("mobile"), stack.ids("web")) == ([], ["order-0"])


# The file


def _line(letter_id: str) -> Json:
    return {"queue": "mobile", "letter_id": letter_id, **REJECTED}


FILES = {
    "a line each": "\n".join(json.dumps(_line(one)) for one in "ab") + "\n",
    "with blank lines and a byte order mark": "\ufeff" + "\n\n".join(
        json.dumps(_line(one)) for one in "ab"
    ),
    "an array": json.dumps([_line("a"), _line("b")]),
    "spread over lines, as jq does": "\n".join(json.dumps(_line(one), indent=2) for one in "ab"),
}  # fmt: skip


@pytest.mark.parametrize("text", list(FILES.values()), ids=list(FILES))
def test_read_corrections_reads_what_tools_make_of_an_export(text: str, tmp_path: Path) -> None:
    path = tmp_path / "letters"
    path.write_text(text)

    assert [one.letter_id for one in read_corrections(path)] == ["a", "b"]


WRONG_FILES = {
    "nothing": ("", "holds no dead letter"),
    "half a line": (json.dumps(_line("a")) + '\n{"queue": "secret', "no JSON: line 2"),
    "other events": ('{"app_id": "secret", "kind": "k", "event": {}}', "by `relay send`"),
    "a name twice": ('{"queue": "m", "letter_id": "secret", "letter_id": "b"}', "letter 1"),
    "one letter twice": ("\n".join([json.dumps(_line("a"))] * 2), "line 1 and line 2"),
}


@pytest.mark.parametrize(("text", "problem"), list(WRONG_FILES.values()), ids=list(WRONG_FILES))
def test_read_corrections_refuses_a_file_as_a_whole_and_quotes_nothing(
    text: str, problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "letters"
    path.write_text(text)

    with pytest.raises(CliError) as raised:
        read_corrections(path)

    assert problem in str(raised.value)
    assert "secret" not in str(raised.value)
