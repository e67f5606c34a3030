"""What a sandbox writes about itself is whole and its owner's. The command's tests do the rest."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from relay_sandbox.serve import write_atomically


def test_file_that_is_written_atomically_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ready.json"

    write_atomically(path, "{}")

    assert path.read_text() == "{}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_file_that_is_written_atomically_is_its_owners_whatever_was_there_before(
    tmp_path: Path,
) -> None:
    """Also where the umask allows everything, and where something lies in the way."""
    path, others = tmp_path / "ready.json", tmp_path / "others"
    for before in (path, others):
        before.write_text("old")
        before.chmod(0o666)
    (tmp_path / f".ready.json.{os.getpid()}").symlink_to(others)
    umask = os.umask(0)
    try:
        write_atomically(path, "{}")
    finally:
        os.umask(umask)

    assert path.read_text() == "{}"
    assert not path.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert others.read_text() == "old"


def test_file_that_cannot_be_written_atomically_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    path.mkdir()

    with pytest.raises(OSError, match="ready"):
        write_atomically(path, "{}")

    assert list(tmp_path.iterdir()) == [path]
