"""The process of the local AWS: moto's server on the loopback interface.

Its first line of output is the port, printed once it is ready; after that it only prints warnings.
All services are loaded before that, so that the first call to each is as fast as later ones.
"""

from __future__ import annotations

import functools
import importlib
import os
import warnings
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

PORT_VARIABLE = "SANDBOX_AWS_PORT"

_SERVICES = ("sqs", "ssm", "cloudformation", "awslambda", "iam", "logs", "dynamodb")


class _QuietHandler(WSGIRequestHandler):
    """Serves requests without logging each of them."""

    def log_request(self, *_: Any) -> None:
        """Log nothing."""


def serve() -> None:
    """Serve until the process is killed."""
    # moto warns about resources that it left out; `template` has left them out on purpose.
    warnings.simplefilter("ignore")
    for service in _SERVICES:
        importlib.import_module(f"moto.{service}.models")
        importlib.import_module(f"moto.{service}.responses")
    importlib.import_module("relay_sandbox.local_aws.moto_partiql").patch_moto()
    werkzeug_app = importlib.import_module("moto.moto_server.werkzeug_app")
    application = werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app)
    # Uncached, each request would walk moto's folders and match hundreds of patterns.
    application.get_backend_for_host = functools.cache(application.get_backend_for_host)
    port = int(os.environ.get(PORT_VARIABLE, "0"))
    server = make_server(
        "127.0.0.1", port, application, threaded=True, request_handler=_QuietHandler
    )
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve()
