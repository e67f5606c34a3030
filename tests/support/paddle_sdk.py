"""What is wanted of Paddle's SDK, without the 770 modules of its API's client (0.4 s).

Its `__init__` loads them, whatever is asked for; so here the package stands without that.
"""

import sys
from importlib.util import find_spec
from types import ModuleType

_found = find_spec("paddle_billing")
assert _found is not None, "a dependency of development"
_package = ModuleType("paddle_billing")
_package.__path__ = list(_found.submodule_search_locations or ())
sys.modules.setdefault("paddle_billing", _package)

from paddle_billing.Entities.Events import EventTypeName  # noqa: E402 - see above
from paddle_billing.Notifications import PaddleSignature  # noqa: E402

__all__ = ["EventTypeName", "PaddleSignature"]
