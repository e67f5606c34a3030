"""What may have happened to the body on its way: a signature covers its bytes, not its meaning."""

import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from typing import Any, Final

from relay.exact_json import InvalidJsonError, loads
from relay.payments.receive import MAX_BODY_BYTES
from relay_cli.payments.diagnosis.case import Case
from relay_cli.payments.diagnosis.secrets import all_mended

_MARK: Final = b"\xef\xbb\xbf"
_LONGEST: Final = MAX_BODY_BYTES
_LONGEST_WRITTEN: Final = 256 * 1024
"""Longer bodies are not written in all those forms: each takes its time."""
_INDENTS: Final[tuple[int | str | None, ...]] = (None, 2, 4, "\t")
_WRITTEN: Final = (
    "the body was changed on its way: written anew as JSON by something that read it. The "
    "signature covers each byte, so pass on the body as it came, before anything parses it"
)


def body_fault(case: Case) -> str | None:
    """What was done to the body, if the signature fits once that is undone."""
    if len(case.webhook.body) > _LONGEST:
        return None
    case = case.with_secrets(all_mended(case))
    for body, fault in _undone(case.webhook.body):
        if body != case.webhook.body and case.with_body(body).fits():
            return fault
    return None


def _undone(body: bytes) -> Iterator[tuple[bytes, str]]:
    changed = "the body was changed on its way: "
    yield body.removeprefix(_MARK), f"{changed}it got a byte order mark"
    yield body.strip(), f"{changed}it got white space or a line break around it"
    for end in (b"\n", b"\r\n"):
        yield body + end, f"{changed}it lost the line break at its end"
    yield body.replace(b"\r\n", b"\n"), f"{changed}its line breaks became those of Windows"
    lines = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    yield lines, f"{changed}its line breaks became those of Unix"
    yield from _encoded(body, changed)
    for text in _written_anew(body):
        yield text, _WRITTEN


def _encoded(body: bytes, changed: str) -> Iterator[tuple[bytes, str]]:
    """The body in what it may have been wrapped or encoded in."""
    with suppress(ValueError):
        yield b64decode(body, validate=True), "the body is in Base64: decode it before"
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return
    for charset in ("latin-1", "cp1252"):
        try:
            yield text.encode(charset), f"{changed}it was read in another encoding than UTF-8"
        except UnicodeEncodeError:
            continue
    content = _content(body)
    if isinstance(content, str):
        yield _utf8(content), "the body is JSON within a text of JSON: take that text"


def _written_anew(body: bytes) -> Iterator[bytes]:
    """The same content in the forms that programs write JSON in."""
    content = _content(body)
    if len(body) > _LONGEST_WRITTEN or not isinstance(content, dict | list):
        return
    for indent, is_ascii, is_sorted in product(_INDENTS, (False, True), (False, True)):
        compact = [(",", ":"), (", ", ": ")] if indent is None else [(",", ": ")]
        for separators in compact:
            text = json.dumps(
                content,
                indent=indent,
                ensure_ascii=is_ascii,
                sort_keys=is_sorted,
                separators=separators,
            )
            for written in dict.fromkeys((text, text.replace("/", "\\/"), _without_html(text))):
                yield _utf8(written)
                yield _utf8(written) + b"\n"


def _without_html(text: str) -> str:
    """As Go's library writes it."""
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _content(body: bytes) -> Any:
    """The content with floats as they are; None if it is no JSON that can be handled."""
    try:
        loads(body)  # bounds what is built
        return json.loads(body)
    except (InvalidJsonError, ValueError, RecursionError):
        return None


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def is_json(body: bytes) -> bool:
    """Whether a body is JSON at all."""
    try:
        loads(body)
    except InvalidJsonError:
        return False
    return True
