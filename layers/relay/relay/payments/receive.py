"""The use case of `receive_payment`: a provider's webhook in, notices on the payments queue.

Verify the raw bytes, keep only the fields that matter, queue, respond 200. Interpretation happens
behind the queue: a provider waits for the response, and redelivers a webhook that gets none.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from relay import telemetry
from relay.aws.sqs import Message, Queue
from relay.config.sources import Sources
from relay.domain.movements import Treatment
from relay.domain.payment_rules import SourceSettings
from relay.errors import (
    ConfigurationError,
    ParametersUnavailableError,
    SignatureRefusedError,
    StaleSignatureError,
    UnreadableWebhookError,
)
from relay.gateway.request import Problem, Request, Response
from relay.gateway.responses import respond, settings_unavailable
from relay.instants import Clock, utc_now
from relay.messages.notice import Notice, write_notice
from relay.payments.providers.protocol import Provider, Webhook
from relay.payments.providers.registry import PROVIDERS

ROUTE: Final = "POST /v1/payments/{provider}/{source}"
MAX_BODY_BYTES: Final = 1024 * 1024
"""Ten times the size of the providers' largest webhooks."""


class Receiver:
    """Receives webhooks for one payments queue. Lives as long as its process."""

    def __init__(self, sources: Sources, queue: Queue, clock: Clock = utc_now) -> None:
        self._sources = sources
        self._queue = queue
        self._clock = clock

    def handle(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Responds to one HTTP API event (payload format 2.0)."""
        return respond(event, self._respond)

    def _respond(self, request: Request) -> Response:
        if request.route != ROUTE:
            raise Problem(HTTPStatus.NOT_FOUND, "no such route")
        name, source = request.path.get("provider", ""), request.path.get("source", "")
        # Before the source is looked up, so that it does not tell whether there is one.
        if len(request.body) > MAX_BODY_BYTES:
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large")
        self._sources.expect_secrets(source)
        try:
            settings = self._settings(name, source)
            provider = PROVIDERS[name]
            self._verify(provider, source, Webhook(request.headers, request.body), settings)
        except (ParametersUnavailableError, ConfigurationError) as error:
            raise settings_unavailable(error) from error
        self._queue_notices(_notices(provider, name, source, request, settings))
        return Response(HTTPStatus.OK, provider.ACKNOWLEDGEMENT)

    def _settings(self, provider: str, source: str) -> SourceSettings:
        """Answers as for a wrong signature, so that nobody can find out which sources exist."""
        settings = self._sources.settings(source)
        if settings is None or settings.provider != provider:
            raise _wrong_signature("no such source of this provider's")
        return settings

    def _verify(
        self, provider: Provider, source: str, webhook: Webhook, settings: SourceSettings
    ) -> None:
        try:
            self._verify_with_refresh(provider, source, webhook, settings)
        except StaleSignatureError as error:
            # Only who has the secret is told: a provider looks at the time of a right signature.
            detail = "the signature's time is too far off"
            raise _refused(HTTPStatus.BAD_REQUEST, detail, str(error)) from None
        except SignatureRefusedError as error:
            raise _wrong_signature(str(error)) from None

    def _verify_with_refresh(
        self, provider: Provider, source: str, webhook: Webhook, settings: SourceSettings
    ) -> None:
        """Raises `SignatureRefusedError` unless a secret fits; rereads the secrets before that."""
        secrets, now = self._sources.secrets(source), self._clock()
        try:
            provider.verify(webhook, secrets, settings, now)
        except StaleSignatureError:
            raise
        except SignatureRefusedError:
            latest = self._sources.latest_secrets(source)
            if latest == secrets:
                raise
            provider.verify(webhook, latest, settings, now)

    def _queue_notices(self, notices: list[Notice]) -> None:
        messages = [Message(write_notice(notice), notice.source) for notice in notices]
        if self._queue.send(messages):
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "the queue takes no messages at present: send the webhook again in a while",
                headers={"retry-after": "5"},
            )


def _wrong_signature(problem: str) -> Problem:
    return _refused(HTTPStatus.UNAUTHORIZED, "the signature is wrong", problem)


def _refused(status: HTTPStatus, detail: str, problem: str) -> Problem:
    """The response gives a forger no hint; the log gives the reason."""
    telemetry.count({"WebhookRefused": 1})
    telemetry.logger().warning("webhook refused", extra={"problem": problem})
    return Problem(status, detail)


def _notices(
    provider: Provider, name: str, source: str, request: Request, settings: SourceSettings
) -> list[Notice]:
    """The notices of a webhook, without its ignored parts."""
    body, came_in = request.body, request.came_in
    try:
        parsed_webhooks = provider.parse(body, settings)
    except UnreadableWebhookError as error:
        telemetry.count({"WebhookUnreadable": 1})
        return [Notice.of_unreadable(str(error), name, source, body, came_in)]
    relevant = [parsed for parsed in parsed_webhooks if parsed.treatment is not Treatment.IGNORED]
    telemetry.count(
        {"WebhookReceived": len(relevant), "WebhookIgnored": len(parsed_webhooks) - len(relevant)}
    )
    return [Notice.of_webhook(parsed, name, source, body, came_in) for parsed in relevant]
