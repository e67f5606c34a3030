"""Sends to AppsFlyer's HTTP API. In the layer, only this package imports httpx."""

from relay.appsflyer.client import Client
from relay.appsflyer.transport import make_transport

__all__ = ["Client", "make_transport"]
