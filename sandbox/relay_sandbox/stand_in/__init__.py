"""The stand-in: a local AppsFlyer, which records, drops and fails like the real one.

    async with StandIn([Account(app_id="id123456789", tokens=("key",))]).server() as server:
        ...  # POST to server.url + "/inappevent/id123456789"

`GET /_standin` explains how to see what it recorded and how to make it fail.
"""

from relay_sandbox.stand_in.accounts import Account, Accounts
from relay_sandbox.stand_in.faults import Fault
from relay_sandbox.stand_in.ledger import Entry
from relay_sandbox.stand_in.server import StandIn

__all__ = ["Account", "Accounts", "Entry", "Fault", "StandIn"]
