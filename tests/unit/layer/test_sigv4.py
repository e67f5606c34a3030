from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from relay.aws.sigv4 import Credentials, signed_headers

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOST = "dynamodb.eu-central-1.amazonaws.com"
TARGET = "DynamoDB_20120810.PutItem"


@pytest.mark.parametrize("token", [None, "session/token+of=Lambda"])
@pytest.mark.parametrize("body", [b"{}", b'{"TableName":"t","text":"\xc3\xbc"}'])
def test_signed_headers_have_the_signature_that_botocore_makes(
    monkeypatch: pytest.MonkeyPatch, body: bytes, token: str | None
) -> None:
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda **_: NOW.replace(tzinfo=None))
    request = AWSRequest("POST", f"https://{HOST}/", {"X-Amz-Target": TARGET}, body)
    given = BotocoreCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI/EXAMPLEKEY", token)
    SigV4Auth(given, "dynamodb", "eu-central-1").add_auth(request)
    key = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/EXAMPLEKEY", token, "eu-central-1", "dynamodb")

    headers = dict(signed_headers(key, HOST, TARGET, body, NOW))

    assert headers["authorization"] == request.headers["Authorization"]
    assert headers["x-amz-date"] == request.headers["X-Amz-Date"]
    assert headers.get("x-amz-security-token") == token


def test_credentials_do_not_show_what_is_secret() -> None:
    key = Credentials("AKIDEXAMPLE", "s3cret", "t0ken", "eu-central-1", "dynamodb")

    assert "s3cret" not in repr(key)
    assert "t0ken" not in str(key)
