"""One producer's ids never touch another's, nor those of a queue or of a payment."""

from hypothesis import given
from hypothesis import strategies as st

from relay.messages.event_ids import LONGEST_EVENT_ID, former_event_id, http_event_id

# What ids are made of, so that two of them often look alike.
PIECES = st.sampled_from(["a", "b", ":", "/", "/array", "0", "1", "@", "=", "%", "%40", "é", " "])
LIKE = st.lists(PIECES, min_size=1, max_size=6).map("".join)
NAMES = st.one_of(LIKE, st.text(min_size=1, max_size=64), LIKE.map(lambda name: name * 10))
KEYS = st.one_of(LIKE, st.text(min_size=1, max_size=256), LIKE.map(lambda key: key * 40))
POSITIONS = st.one_of(st.none(), st.integers(0, 3), st.integers(0, 499))
EVENTS = st.tuples(NAMES, KEYS, POSITIONS)


@given(EVENTS, EVENTS)
def test_two_events_have_one_id_only_if_they_are_one(
    one: tuple[str, str, int | None], other: tuple[str, str, int | None]
) -> None:
    assert (http_event_id(*one) == http_event_id(*other)) == (one == other)


@given(NAMES, NAMES, KEYS, KEYS)
def test_a_key_like_a_position_is_another_event_for_every_pair_of_producers(
    one: str, other: str, key: str, end: str
) -> None:
    ids = {
        http_event_id(name, *rest)
        for name in (one, other)
        for rest in ((key, None), (key, 0), (f"{key}:0", None), (f"{key}:{end}", None))
    }

    keys = {(key, None), (key, 0), (f"{key}:0", None), (f"{key}:{end}", None)}
    assert len(ids) == len({one, other}) * len(keys)


@given(EVENTS)
def test_an_id_is_as_long_as_an_id_may_be_and_says_that_it_came_over_http(
    event: tuple[str, str, int | None],
) -> None:
    event_id = http_event_id(*event)

    assert len(event_id) <= LONGEST_EVENT_ID
    assert event_id.startswith("@")


@given(st.text(min_size=1, max_size=64), st.text(min_size=1, max_size=200), POSITIONS)
def test_an_id_tells_the_id_of_release_0_1(name: str, key: str, position: int | None) -> None:
    former = key if position is None else f"{key}:{position}"

    assert former_event_id(http_event_id(name, key, position)) == former
