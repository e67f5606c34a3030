"""The samples of `events/`, as the page offers them to begin with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from relay.errors import NotAnEnvelopeError
from relay.exact_json import dumps
from relay.instants import utc_now
from relay.messages.reader import parse_envelope
from relay_cli.samples import ACCEPT, FORWARD_MOBILE, FORWARD_WEB, Sample, read_samples, with_age
from relay_cli.terminal.errors import CliError
from relay_sandbox.page.answers import PageError


def samples(folder: Path) -> dict[str, Any]:
    """Every event of the samples, its time as old as its sample says; raises `PageError`."""
    try:
        found = read_samples(folder)
    except CliError as error:
        raise PageError(404, str(error)) from error
    wanted = [one for one in found if one.entry in {FORWARD_MOBILE, FORWARD_WEB, ACCEPT}]
    return {"samples": [event for sample in wanted for event in _events(sample)]}


def _events(sample: Sample) -> Iterator[dict[str, Any]]:
    for number, record in enumerate(sample.event.get("Records", ())):
        body = with_age(record["body"], sample.age_seconds, utc_now())
        try:
            envelope = parse_envelope(body)
        except NotAnEnvelopeError:
            continue
        yield {
            "name": sample.name,
            "number": number,
            "about": sample.description,
            "kind": envelope.kind.value,
            "app_id": envelope.app_id,
            "event_id": envelope.event_id,
            "text": json.dumps(json.loads(dumps(envelope.event)), indent=2, ensure_ascii=False),
            "expect": _expected(sample, number),
        }


def _expected(sample: Sample, number: int) -> Mapping[str, Any] | None:
    if number >= len(sample.expect):
        return None
    one = sample.expect[number]
    return {"outcome": one.outcome, "findings": list(one.findings)}
