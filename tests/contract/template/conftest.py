import pytest

from tests.support.template import Json, sam_template


@pytest.fixture(scope="session")
def translated() -> Json:
    """The template after SAM's transform: what CloudFormation gets to see."""
    return sam_template().transformed


@pytest.fixture(scope="session")
def routes(translated: Json) -> dict[tuple[str, str], Json]:
    (api,) = (r for r in translated["Resources"].values() if r["Type"] == "AWS::ApiGatewayV2::Api")
    return {
        (method.upper(), path): operation
        for path, operations in api["Properties"]["Body"]["paths"].items()
        for method, operation in operations.items()
    }
