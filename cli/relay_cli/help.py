"""The help of every command: what it does, what it takes, an example, the exit codes once.

As plain text for terminals, and as the page docs/cli.md (`make docs`). Typer's own help is three
columns in a frame, which leaves little of 80 for words.
"""

import inspect
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from typer.core import TyperCommand, TyperGroup

from relay_cli.examples import EXAMPLES

EXIT_CODES: Final = (
    "Exit codes: 0 = all went as it should. 1 = something was rejected, not taken, or did not end "
    "as expected. 2 = nothing could be done: a file, an option or an address is of no use."
)
_INDENT: Final = "  "
_NAMES: Final = 22
"""Columns for names; longer ones have a line of their own."""


class Row(NamedTuple):
    """An argument, an option or a command, and what it is."""

    names: str
    text: str


@dataclass(frozen=True)
class Help:
    """What there is to say about one command."""

    path: str
    """`relay dlq list`."""
    usage: str
    about: Sequence[str]
    """Paragraphs; the first one is a sentence."""
    arguments: Sequence[Row]
    options: Sequence[Row]
    commands: Sequence[Row]
    examples: Sequence[str]


class Command(TyperCommand):
    """A command with our help."""

    def remarks(self) -> list[str]:
        """Further paragraphs, which may take time to find out."""
        return []

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Writes the usage, which an error begins with too."""
        formatter.write_usage(ctx.command_path, _usage(self, ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the help."""
        formatter.write(as_text(help_of(self, ctx), formatter.width))


class Group(TyperGroup):
    """A group of commands with our help."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Writes the usage, which an error begins with too."""
        formatter.write_usage(ctx.command_path, _usage(self, ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the help."""
        formatter.write(as_text(help_of(self, ctx), formatter.width))


def help_of(command: Any, ctx: Any) -> Help:
    """What there is to say about a command, in its context."""
    path: str = ctx.command_path
    parameters = [one for one in command.get_params(ctx) if not getattr(one, "hidden", False)]
    remarks = command.remarks() if isinstance(command, Command) else []
    return Help(
        path=path,
        usage=_usage(command, ctx),
        about=[*_paragraphs(command.help or ""), *remarks],
        arguments=[Row(_argument(one), _text(one)) for one in parameters if _is_argument(one)],
        options=[Row(_option(one), _text(one)) for one in parameters if not _is_argument(one)],
        commands=[
            Row(name, _paragraphs(one.help or "")[0])
            for name, one in getattr(command, "commands", {}).items()
        ],
        examples=EXAMPLES.get(path, ()),
    )


def _paragraphs(text: str) -> list[str]:
    parts = inspect.cleandoc(text).split("\n\n")
    return [" ".join(part.split()) for part in parts]


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _usage(command: Any, ctx: Any) -> str:
    parameters = command.get_params(ctx)
    arguments = [
        _argument(one) if one.required else f"[{_argument(one)}]"
        for one in parameters
        if _is_argument(one)
    ]
    rest = ["COMMAND ..."] if isinstance(command, TyperGroup) else []
    return " ".join(["[OPTIONS]", *arguments, *rest])


def metavar(parameter: Any) -> str:
    """The word for a value: upper-case, what it is, by default the last word of its name."""
    given: str | None = parameter.metavar
    return given or str(parameter.name.strip("_").rpartition("_")[2]).upper()


def _argument(parameter: Any) -> str:
    name = metavar(parameter).removesuffix("...")
    return name if parameter.nargs == 1 else f"{name}..."


def _option(parameter: Any) -> str:
    names = ", ".join(sorted(parameter.opts, key=len))
    return names if parameter.is_flag else f"{names} {metavar(parameter)}"


def _text(parameter: Any) -> str:
    return " ".join([parameter.help or "", *_facts(parameter)]).strip()


def _facts(parameter: Any) -> Iterator[str]:
    """What is true of a value by its declaration."""
    if choices := _choices(parameter):
        yield f"One of {', '.join(choices)}."
    if getattr(parameter, "multiple", False) and "repeated" not in (parameter.help or ""):
        yield "May be repeated."
    if not _is_argument(parameter) and parameter.required:
        yield "Required."
    if (default := _default(parameter)) is not None:
        yield f"[default: {default}]"


def _choices(parameter: Any) -> list[str]:
    for described in (getattr(parameter, name, None) for name in ("type_descriptor", "type")):
        if choices := getattr(described, "choices", None):
            return [str(getattr(choice, "value", choice)) for choice in choices]
    return []


def _default(parameter: Any) -> str | None:
    shown = getattr(parameter, "show_default", False)
    if isinstance(shown, str):
        return shown
    default = parameter.default
    if not shown or default in (None, "") or getattr(parameter, "is_flag", False):
        return None
    return f"{default:g}" if isinstance(default, float) else str(default)


def as_text(told: Help, width: int) -> str:
    """The help for a terminal of this width."""
    return "\n".join(_lines(told, width)) + "\n"


def _lines(told: Help, width: int) -> Iterator[str]:
    yield from textwrap.wrap(f"Usage: {told.path} {told.usage}", width, subsequent_indent=_INDENT)
    for paragraph in told.about:
        yield ""
        yield from textwrap.wrap(paragraph, width, break_on_hyphens=False)
    titled = {"Arguments": told.arguments, "Options": told.options, "Commands": told.commands}
    for title, rows in titled.items():
        if rows:
            yield from ("", f"{title}:")
            for row in rows:
                yield from _row_lines(row, width)
    if told.examples:
        yield from ("", "Example:" if len(told.examples) == 1 else "Examples:")
        yield from (f"{_INDENT}{line}" for line in told.examples)
    yield ""
    yield from textwrap.wrap(EXIT_CODES, width)


def _row_lines(row: Row, width: int) -> Iterator[str]:
    indent = " " * (_NAMES + 2 * len(_INDENT))
    lines = textwrap.wrap(
        row.text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
    if len(row.names) > _NAMES or not lines:
        yield f"{_INDENT}{row.names}"
        yield from lines
    else:
        yield f"{_INDENT}{row.names:<{_NAMES}}{_INDENT}{lines[0].strip()}"
        yield from lines[1:]
