import copy

import boto3
import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from tests.support.template import TEMPLATE, Json


@pytest.fixture(scope="session")
def translated() -> Json:
    """The template after SAM's transform: what CloudFormation gets to see."""
    source = copy.deepcopy(TEMPLATE)
    for resource in source["Resources"].values():
        for folder in {"CodeUri", "ContentUri"} & resource["Properties"].keys():
            resource["Properties"][folder] = "s3://bucket/code.zip"
    translator = Translator({}, Parser(), boto_session=boto3.Session())
    result: Json = translator.translate(source, {})
    return result


@pytest.fixture(scope="session")
def routes(translated: Json) -> dict[tuple[str, str], Json]:
    (api,) = (r for r in translated["Resources"].values() if r["Type"] == "AWS::ApiGatewayV2::Api")
    return {
        (method.upper(), path): operation
        for path, operations in api["Properties"]["Body"]["paths"].items()
        for method, operation in operations.items()
    }
