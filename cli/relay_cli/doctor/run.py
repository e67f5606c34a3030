"""`relay doctor`: makes the checks, at once, and prints them."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

from rich.table import Table
from rich.text import Text

from relay.instants import utc_now
from relay_cli.clients.installation import Installation
from relay_cli.doctor import settings
from relay_cli.doctor.alarms import alarms
from relay_cli.doctor.check import Case, Check, bad
from relay_cli.doctor.layer import end_of_file, layer
from relay_cli.doctor.numbers import numbers
from relay_cli.doctor.queues import mappings, queues
from relay_cli.doctor.surroundings import api, clock
from relay_cli.terminal.console import printable, stdout_console
from relay_cli.terminal.errors import CliError, ExitCode

Group = tuple[Sequence[str], Callable[[Case], Sequence[Check]]]

POLICY: Final = "docs/doctor-policy.json"
"""What `relay doctor` must be allowed to do."""


def _one(name: str, check: Callable[[Case], Check]) -> Group:
    return (name,), lambda case: [check(case)]


EVERYWHERE: Final[Sequence[Group]] = (
    (settings.NAMES, settings.settings_checks),
    _one("queues", queues),
    _one("mappings", mappings),
    _one("api", api),
    _one("clock", clock),
)
OF_A_STACK: Final[Sequence[Group]] = (
    _one("alarms", alarms),
    _one("layer", layer),
    _one("numbers", numbers),
)
"""A sandbox has no alarms, no layer and no metrics."""


def examine(
    installation: Installation,
    now: datetime,
    download: Callable[[str], bytes] = end_of_file,
) -> list[Check]:
    """All checks that the installation can have; one that cannot be made says so."""
    groups = [*EVERYWHERE, *(OF_A_STACK if installation.stack else ())]
    case = Case(installation, now, download)
    with ThreadPoolExecutor(len(groups)) as threads:
        results = threads.map(lambda group: _made(case, *group), groups)
        return [check for checks in results for check in checks]


def doctor(installation: Installation, *, as_json: bool) -> ExitCode:
    """Prints the checks; FAILED unless all are ok."""
    checks = examine(installation, utc_now())
    if as_json:
        content = {"checks": [check._asdict() for check in checks]}
        print(json.dumps(content, ensure_ascii=False))  # noqa: T201 - one object, whatever the width
    else:
        _show(checks, installation.origin)
    return ExitCode.OK if all(check.ok for check in checks) else ExitCode.FAILED


def _made(
    case: Case, names: Sequence[str], make: Callable[[Case], Sequence[Check]]
) -> Sequence[Check]:
    try:
        return make(case)
    except CliError as error:
        return [bad(name, f"cannot be told: {error}", _advice(error)) for name in names]
    except Exception as error:  # noqa: BLE001 - its text may hold anything; the other checks go on
        what = f"cannot be told: what AWS answered is not understood ({type(error).__name__})"
        return [bad(name, what, "report it as a bug") for name in names]


def _advice(error: CliError) -> str:
    text = str(error)
    if "AccessDenied" in text or "not authorized" in text or "AuthorizationError" in text:
        return f"allow it: {POLICY} is all that this command needs"
    return "see that AWS and the network are up, and try again"


def _show(checks: Sequence[Check], origin: str) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="heading")
    table.add_column(overflow="fold")
    for one in checks:
        text = Text(printable(one.what))
        if one.do:
            text.append(f"\n→ {printable(one.do)}", "warn")
        table.add_row(Text("✓", "good") if one.ok else Text("✗", "bad"), one.name, text)
    console = stdout_console()
    console.print(table)
    bad = sum(not one.ok for one in checks)
    end = f"{bad} of {len(checks)} checks need somebody" if bad else f"{len(checks)} checks, all ok"
    console.print(Text(f"{end}: {origin}.", "heading"))
