"""AWS's Signature Version 4, for a POST to `/` with everything in its body. Pure.

botocore's signer takes 50 µs, a third of the cost of a whole event. This one takes 5; tests check
that both give the same signatures.
"""

import hashlib
import hmac
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


class Credentials(NamedTuple):
    """AWS credentials, for one region and one service."""

    access_key: str
    secret_key: str
    token: str | None
    region: str
    service: str

    def __repr__(self) -> str:
        return f"Credentials({self.region}, {self.service})"


def signed_headers(
    credentials: Credentials, host: str, target: str, body: bytes, now: datetime
) -> list[tuple[str, str]]:
    """The headers that sign a request to `host` for the operation `target`."""
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    headers = [("host", host), ("x-amz-date", moment)]
    if credentials.token:
        headers.append(("x-amz-security-token", credentials.token))
    headers.append(("x-amz-target", target))
    names = ";".join(name for name, _ in headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers)
    request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{moment[:8]}/{credentials.region}/{credentials.service}/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"{_ALGORITHM}\n{moment}\n{scope}\n{digest}"
    signature = hmac.digest(_key(credentials, moment[:8]), text.encode(), "sha256").hex()
    authorization = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return [*headers, ("authorization", authorization)]


@lru_cache(maxsize=4)
def _key(credentials: Credentials, day: str) -> bytes:
    """The signing key of one day."""
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (day, credentials.region, credentials.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
