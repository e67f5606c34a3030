"""Names that are no field's: other spellings, foreign names, slips (2.1 of the contract).

The nine rules are applied in two steps, because the later ones ask what the event gives, and that
is known once its fields are checked: `resolve` reads another spelling as its field, before the
fields are checked; `report` judges the names that are left, afterwards.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from relay.domain.findings import Findings, Severity
from relay.rules.identity_fields import HASHED_FIELDS, HASHES_OF, PRODUCER_ONLY_FIELDS
from relay.rules.leniency import FORMS, ID, is_absent, read

CLEAR_EMAIL: Final = re.compile(r"(?<=[^@\s/?&=])@[^@\s/?&=]+\.[A-Za-z]{2,}")
"""H9. The contract's pattern, anchored at the `@` so that it stays linear on any text."""

_SHOWABLE: Final = re.compile(r"[ -~]{1,64}")
UNSHOWABLE: Final = "(a field whose name cannot be shown)"

_MOST: Final = 20
"""Names with a finding each: a thousand findings would not fit into a dead letter."""


def is_showable(name: str) -> bool:
    """Q5: 1 to 64 printable ASCII characters without an e-mail address."""
    return _SHOWABLE.fullmatch(name) is not None and CLEAR_EMAIL.search(name) is None


def showable(name: str) -> str:
    """A field name as findings show it: a name that may be data is replaced."""
    return name if is_showable(name) else UNSHOWABLE


def fold(name: str) -> str:
    """A name in lower case, without `_`, `-` and white space.

    >>> fold("Customer-User_ID")
    'customeruserid'
    """
    return "".join(name.lower().replace("_", "").replace("-", "").split())


# Spellings and slips


def another_spelling(name: str, fields: Collection[str]) -> str | None:
    """Rule 5: the field of which this is another spelling."""
    folded = fold(name)
    return next((known for known in fields if fold(known) == folded), None)


def slip_of(name: str, fields: Collection[str]) -> str | None:
    """Rule 8: the field of which this looks like a slip; the nearest of several."""
    return next(iter(_Folded(fields).near(fold(name))), None)


def is_like(name: str, fields: frozenset[str]) -> bool:
    """Whether a name is two changes or fewer from one of these fields, folded."""
    folded = fold(name)
    letters = frozenset(folded)
    return any(
        abs(len(known) - len(folded)) <= _LIKE
        and len(letters ^ known_letters) <= 2 * _LIKE
        and _distance(folded, known, _LIKE) <= _LIKE
        for known, known_letters in _folded_with_letters(fields)
    )


_LIKE: Final = 2


@lru_cache(maxsize=4)  # asked for a few sets of fields, and for many names each time
def _folded_with_letters(fields: frozenset[str]) -> tuple[tuple[str, frozenset[str]], ...]:
    return tuple((folded, frozenset(folded)) for folded in map(fold, fields))


_SHORTEST: Final = 5
_LONG: Final = 11


class _Folded:
    """Fields by their folded names, and by the lengths of these, to look for slips quickly."""

    def __init__(self, fields: Collection[str]) -> None:
        self.field_of = {fold(known): known for known in fields}
        self._letters = {folded: frozenset(folded) for folded in self.field_of}
        self._by_length: dict[int, list[str]] = {}
        for folded in self.field_of:
            self._by_length.setdefault(len(folded), []).append(folded)

    def near(self, folded: str) -> list[str]:
        """The fields at a slip's distance, nearest first."""
        found = []
        letters = frozenset(folded)
        for length in range(len(folded) - 2, len(folded) + 3):
            most = 1 if length < _LONG else 2
            if length < _SHORTEST or abs(length - len(folded)) > most:
                continue
            for known in self._by_length.get(length, ()):
                if len(letters ^ self._letters[known]) > 2 * most:
                    continue  # each change takes away one letter at most, and brings one
                distance = _distance(folded, known, most)
                if distance <= most:
                    found.append((distance, self.field_of[known]))
        return [known for _, known in sorted(found, key=lambda pair: pair[0])]

    def numbered(self, folded: str) -> str | None:
        """Rule 7: the field whose name is followed by digits only."""
        return self.field_of.get(folded.rstrip(_DIGITS)) if folded[-1:] in _DIGIT_SET else None


_DIGITS: Final = "0123456789"
_DIGIT_SET: Final = frozenset(_DIGITS)


def _distance(one: str, other: str, most: int) -> int:
    """Levenshtein's: inserts, deletes and replacements; above `most` it is not reckoned further."""
    row = list(range(len(other) + 1))
    for number, character in enumerate(one, 1):
        above, row = row, [number]
        for column, counterpart in enumerate(other, 1):
            replaced = above[column - 1] + (character != counterpart)
            row.append(min(replaced, above[column] + 1, row[-1] + 1))
        if min(row) > most:
            return most + 1
    return row[-1]


# What a kind of event knows


@dataclass(frozen=True)
class Vocabulary:
    """The names of one kind of event. Foreign names and wishes are folded."""

    rule: str
    """M21 or W13."""
    fields: Collection[str]
    """Those of the payload; the hashes and the producer-only inputs come to them."""
    matters: Collection[str]
    """Fields a slip of which is refused, besides those of section 3."""
    consent_or_money: Collection[str]
    """Fields that a numbered name may have been meant to be (rule 7)."""
    foreign: Mapping[str, str]
    """Folded names of other systems, and the field that is meant; `-` for none."""
    elsewhere: str
    """Where what AppsFlyer has no field for may go."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Old names of fields (rule 1)."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Names that are left out, and what is said of them (rules 2 and 3)."""
    user_ids: Mapping[str, str] = field(default_factory=dict)
    """Folded names of what belongs into `user_id` (rule 4)."""
    wishes: Collection[str] = ()
    """Folded names of what says how a person wants to be treated, where no field does (rule 6)."""
    not_here: Collection[str] = ()
    """Fields that only another kind has: another spelling of one is refused (rule 5)."""

    def __post_init__(self) -> None:
        """Derives what is asked for each event."""
        fields = (*self.fields, *HASHED_FIELDS, *PRODUCER_ONLY_FIELDS)
        matters = (*self.matters, *HASHED_FIELDS, *PRODUCER_ONLY_FIELDS)
        object.__setattr__(self, "known", frozenset((*fields, *self.not_here)))
        object.__setattr__(self, "folded", _Folded(fields))
        object.__setattr__(self, "all_matters", frozenset(matters))
        not_here = {fold(name): name for name in self.not_here}
        object.__setattr__(self, "folded_not_here", not_here)

    def joined(self, other: "Vocabulary") -> "Vocabulary":
        """What both know: for an event of which it is not known what kind it is."""
        return Vocabulary(
            rule=self.rule,
            fields=(*self.fields, *other.fields),
            matters=(*self.matters, *other.matters),
            consent_or_money=(*self.consent_or_money, *other.consent_or_money),
            foreign={**other.foreign, **self.foreign},
            elsewhere=self.elsewhere,
            renamed=self.renamed,
            left_out=self.left_out,
        )

    known: frozenset[str] = field(init=False)
    """All names that a rule of their own judges."""
    folded: _Folded = field(init=False)
    all_matters: frozenset[str] = field(init=False)
    folded_not_here: Mapping[str, str] = field(init=False)


def field_meant(name: str, vocabulary: Vocabulary) -> str | None:
    """The field for which an unknown name may stand (rules 1 and 4 to 8); None if for none."""
    folded = fold(name)
    if name in vocabulary.renamed:
        return vocabulary.renamed[name]
    if folded in vocabulary.foreign:
        meant = vocabulary.foreign[folded]
        return None if meant.startswith("-") else meant.partition(".")[0]
    if folded in vocabulary.user_ids:
        return "user_id"
    if folded in vocabulary.wishes:
        return "consent_data"
    known = vocabulary.folded.field_of.get(folded) or vocabulary.folded_not_here.get(folded)
    return (
        known
        or vocabulary.folded.numbered(folded)
        or next(iter(vocabulary.folded.near(folded)), None)
    )


# Before the fields are checked


class Spelling(NamedTuple):
    """A name that is read as a field."""

    field: str
    is_former: bool
    """Whether it is the field's old name (rule 1)."""


class Resolved(NamedTuple):
    """An event's fields under their own names, and the names that are to be judged."""

    vocabulary: Vocabulary
    fields: Mapping[str, Any]
    spellings: Mapping[str, Spelling] = MappingProxyType({})
    """Names that were read as a field."""
    placeholders: Sequence[str] = ()
    """Fields in whose place another spelling was read, because they held a placeholder (G4)."""
    doubled: Mapping[str, str] = MappingProxyType({})
    """Names of which two stand for one field, and that field (rule 5)."""
    unknown: Sequence[str] = ()
    """Names for `report`, in the order of the event."""


def resolve(
    event: Mapping[str, Any], vocabulary: Vocabulary, is_given: Callable[[str, object], bool]
) -> Resolved:
    """Rules 1 and 5: each field with its value, also where that has another name.

    `is_given` tells whether a field's value counts as given.
    """
    if vocabulary.known.issuperset(event):
        return Resolved(vocabulary, event)
    unknown = [
        name
        for name, value in event.items()
        if name not in vocabulary.known and not is_absent(value)
    ]
    readings = _Readings(event, vocabulary, is_given)
    former = [name for name in unknown if name in vocabulary.renamed]
    readings.take_former_names(former)
    readings.take_spellings([name for name in unknown if name not in vocabulary.renamed])
    return readings.resolved([name for name in unknown if name not in readings.settled])


class _Readings:
    """The names of one event that are read as fields, while they are being found."""

    def __init__(
        self,
        event: Mapping[str, Any],
        vocabulary: Vocabulary,
        is_given: Callable[[str, object], bool],
    ) -> None:
        self._event = event
        self._vocabulary = vocabulary
        self._is_given = is_given
        self._spellings: dict[str, Spelling] = {}
        self._doubled: dict[str, str] = {}
        self.settled: set[str] = set()
        """Names that need not be judged any more."""

    def take_former_names(self, names: Sequence[str]) -> None:
        """Rule 1."""
        for name in names:
            known = self._vocabulary.renamed[name]
            if read(self._event[name], ID).value is None:  # gives nothing: as if it were not there
                self.settled.add(name)
            elif not self._is_given(known, self._event.get(known)):
                self._take(name, Spelling(known, is_former=True))

    def take_spellings(self, names: Sequence[str]) -> None:
        """Rule 5."""
        taken = {spelling.field for spelling in self._spellings.values()}
        by_field: dict[str, list[str]] = {}
        for name in names:
            known = self._vocabulary.folded.field_of.get(fold(name))
            if known is not None and known not in taken and name not in self._vocabulary.left_out:
                by_field.setdefault(known, []).append(name)
        for known, spelt in by_field.items():
            value = self._event.get(known)
            if self._is_given(known, value):
                continue
            if len(spelt) > 1:
                self._doubled.update(dict.fromkeys(spelt, known))
            elif value is not None and is_absent(value) and _may_not_be_blank(known):
                self.settled.add(spelt[0])  # the blank value stands, and is refused
            else:
                self._take(spelt[0], Spelling(known, is_former=False))

    def _take(self, name: str, spelling: Spelling) -> None:
        self._spellings[name] = spelling
        self.settled.add(name)

    def resolved(self, unknown: Sequence[str]) -> Resolved:
        """The event's fields under their own names."""
        replaced = {spelling.field for spelling in self._spellings.values()}
        fields: dict[str, Any] = {}
        for name, value in self._event.items():
            if name in self._spellings:
                fields[self._spellings[name].field] = value
            elif name in self._vocabulary.known and name not in replaced:
                fields[name] = value
        placeholders = [known for known in replaced if not is_absent(self._event.get(known))]
        return Resolved(
            self._vocabulary, fields, self._spellings, sorted(placeholders), self._doubled, unknown
        )


def _may_not_be_blank(known: str) -> bool:
    form = FORMS.get(known)
    return form is not None and form.blank_is_wrong


# After the fields are checked


def report(
    resolved: Resolved,
    sent: Collection[str],
    is_given: Callable[[str], bool],
    findings: Findings,
) -> None:
    """Says what became of each name that is no field's.

    `sent` are the fields of the payload; `is_given` tells whether the event gives a field, or
    something inside of one (`eventValue.af_revenue`, `user_id.appsflyer_id`).
    """
    vocabulary = resolved.vocabulary
    for name, spelling in resolved.spellings.items():
        if any(known in sent for known in HASHES_OF.get(spelling.field, (spelling.field,))):
            was = "the old name" if spelling.is_former else "another spelling"
            findings.repair(
                vocabulary.rule, showable(name), f"is {was} of {spelling.field}; read as that"
            )
    judge = _Judge(resolved, is_given)
    more: list[Severity] = []
    for number, name in enumerate(resolved.unknown):
        judged = judge.of(name)
        if judged is None:
            continue
        severity, message = judged
        if number >= _MOST:
            more.append(severity)
        elif severity is Severity.REJECT:
            findings.reject(vocabulary.rule, showable(name), message)
        else:
            findings.warn(vocabulary.rule, showable(name), message)
    _report_more(more, vocabulary, findings)


def _report_more(more: Sequence[Severity], vocabulary: Vocabulary, findings: Findings) -> None:
    """One finding for the names beyond the first twenty."""
    refused = more.count(Severity.REJECT)
    if refused:
        findings.reject(
            vocabulary.rule, "event", f"holds {refused} more names that stand for a field of "
            "AppsFlyer's: send each under the field's own name",
        )  # fmt: skip
    elif more:
        findings.warn(
            vocabulary.rule, "event", f"holds {len(more)} more fields that AppsFlyer does not "
            "take: left out",
        )  # fmt: skip


_Judgement = tuple[Severity, str]


class _Judge:
    """The rules, in their order, for the names of one event that were not read as a field."""

    def __init__(self, resolved: Resolved, is_given: Callable[[str], bool]) -> None:
        self._doubled = resolved.doubled
        self._vocabulary = resolved.vocabulary
        self._is_given = is_given

    def of(self, name: str) -> _Judgement | None:  # noqa: PLR0911 - a rule each
        """What is to be said of a name; None if another finding has said it."""
        vocabulary, folded = self._vocabulary, fold(name)
        if name in vocabulary.renamed:
            return _warn(f"is the old name of {vocabulary.renamed[name]}, which is sent: left out")
        if name in vocabulary.left_out:
            return _warn(vocabulary.left_out[name])
        if folded in vocabulary.user_ids:
            return self._of_user_id(vocabulary.user_ids[folded])
        if name in self._doubled:
            return _reject(
                f"is one of several spellings of {self._doubled[name]}, and which of them is meant "
                "cannot be told: send it once, under that name"
            )
        if folded in vocabulary.folded.field_of:
            known = vocabulary.folded.field_of[folded]
            return _warn(f"is another spelling of {known}, which the event holds too: left out")
        if folded in vocabulary.folded_not_here:
            known = vocabulary.folded_not_here[folded]
            return _reject(f"stands for {known}, which a visit cannot have: send a web event")
        if folded in vocabulary.wishes:
            return _reject(
                "says how a person wants to be treated, and AppsFlyer's web API has no field for "
                "it: do not send events of people who did not agree, and leave it out for others"
            )
        if folded in vocabulary.foreign:
            return self._of_foreign(vocabulary.foreign[folded])
        return self._of_stranger(folded)

    def _of_user_id(self, known: str) -> _Judgement | None:
        """Rule 4."""
        if not any(map(self._is_given, self._vocabulary.user_ids.values())):
            return None  # W1 names it
        return self._of_foreign(known)

    def _of_foreign(self, known: str) -> _Judgement:
        """Rule 6."""
        if known.startswith("-"):
            return _warn(f"is not a field that AppsFlyer takes: left out{known[1:]}")
        if self._is_given(known):
            return _warn(
                f"is not a field that AppsFlyer takes: left out, because the event gives {known}"
            )
        return _reject(f"is not a field that AppsFlyer takes: did you mean {known}?")

    def _of_stranger(self, folded: str) -> _Judgement:
        """Rules 7, 8 and 9."""
        vocabulary = self._vocabulary
        numbered = vocabulary.folded.numbered(folded)
        if numbered is not None and (
            numbered not in vocabulary.consent_or_money or self._is_given(numbered)
        ):
            return _warn(f"is a further {numbered}, and AppsFlyer takes one: left out")
        near = vocabulary.folded.near(folded)
        for known in near:
            if known in vocabulary.all_matters and not self._is_given(known):
                return _reject(f"is not a field that AppsFlyer takes: did you mean {known}?")
        if near:
            return _warn(
                f"is not a field that AppsFlyer takes: left out; if {near[0]} is meant, "
                "send it under that name"
            )
        return _warn(f"is not a field that AppsFlyer takes: left out; {vocabulary.elsewhere}")


def _warn(message: str) -> _Judgement:
    return Severity.WARN, message


def _reject(message: str) -> _Judgement:
    return Severity.REJECT, message
