"""AWS's Signature Version 4 by botocore's signer, for a POST to `/` with everything in its body."""

from collections.abc import Iterable
from typing import Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

SERVICE: Final = "dynamodb"


def signed_headers(
    credentials: ReadOnlyCredentials, region: str, url: str, target: str, body: bytes
) -> Iterable[tuple[str, str]]:
    """The headers that sign a request to `url` for DynamoDB's operation `target`.

    The time is botocore's own; `Host` is not among them.
    """
    request = AWSRequest("POST", url, {"X-Amz-Target": target}, body)
    SigV4Auth(credentials, SERVICE, region).add_auth(request)
    return request.headers.items()
