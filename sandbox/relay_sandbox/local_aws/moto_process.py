"""The process that the local AWS runs in: moto's server on the loopback interface.

Its first line of output is the port, printed once it answers; after that it prints nothing but
warnings. All services are loaded before that, so that the first call of each is as quick as the
others.
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
    """Answers without a line of log a request."""

    def log_request(self, *_: Any) -> None:
        """Say nothing."""


def serve() -> None:
    """Serve until the process is killed."""
    # moto says with a warning that it left a resource out; `template` has chosen those already.
    warnings.simplefilter("ignore")
    for service in _SERVICES:
        importlib.import_module(f"moto.{service}.models")
        importlib.import_module(f"moto.{service}.responses")
    importlib.import_module("relay_sandbox.local_aws.moto_partiql").patch_moto()
    werkzeug_app = importlib.import_module("moto.moto_server.werkzeug_app")
    application = werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app)
    # By a walk through its folders and some hundred patterns, for each request.
    application.get_backend_for_host = functools.cache(application.get_backend_for_host)
    port = int(os.environ.get(PORT_VARIABLE, "0"))
    server = make_server(
        "127.0.0.1", port, application, threaded=True, request_handler=_QuietHandler
    )
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve()
