from datetime import datetime

import pytest
from botocore.credentials import ReadOnlyCredentials

from relay.aws.sigv4 import signed_headers

HOST = "dynamodb.eu-central-1.amazonaws.com"
BODY = b'{"TableName":"t","text":"\xc3\xbc"}'


@pytest.mark.parametrize(
    ("token", "signature"),
    [
        (None, "67db9a48cf1d2d00ea9bad353ec55745cd7afaece4e3490a238fd48ca7db7d3f"),
        (
            "session/token+of=Lambda",
            "f386038a51570f4cacead32d0944c7a049e0f95dbfc6ddc30dc2b72c3a5eedca",
        ),
    ],
    ids=["user", "role"],
)
def test_request_is_signed_with_its_host_operation_body_and_token(
    monkeypatch: pytest.MonkeyPatch, token: str | None, signature: str
) -> None:
    """Signatures of a signer written from AWS's own description."""
    monkeypatch.setattr(
        "botocore.auth.get_current_datetime",
        lambda **_: datetime(2026, 3, 2, 12),  # noqa: DTZ001
    )
    key = ReadOnlyCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI/EXAMPLEKEY", token)

    signed = signed_headers(
        key, "eu-central-1", f"https://{HOST}/", "DynamoDB_20120810.PutItem", BODY
    )

    headers = {name.lower(): value for name, value in signed}
    assert headers["authorization"].endswith(f"Signature={signature}")
    assert headers["x-amz-date"] == "20260302T120000Z"
    assert headers.get("x-amz-security-token") == token
