"""Which certificate authorities connections trust, and of when they are: one place says it.

For AppsFlyer and for AWS it is certifi's bundle, which the layer carries: Mozilla's list, with the
day it was taken as its version. httpx and boto3 choose it themselves, or what the first of these
variables names. Tests hold them to what is said here.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

import certifi

APPSFLYER: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
AWS: Final = ("AWS_CA_BUNDLE",)
OLD_DAYS: Final = 365
"""Above this age of the bundle, the log warns: authorities that lost Mozilla's trust are in it."""


class Trust(NamedTuple):
    """A file of certificate authorities, or a folder of such."""

    path: str
    source: str
    """certifi and its version, or the variable that names the path."""


def trust(variables: Sequence[str], environment: Mapping[str, str]) -> Trust:
    """The authorities that count for `APPSFLYER` or for `AWS`."""
    for variable in variables:
        if path := environment.get(variable):
            return Trust(path, variable)
    return Trust(certifi.where(), f"certifi {certifi.__version__}")


def bundle_age_days(today: date, version: str = certifi.__version__) -> int:
    """Days since the day that certifi's version names (`2026.10.18`, with or without more)."""
    year, month, day = (int(part) for part in version.split(".")[:3])
    return (today - date(year, month, day)).days
