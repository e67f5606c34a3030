"""What several integration tests need, and what is worth making once."""

import pytest

from tests.integration.emulator import Build, build


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The functions and the layer, as `sam build` makes them for this machine (about 6 s)."""
    return build(tmp_path_factory.mktemp("built"))
