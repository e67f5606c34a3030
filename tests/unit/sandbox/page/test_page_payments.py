"""In which order the page tells webhooks."""

from __future__ import annotations

from relay_sandbox.page.payments import Story, in_order


def story(name: str, *webhooks: bytes) -> Story:
    return Story(name, "stripe", "refund", "tag", name, list(webhooks))


def test_webhooks_are_told_in_any_order_and_each_as_often_as_asked() -> None:
    stories = [story("payment", b"1", b"2"), story("refund", b"3")]

    def told(order: str, times: int) -> list[bytes]:
        return [body for _, body in in_order(stories, order, times)]

    assert told("usual", 1) == [b"1", b"2", b"3"]
    assert told("reversed", 1) == [b"3", b"2", b"1"]
    assert told("usual", 2) == [b"1", b"2", b"1", b"2", b"3", b"3"]
    assert sorted(told("shuffled", 2)) == sorted(told("usual", 2))
