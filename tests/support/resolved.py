"""A part of the template as CloudFormation resolves it for one stack."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.template import Json

_IN_TEXT = re.compile(r"\$\{([^!}]+)\}")


@dataclass(frozen=True)
class Surroundings:
    """What references mean: `known` holds parameters, pseudo parameters and resources' names."""

    known: Mapping[str, str]
    conditions: Mapping[str, Json]

    def holds(self, condition: Any) -> bool:
        """Whether a condition, or the one of a name, is true; raises ValueError if unknown."""
        match condition:
            case str():
                return self.holds(self.conditions[condition])
            case {"Condition": str(name)}:
                return self.holds(name)
            case {"Fn::Equals": [one, other]}:
                return bool(resolve(one, self) == resolve(other, self))
            case {"Fn::Not": [inner]}:
                return not self.holds(inner)
            case {"Fn::And": list(inner)}:
                return all(self.holds(one) for one in inner)
            case {"Fn::Or": list(inner)}:
                return any(self.holds(one) for one in inner)
        raise ValueError(f"no condition that is understood here: {condition!r}")


def resolve(value: Any, around: Surroundings) -> Any:
    """The value without functions; a resource that is not known by name gets one of its stack's."""
    match value:
        case {"Ref": "AWS::NoValue"}:
            return None
        case {"Ref": str(name)}:
            return _name(name, around)
        case {"Fn::If": [condition, yes, no]}:
            return resolve(yes if around.holds(condition) else no, around)
        case dict():
            text = _text(value, around)
            return {k: resolve(v, around) for k, v in value.items()} if text is None else text
        case list():
            found = [resolve(one, around) for one in value]
            return [one for one in found if one is not None]
    return value


def _text(value: Json, around: Surroundings) -> str | None:
    """What a function that makes text comes to; None if it is none."""
    match value:
        case {"Fn::GetAtt": [name, attribute]}:
            return f"{_name(name, around)}.{attribute}"
        case {"Fn::GetAtt": str(both)}:
            return _fill(f"${{{both}}}", around, {})
        case {"Fn::Join": [str(between), list(parts)]}:
            return between.join(str(resolve(part, around)) for part in parts)
        case {"Fn::Sub": [str(text), dict(own)]}:
            return _fill(text, around, {key: str(resolve(one, around)) for key, one in own.items()})
        case {"Fn::Sub": str(text)}:
            return _fill(text, around, {})
    return None


def _name(name: str, around: Surroundings) -> str:
    return around.known.get(name) or ("" if name in around.known else _made_up(name, around))


def _made_up(resource: str, around: Surroundings) -> str:
    return f"{around.known['AWS::StackName']}-{resource}-1A2B3C4D5E6F"


def _fill(text: str, around: Surroundings, own: Mapping[str, str]) -> str:
    def named(found: re.Match[str]) -> str:
        name, _, attribute = found[1].partition(".")
        value = own[name] if name in own else _name(name, around)
        return f"{value}.{attribute}" if attribute else value

    return _IN_TEXT.sub(named, text)


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Each text within a value, with the key that it stands at."""
    match value:
        case dict():
            for name, inner in value.items():
                yield from leaves(inner, name)
        case list():
            for inner in value:
                yield from leaves(inner, key)
        case str():
            yield key, value
