"""Wires the parts of one process together: settings, clients, use cases. Built on first use.

Each function imports only what its own use case needs, to keep its cold start short.
"""

# ruff: noqa: PLC0415 - see above

import os
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore.client import BaseClient
from botocore.config import Config

from relay import telemetry
from relay.aws.parameter_store import ParameterStore
from relay.aws.sqs import Queue
from relay.aws.timeouts import ATTEMPTS, CONNECT_SECONDS, PATIENCE_SECONDS, READ_SECONDS
from relay.config.environment import (
    AcceptSettings,
    ApiSettings,
    ForwardSettings,
    MapPaymentSettings,
    ReceiveInstallSettings,
    ReceivePaymentSettings,
    check_encrypted,
)
from relay.errors import ConfigurationError
from relay.http1.trust import APPSFLYER, AWS, OLD_DAYS, bundle_age_days, trust
from relay.instants import utc_now

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

_Client = TypeVar("_Client", bound=BaseClient)

# `max_pool_connections`: one for each thread that may call.
_AWS = Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    max_pool_connections=32,
)


# One attempt: `ParameterStore` knows when another one helps, and when it only adds to the load.
_ONCE = _AWS.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))


def _store(prefix: str, processes: int) -> ParameterStore:
    return ParameterStore(_checked(boto3.client("ssm", config=_ONCE)), prefix, processes=processes)


def _api_store(settings: ApiSettings) -> ParameterStore:
    """For functions whose callers wait."""
    return ParameterStore(
        _checked(boto3.client("ssm", config=_ONCE)),
        settings.parameter_prefix,
        processes=settings.processes,
        patience_seconds=PATIENCE_SECONDS,
    )


def _table(name: str) -> "Table":
    from relay.aws.table import DynamoTable

    return DynamoTable(_checked(boto3.client("dynamodb", config=_AWS)), name)


def _async_table(name: str, connections: int) -> "DynamoAsyncTable":
    """A table for the event loop, with the endpoint and the credentials that boto3 would use."""
    from relay.aws.async_table import DynamoAsyncTable, DynamoClient
    from relay.http1.pool import Pool

    meta = _checked(boto3.client("dynamodb", config=_AWS)).meta
    session_credentials = (boto3.DEFAULT_SESSION or boto3.Session()).get_credentials()
    if session_credentials is None:
        raise ConfigurationError("AWS credentials", "there are none")

    pool = Pool(connections, CONNECT_SECONDS, READ_SECONDS, _make_tls)
    client = DynamoClient(
        pool, meta.endpoint_url, meta.region_name, session_credentials.get_frozen_credentials
    )
    return DynamoAsyncTable(client, name)


def _make_tls() -> "ssl.SSLContext":
    """Trusts the same certificate authorities as boto3."""
    import ssl

    return ssl.create_default_context(cafile=trust(AWS, os.environ).path)


@cache
def _begin() -> None:
    """Before anything is built: libraries fall silent, and the log says whom TLS trusts."""
    telemetry.silence_libraries()
    age = bundle_age_days(utc_now().date())
    facts = {
        "appsflyer": trust(APPSFLYER, os.environ).source,
        "aws": trust(AWS, os.environ).source,
        "bundle_age_days": age,
    }
    if age > OLD_DAYS:
        telemetry.logger().warning("certificate authorities are old", extra=facts)
    else:
        telemetry.logger().info("certificate authorities", extra=facts)


def _checked(client: _Client) -> _Client:
    """A client of AWS's; raises `ConfigurationError` if what it sends would not be encrypted."""
    check_encrypted("AWS_ENDPOINT_URL", client.meta.endpoint_url, os.environ)
    return client


@cache
def accept() -> "Accept":
    """The use case of `accept`; raises `ConfigurationError`."""
    from relay.accept.accept import Accept
    from relay.config.apps import Apps
    from relay.config.producers import Producers
    from relay.domain.kinds import Surface

    _begin()
    settings = AcceptSettings.from_env(os.environ)
    sqs, store = _checked(boto3.client("sqs", config=_AWS)), _api_store(settings)
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

    _begin()
    settings = ReceiveInstallSettings.from_env(os.environ)
    identities = Identities(_table(settings.identities_table), settings.identity_days)
    return Installs(Producers(_api_store(settings), "push_senders"), identities)


@cache
def receive_payment() -> "Receiver":
    """The use case of `receive_payment`; raises `ConfigurationError`."""
    from relay.config.sources import Sources
    from relay.payments.providers.registry import source_settings
    from relay.payments.receive import Receiver

    _begin()
    settings = ReceivePaymentSettings.from_env(os.environ)
    sqs = _checked(boto3.client("sqs", config=_AWS))
    sources = Sources(_api_store(settings), source_settings())
    return Receiver(sources, Queue(sqs, settings.payments_queue_url))


@cache
def mapper() -> "Mapper":
    """The use case of `map_payment`; raises `ConfigurationError`."""
    from relay.aws.guarded_table import GuardedTable
    from relay.config.apps import Apps
    from relay.config.sources import Sources
    from relay.consumer.deadline import CurrentDeadline
    from relay.domain.kinds import Surface
    from relay.payments.map import CALL_SECONDS, Mapper
    from relay.payments.providers.registry import source_settings
    from relay.stores.identities import Identities
    from relay.stores.money_trail import Trail

    _begin()
    settings = MapPaymentSettings.from_env(os.environ)
    sqs = _checked(boto3.client("sqs", config=_AWS))
    store = _store(settings.parameter_prefix, settings.max_concurrency)
    current = CurrentDeadline()

    def table(name: str) -> "Table":
        return GuardedTable(_table(name), lambda: current.allows(CALL_SECONDS))

    return Mapper(
        settings,
        Sources(store, source_settings()),
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

    _begin()
    settings = ForwardSettings.from_env(os.environ)
    sqs = _checked(boto3.client("sqs", config=_AWS))
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
        Apps(_store(settings.parameter_prefix, settings.max_concurrency)),
        queue=Queue(sqs, settings.queue_url),
        dead_letters=Queue(sqs, settings.dead_letter_queue_url),
        deliveries=Deliveries(
            _async_table(settings.deliveries_table, settings.requests_in_flight),
            settings.delivery_days,
            former_until=settings.former_until,
        ),
        identities=Identities(_table(identities_table)) if identities_table else None,
    )
