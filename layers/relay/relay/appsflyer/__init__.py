"""AppsFlyer over HTTP: the only package that speaks it, and the only one that imports httpx."""

from relay.appsflyer.client import Answer, Client
from relay.appsflyer.transport import make_transport

__all__ = ["Answer", "Client", "make_transport"]
