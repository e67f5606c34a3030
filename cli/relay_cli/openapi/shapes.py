"""JSON Schema for the types of the layer's responses.

It supports what these use: `TypedDict` with `Annotated[..., "description"]`, lists, literals,
strings and integers.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

Schema = dict[str, Any]

_PLAIN = {str: "string", int: "integer", bool: "boolean"}


class Components:
    """The named schemas of a document, each written once."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}

    def ref(self, shape: Any) -> Schema:
        """A reference to the schema of a `TypedDict` or `NamedTuple`, which is added if missing."""
        name = shape.__name__.removesuffix("Content")
        if name not in self.schemas:
            self.schemas[name] = {}  # for a type that contains itself
            self.schemas[name] = self._object(shape)
        return reference(name)

    def add(self, name: str, schema: Schema) -> Schema:
        """Adds a schema under a name, and returns a reference to it."""
        self.schemas[name] = schema
        return reference(name)

    def of(self, form: Any) -> Schema:
        """The schema of any type in a response; raises `TypeError` for unsupported types."""
        if form in _PLAIN:
            return {"type": _PLAIN[form]}
        if is_typeddict(form):
            return self.ref(form)
        if isinstance(form, type) and issubclass(form, StrEnum):
            return {"type": "string", "enum": [member.value for member in form]}
        match get_origin(form):
            case origin if origin is Annotated:
                return self._annotated(form)
            case origin if origin in (NotRequired, Required):
                return self.of(get_args(form)[0])
            case origin if origin is Literal:
                return {"type": "string", "enum": list(get_args(form))}
            case origin if origin is list:
                return {"type": "array", "items": self.of(get_args(form)[0])}
        raise TypeError(f"no JSON Schema is known for {form}")

    def _annotated(self, form: Any) -> Schema:
        """A string is the description; a class is the type of a list's items."""
        inner, *notes = get_args(form)
        shapes = [note for note in notes if isinstance(note, type)]
        if shapes:
            schema: Schema = {"type": "array", "items": self.ref(shapes[0])}
        else:
            schema = self.of(inner)
        descriptions = [note for note in notes if isinstance(note, str)]
        return {**schema, "description": descriptions[-1]} if descriptions else schema

    def _object(self, shape: Any) -> Schema:
        hints: Mapping[str, Any] = get_type_hints(shape, include_extras=True)
        optional: frozenset[str] = getattr(shape, "__optional_keys__", frozenset())
        return {
            "description": description_of(shape),
            "type": "object",
            "properties": {name: self.of(form) for name, form in hints.items()},
            "required": [name for name in hints if name not in optional],
        }


def reference(name: str) -> Schema:
    """A reference to a named schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def description_of(shape: Any) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((shape.__doc__ or "").split("\n\n")[0].split())
