"""The HTTP API: its routes and its throttle."""

from collections.abc import Mapping

from tests.support.template import Json


def test_api_has_exactly_the_documented_routes(routes: Mapping[tuple[str, str], Json]) -> None:
    assert set(routes) == {
        ("POST", "/v1/mobile/{app_id}/events"),
        ("POST", "/v1/web/{app_id}/events"),
        ("POST", "/v1/web/{app_id}/visits"),
        ("GET", "/v1/health"),
        ("POST", "/v1/payments/{provider}/{source}"),
        ("POST", "/v1/appsflyer/installs/{app_id}"),
        ("GET", "/v1/appsflyer/installs/{app_id}"),
    }


def test_api_speaks_payload_format_2_on_every_route(
    routes: Mapping[tuple[str, str], Json],
) -> None:
    integrations = [one["x-amazon-apigateway-integration"] for one in routes.values()]

    assert {one["payloadFormatVersion"] for one in integrations} == {"2.0"}


def test_api_is_throttled_by_the_parameters_on_the_one_stage_that_it_has(
    translated: Json,
) -> None:
    stages = [
        one["Properties"]
        for one in translated["Resources"].values()
        if one["Type"] == "AWS::ApiGatewayV2::Stage"
    ]

    assert [(stage["StageName"], stage["DefaultRouteSettings"]) for stage in stages] == [
        (
            "$default",
            {
                "ThrottlingRateLimit": {"Ref": "ThrottleRate"},
                "ThrottlingBurstLimit": {"Ref": "ThrottleBurst"},
            },
        )
    ]
