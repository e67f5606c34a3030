"""The libraries of Lambda's Python runtime: its client, boto3, and their dependencies.

The tests and `make sam-local` give a function only these libraries of the locked environment, so
everything else that it imports must be in the layer.
"""

import importlib.metadata
import shutil
from collections.abc import Iterator
from pathlib import Path

_DISTRIBUTIONS = (
    *("awslambdaric", "simplejson", "snapshot-restore-py"),
    *("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3"),
)


def link_into(folder: Path) -> Path:
    """Make a folder of links to the runtime's libraries, for use in PYTHONPATH."""
    folder.mkdir()
    for part in _parts():
        (folder / part.name).symlink_to(part)
    return folder


def copy_into(folder: Path) -> None:
    """Copy the runtime's libraries into a new folder."""
    folder.mkdir(parents=True)
    for part in _parts():
        if part.is_dir():
            shutil.copytree(part, folder / part.name)
        else:
            shutil.copy2(part, folder)


def _parts() -> Iterator[Path]:
    """Yield the packages and modules of the distributions, each once."""
    for name in _DISTRIBUTIONS:
        distribution = importlib.metadata.distribution(name)
        for part in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            yield Path(str(distribution.locate_file(part)))
