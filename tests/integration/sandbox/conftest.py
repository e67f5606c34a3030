"""One local AWS for all sandbox tests that need nothing else; it takes 2 s to start."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from relay_sandbox.local_aws.aws import LocalAws


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def aws(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalAws]:
    async with LocalAws(tmp_path_factory.mktemp("aws") / "aws.log") as local:
        yield local
