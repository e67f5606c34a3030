"""The process of the local AWS: moto's server on the loopback interface.

Its first line of output is the port, printed once it is ready; after that it only prints warnings.
All services are loaded before that, so that the first call to each is as fast as later ones. moto
would answer any web page, and let it read the answer: `guarded` stands before it.
"""

from __future__ import annotations

import functools
import gc
import importlib
import os
import sys
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import boto3
from werkzeug.serving import WSGIRequestHandler, make_server

from relay_sandbox.http.access import Access
from relay_sandbox.http.messages import Headers, Listener

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PORT_VARIABLE = "SANDBOX_AWS_PORT"
HOSTS_VARIABLE = "SANDBOX_ALLOW_HOSTS"  # with spaces between them
QUEUES_VARIABLE = "SANDBOX_QUEUES_PIPE"  # the descriptor of a pipe for what happens on queues

_SWITCHES = {"/_sandbox/ssm/down": True, "/_sandbox/ssm/up": False}
_MACHINES = "ec2/resources/instance_type"
_SERVICES = ("sqs", "ssm", "cloudformation", "awslambda", "iam", "logs", "dynamodb")
_ALWAYS_THE_SAME = ("camelcase_to_underscores", "method_names_from_class")


class QuietHandler(WSGIRequestHandler):
    """Serves requests without logging each of them."""

    def log_request(self, *_: Any) -> None:
        """Log nothing."""


def guarded(application: WSGIApplication, access: Access) -> WSGIApplication:
    """Return the application behind `access`, as the sandbox's other servers are.

    While `_SWITCHES` say so, Parameter Store answers with an error.
    """
    state = {"down": False}

    def serve_guarded(
        environment: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        listener = Listener(int(environment["SERVER_PORT"]))
        refusal = access.refusal(_headers(environment), listener)
        if refusal is not None:
            return _answer(start_response, "403 Forbidden", "text/plain; charset=utf-8", refusal)
        path = environment.get("PATH_INFO", "")
        if environment["REQUEST_METHOD"] == "POST" and path in _SWITCHES:
            state["down"] = _SWITCHES[path]
            return _answer(start_response, "200 OK", "text/plain; charset=utf-8", "")
        if state["down"] and environment.get("HTTP_X_AMZ_TARGET", "").startswith("AmazonSSM."):
            fault = '{"__type": "InternalServerError", "message": "down, as was asked for"}'
            return _answer(start_response, "500 Down", "application/x-amz-json-1.1", fault)
        return application(environment, start_response)

    return serve_guarded


def _answer(start_response: StartResponse, status: str, kind: str, text: str) -> Iterable[bytes]:
    body = text.encode()
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


def _headers(environment: WSGIEnvironment) -> Headers:
    """Return a request's headers; one that came twice is one here, with a comma, and so invalid."""
    names = ("host", "origin", "sec-fetch-site")
    keys = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in names}
    return tuple((name, environment[key]) for name, key in keys.items() if key in environment)


def _load_services() -> None:
    """Load moto's services, in half of the time that they take by themselves.

    A million objects are made, and none of them is garbage. And CloudFormation brings EC2, which
    reads the list of its machines, though nobody here asks for one.
    """
    _share_session()
    utilities: Any = importlib.import_module("moto.utilities.utils")
    load = utilities.load_resource
    utilities.load_resource = lambda name: {} if _MACHINES in name else load(name)
    gc.disable()
    for service in _SERVICES:
        importlib.import_module(f"moto.{service}.models")
        importlib.import_module(f"moto.{service}.responses")
    gc.freeze()
    gc.enable()


def _share_session() -> None:
    """Give all that ask for a session, only to look up regions, the same one: each reads files."""
    boto3.Session = functools.cache(boto3.Session)  # type: ignore[misc, assignment]


def _remember(name: str) -> None:
    """Work out once what moto works out again for each call: some ten times in each."""
    original = vars(importlib.import_module("moto.core.utils"))[name]
    remembering = functools.cache(original)
    for module in list(sys.modules.values()):
        if module.__name__.startswith("moto.") and vars(module).get(name) is original:
            setattr(module, name, remembering)


def remembering_application() -> Any:
    """Return moto's server as an application that works out once what it would for each call.

    It walks its folders and matches hundreds of patterns to find out which service is meant. Of
    what is loaded by now, that is.
    """
    for name in _ALWAYS_THE_SAME:
        _remember(name)
    werkzeug_app = importlib.import_module("moto.moto_server.werkzeug_app")
    application = werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app)
    application.get_backend_for_host = functools.cache(application.get_backend_for_host)
    return application


def serve() -> None:
    """Serve until the process is killed."""
    # moto warns about resources that it left out; `template` has left them out on purpose.
    warnings.simplefilter("ignore")
    _load_services()
    importlib.import_module("relay_sandbox.local_aws.moto_partiql").patch_moto()
    if pipe := os.environ.get(QUEUES_VARIABLE):
        moto_queues = importlib.import_module("relay_sandbox.local_aws.moto_queues")
        moto_queues.patch_moto(moto_queues.teller(int(pipe)))
    application = remembering_application()
    access = Access.allowing(os.environ.get(HOSTS_VARIABLE, "").split())
    port = int(os.environ.get(PORT_VARIABLE, "0"))
    server = make_server(
        "127.0.0.1",
        port,
        guarded(application, access),
        threaded=True,
        request_handler=QuietHandler,
    )
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve()
