"""Run once, before functions' processes are forked: what they read and do not change is shared.

botocore reads its models of AWS's services from files, for each session anew. Here all that a
process makes get them from one loader, which has read those of the services that functions use.
Run by its path, in a process that must not see this package.
"""

import functools
from collections.abc import Iterable

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config

_SERVICES = ("dynamodb", "sqs", "ssm")


def share_models(services: Iterable[str]) -> None:
    """Have botocore make one loader, and that one read what clients of these services need."""
    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    session = botocore.session.Session()
    for service in services:
        session.create_client(service, "us-east-1", config=Config(signature_version=UNSIGNED))


if __name__ == "__main__":
    share_models(_SERVICES)
