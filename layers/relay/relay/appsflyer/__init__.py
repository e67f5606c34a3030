"""AppsFlyer over HTTP: the only package that speaks it, and the only one that imports httpx."""

from relay.appsflyer.client import Client
from relay.appsflyer.transport import make_transport

__all__ = ["Client", "make_transport"]
