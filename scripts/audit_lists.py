"""What `scripts/audit` runs: pip-audit on each list of packages, and how old the authorities are.

`python -m scripts.audit_lists FOLDER [OPTIONS]`: the folder has a file for each of `LISTS`, and the
options are pip-audit's. One process for all, because to load pip-audit takes longer than to ask.
"""

import runpy
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from relay.http1.trust import OLD_DAYS, bundle_age_days, trust

LISTS = ("layer", "development", "sam-cli")
"""One by one: pip-audit accepts each package in one version only."""

# With hashes, nothing has to be resolved. Without --strict, what the service does not know passes.
OPTIONS = ("--progress-spinner", "off", "--strict", "--require-hashes", "--disable-pip")
_FAILED = """\
Not passed: {}.
Above is either a vulnerability, with the version that mends it, or a package
that the service did not answer for. Another one: make audit AUDIT='-s osv'"""
_OLD = ": take a newer one with `scripts/uv lock --upgrade-package certifi && make lock`"


def passes(requirements: Path, options: Sequence[str]) -> bool:
    """Whether pip-audit could look up all of a list, and knows of nothing wrong with it."""
    sys.argv = ["pip-audit", *OPTIONS, *options, "-r", str(requirements)]
    try:
        runpy.run_module("pip_audit", run_name="__main__")
    except SystemExit as end:
        return not end.code
    except Exception:  # noqa: BLE001 - an answer that it cannot read ends this list, and no other
        traceback.print_exc()
        return False
    finally:
        sys.stdout.flush()  # what it says of a list stays below the list's name
    return True


def authorities() -> str:
    """How old the list of certificate authorities is, and what to do when it is too old.

    No advisory names it: an old one has authorities that lost Mozilla's trust.
    """
    age = bundle_age_days(datetime.now(UTC).date())
    advice = _OLD if age > OLD_DAYS else ""
    return f"certificate authorities: {trust((), {}).source}, {age} days old{advice}"


def main() -> None:
    """Check each list, whatever comes of the others."""
    folder, *options = sys.argv[1:]
    failed = []
    for name in LISTS:
        print(f"{name}:", file=sys.stderr)
        if not passes(Path(folder, name), options):
            failed.append(name)
    print(authorities(), file=sys.stderr)
    if failed:
        sys.exit(_FAILED.format(" ".join(failed)))


if __name__ == "__main__":
    main()
