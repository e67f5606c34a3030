"""Wires the parts of one process together: settings, clients, use cases. Built on first use.

Each function imports only what its own use case needs, to keep its cold start short.
"""

# ruff: noqa: PLC0415 - see above

import os
from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.httpsession import get_cert_path

from relay.aws.parameter_store import ParameterStore
from relay.aws.sqs import Queue
from relay.aws.timeouts import ATTEMPTS, CONNECT_SECONDS, READ_SECONDS
from relay.config.environment import (
    AcceptSettings,
    ForwardSettings,
    MapPaymentSettings,
    ReceiveInstallSettings,
    ReceivePaymentSettings,
)
from relay.errors import ConfigurationError

if TYPE_CHECKING:
    import ssl

    from relay.accept.accept import Accept
    from relay.aws.async_table import DynamoAsyncTable
    from relay.aws.table import Table
    from relay.domain.kinds import Surface
    from relay.forward.forwarder import Forwarder
    from relay.installs.receive import Installs
    from relay.payments.map import Mapper
    from relay.payments.receive import Receiver

# `max_pool_connections`: one for each thread that may call.
_AWS = Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    max_pool_connections=32,
)


def _store(prefix: str) -> ParameterStore:
    return ParameterStore(boto3.client("ssm", config=_AWS), prefix)


def _table(name: str) -> "Table":
    from relay.aws.table import DynamoTable

    return DynamoTable(boto3.client("dynamodb", config=_AWS), name)


def _async_table(name: str, connections: int) -> "DynamoAsyncTable":
    """A table for the event loop, with the endpoint and the credentials that boto3 would use."""
    from relay.aws.async_table import DynamoAsyncTable, DynamoClient
    from relay.aws.sigv4 import Credentials
    from relay.http1.pool import Pool

    meta = boto3.client("dynamodb", config=_AWS).meta
    session_credentials = (boto3.DEFAULT_SESSION or boto3.Session()).get_credentials()
    if session_credentials is None:
        raise ConfigurationError("AWS credentials", "there are none")

    def credentials() -> Credentials:
        frozen = session_credentials.get_frozen_credentials()
        return Credentials(
            frozen.access_key or "",
            frozen.secret_key or "",
            frozen.token,
            meta.region_name,
            "dynamodb",
        )

    pool = Pool(connections, CONNECT_SECONDS, READ_SECONDS, _make_tls)
    return DynamoAsyncTable(DynamoClient(pool, meta.endpoint_url, credentials), name)


def _make_tls() -> "ssl.SSLContext":
    """Trusts the same certificate authorities as boto3."""
    import ssl

    return ssl.create_default_context(
        cafile=os.environ.get("AWS_CA_BUNDLE") or get_cert_path(verify=True)
    )


@cache
def accept() -> "Accept":
    """The use case of `accept`; raises `ConfigurationError`."""
    from relay.accept.accept import Accept
    from relay.config.apps import Apps
    from relay.config.producers import Producers
    from relay.domain.kinds import Surface

    settings = AcceptSettings.from_env(os.environ)
    sqs, store = boto3.client("sqs", config=_AWS), _store(settings.parameter_prefix)
    queues = {
        Surface.MOBILE: Queue(sqs, settings.mobile_queue_url),
        Surface.WEB: Queue(sqs, settings.web_queue_url),
    }
    return Accept(Apps(store), Producers(store), queues)


@cache
def receive_install() -> "Installs":
    """The use case of `receive_install`; raises `ConfigurationError`."""
    from relay.config.producers import Producers
    from relay.installs.receive import Installs
    from relay.stores.identities import Identities

    settings = ReceiveInstallSettings.from_env(os.environ)
    identities = Identities(_table(settings.identities_table), settings.identity_days)
    return Installs(Producers(_store(settings.parameter_prefix), "push_senders"), identities)


@cache
def receive_payment() -> "Receiver":
    """The use case of `receive_payment`; raises `ConfigurationError`."""
    from relay.config.sources import Sources
    from relay.payments.receive import Receiver

    settings = ReceivePaymentSettings.from_env(os.environ)
    sqs = boto3.client("sqs", config=_AWS)
    return Receiver(
        Sources(_store(settings.parameter_prefix)), Queue(sqs, settings.payments_queue_url)
    )


@cache
def mapper() -> "Mapper":
    """The use case of `map_payment`; raises `ConfigurationError`."""
    from relay.aws.guarded_table import GuardedTable
    from relay.config.apps import Apps
    from relay.config.sources import Sources
    from relay.consumer.deadline import CurrentDeadline
    from relay.domain.kinds import Surface
    from relay.payments.map import CALL_SECONDS, Mapper
    from relay.stores.identities import Identities
    from relay.stores.money_trail import Trail

    settings = MapPaymentSettings.from_env(os.environ)
    sqs, store = boto3.client("sqs", config=_AWS), _store(settings.parameter_prefix)
    current = CurrentDeadline()

    def table(name: str) -> "Table":
        return GuardedTable(_table(name), lambda: current.allows(CALL_SECONDS))

    return Mapper(
        settings,
        Sources(store),
        Apps(store),
        Trail(table(settings.trail_table), settings.trail_days),
        Identities(table(settings.identities_table)),
        queue=Queue(sqs, settings.queue_url),
        dead_letters=Queue(sqs, settings.dead_letter_queue_url),
        delivery_queues={
            Surface.MOBILE: Queue(sqs, settings.mobile_queue_url),
            Surface.WEB: Queue(sqs, settings.web_queue_url),
        },
        current=current,
    )


@cache
def forwarder(surface: "Surface") -> "Forwarder":
    """The use case of the forwarders; raises `ConfigurationError`."""
    from relay.appsflyer import Client, make_transport
    from relay.config.apps import Apps
    from relay.forward.forwarder import Forwarder
    from relay.stores.deliveries import Deliveries
    from relay.stores.identities import Identities

    settings = ForwardSettings.from_env(os.environ)
    sqs = boto3.client("sqs", config=_AWS)
    transport = make_transport(
        settings.requests_in_flight,
        settings.connect_timeout_seconds,
        settings.read_timeout_seconds,
    )
    identities_table = settings.identities_table
    return Forwarder(
        surface,
        settings,
        Client(transport, settings.appsflyer_url),
        Apps(_store(settings.parameter_prefix)),
        queue=Queue(sqs, settings.queue_url),
        dead_letters=Queue(sqs, settings.dead_letter_queue_url),
        deliveries=Deliveries(
            _async_table(settings.deliveries_table, settings.requests_in_flight),
            settings.delivery_days,
        ),
        identities=Identities(_table(identities_table)) if identities_table else None,
    )
