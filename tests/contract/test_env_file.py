"""events/env.json: `sam local` tells the functions what the template tells them on AWS."""

import json
from pathlib import Path

from tests.support.every import every
from tests.support.template import RESOURCES, SETTINGS, conditions, of_type, under, variables

ENV: dict[str, dict[str, str]] = json.loads(
    (Path(__file__).parents[2] / "events" / "env.json").read_text()
)
FUNCTIONS = sorted(SETTINGS)


def told(function: str) -> dict[str, str]:
    return ENV["Parameters"] | ENV[function]


def test_env_file_names_the_functions_of_the_template() -> None:
    assert ENV.keys() - {"Parameters"} == of_type("AWS::Serverless::Function").keys()


@every("function", FUNCTIONS)
def test_env_file_has_each_variable_of_the_template_and_no_other_but_for_aws(
    function: str,
) -> None:
    """SAM CLI passes over what the template does not have, without a word."""
    aws = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"}

    assert told(function).keys() - aws == variables(function).keys()


@every("function", FUNCTIONS)
def test_env_file_is_enough_for_a_function(function: str) -> None:
    SETTINGS[function].from_env(told(function) | {"AWS_SAM_LOCAL": "true"})


@every("function", FUNCTIONS)
def test_env_file_names_the_queue_or_table_that_the_template_refers_to(function: str) -> None:
    """By the names that they have in a sandbox, which are those of the template."""
    values = {name: under(one, conditions()) for name, one in variables(function).items()}
    references = {
        name: value["Ref"]
        for name, value in values.items()
        if isinstance(value, dict) and value.get("Ref") in RESOURCES
    }

    assert references
    assert {name: told(function)[name].rpartition("/")[2] for name in references} == references
