"""Write out the loops of a template, as CloudFormation does before it applies SAM's transform.

CloudFormation's transform `AWS::LanguageExtensions` runs nowhere but there. This is the part of it
that our loops need: `Fn::ForEach`, and what names the item in one: `Ref`, `Fn::Sub` and
`Fn::FindInMap`. Its rules:
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from relay_sandbox.errors import SandboxError

TRANSFORM = "AWS::LanguageExtensions"
_LOOP = "Fn::ForEach::"
_PARTS = ("Conditions", "Resources", "Outputs")  # where CloudFormation takes loops
_PLACE = re.compile(r"\$\{([^!}][^}]*)\}")

Json = dict[str, Any]


def expanded(template: Json) -> Json:
    """Return a template with its loops written out; all else is as it was, in the same order.

    What is written out needs no transform, so that is taken out of the list. Raises `SandboxError`
    for a loop that CloudFormation would refuse, and for one that goes over a parameter: no value of
    a parameter is known here.
    """
    transforms = _listed(template.get("Transform"))
    if TRANSFORM not in transforms:
        _refuse_loops(template)
        return template
    if transforms[0] != TRANSFORM:
        raise SandboxError(f"Transform must name {TRANSFORM} first: SAM's cannot read loops")
    scope = _Scope(template.get("Mappings", {}))
    parts = {name: scope.expand(template[name]) for name in _PARTS if name in template}
    return template | parts | {"Transform": transforms[1:]}


@dataclass(frozen=True)
class _Scope:
    """What is known at one place: the template's tables, and the item of each loop around it."""

    tables: Json
    items: Mapping[str, str] = field(default_factory=dict)

    def expand(self, value: Any) -> Any:
        match value:
            case {"Ref": name, **rest} if not rest:
                return self._ref(self.expand(name))
            case {"Fn::Sub": str(text) | [str(text)], **rest} if not rest:
                return self._sub(text, {})
            case {"Fn::Sub": [str(text), dict(variables)], **rest} if not rest:
                return self._sub(text, self.expand(variables))
            case {"Fn::FindInMap": [table, key, attribute], **rest} if not rest:
                return self._found(*map(self.expand, (table, key, attribute)))
            case dict():
                return _once(self.entries(value))
            case list():
                return [self.expand(one) for one in value]
        return value

    def entries(self, value: Json) -> Iterator[tuple[str, Any]]:
        """Yield the entries of an object, those of its loops in their place."""
        for key, inner in value.items():
            if str(key).startswith(_LOOP):
                yield from self._loop(key, inner)
            else:
                yield _filled(key, self.items), self.expand(inner)

    def _loop(self, key: str, loop: Any) -> Iterator[tuple[str, Any]]:
        match loop:
            case [str(name), list(items), dict(body)] if all(isinstance(i, str) for i in items):
                for item in items:
                    yield from _Scope(self.tables, {**self.items, name: item}).entries(body)
            case _:
                raise SandboxError(
                    f"{key} must be a name, a list of words, and what to write for each of them"
                )

    def _ref(self, name: Any) -> Any:
        return self.items[name] if isinstance(name, str) and name in self.items else {"Ref": name}

    def _sub(self, text: str, variables: Json) -> Any:
        known = {name: str(one) for name, one in variables.items() if _is_plain(one)}
        left = {name: one for name, one in variables.items() if name not in known}
        text = _filled(text, {**self.items, **known})
        if left:
            return {"Fn::Sub": [text, left]}
        return {"Fn::Sub": text} if "${" in text else text

    def _found(self, *keys: Any) -> Any:
        """What the table holds; the question as it was, if only the stack can answer it."""
        if not all(map(_is_plain, keys)):
            return {"Fn::FindInMap": [*keys]}
        table, key, attribute = keys
        try:
            return self.tables[table][key][attribute]
        except KeyError as error:
            raise SandboxError(f"Mappings, {table}: there is no {error.args[0]}") from error


def _once(entries: Iterator[tuple[str, Any]]) -> Json:
    result: Json = {}
    for key, value in entries:
        if key in result:
            raise SandboxError(f"loops write {key} twice")
        result[key] = value
    return result


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: values.get(place[1], place[0]), text)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _refuse_loops(template: Json) -> None:
    for part in _PARTS:
        for key in template.get(part, {}):
            if key.startswith(_LOOP):
                raise SandboxError(f"{key} wants {TRANSFORM} first under Transform")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
