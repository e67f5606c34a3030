"""The use case of `receive_payment`: a provider's webhook in, notices on the payments queue.

Verify the raw bytes, keep only the fields that matter, queue, respond 200. Interpretation happens
behind the queue: a provider waits for the response, and redelivers a webhook that gets none.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from relay import telemetry
from relay.aws.sqs import Message, Queue
from relay.config.sources import Sources
from relay.consumer.deadline import Remaining
from relay.domain.movements import Treatment
from relay.domain.payment_rules import SourceSettings
from relay.errors import (
    ConfigurationError,
    ParametersUnavailableError,
    SignatureRefusedError,
    StaleSignatureError,
    UnreadableWebhookError,
)
from relay.gateway.request import LONGEST_SECONDS, Problem, Request, Response
from relay.gateway.responses import respond, settings_unavailable
from relay.instants import Clock, utc_now
from relay.messages.notice import Notice, write_notice
from relay.payments.providers.protocol import Webhook
from relay.payments.providers.registry import PROVIDERS
from relay.secrets import Secret

ROUTE: Final = "POST /v1/payments/{provider}/{source}"
MAX_BODY_BYTES: Final = 1024 * 1024
"""Ten times the size of the providers' largest webhooks."""


class _Trust(NamedTuple):
    """What a webhook of a source is verified by."""

    settings: SourceSettings
    secrets: tuple[Secret, ...]


class Receiver:
    """Receives webhooks for one payments queue. Lives as long as its process."""

    def __init__(self, sources: Sources, queue: Queue, clock: Clock = utc_now) -> None:
        self._sources = sources
        self._queue = queue
        self._clock = clock

    def handle(
        self, event: Mapping[str, Any], remaining: Remaining = lambda: LONGEST_SECONDS
    ) -> dict[str, Any]:
        """Responds to one HTTP API event (payload format 2.0), before the invocation ends."""
        return respond(event, lambda request: self._respond(request, remaining))

    def _respond(self, request: Request, remaining: Remaining) -> Response:
        if request.route != ROUTE:
            raise Problem(HTTPStatus.NOT_FOUND, "no such route")
        name, source = request.path.get("provider", ""), request.path.get("source", "")
        # Before the source is looked up, so that it does not tell whether there is one.
        if len(request.body) > MAX_BODY_BYTES:
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large")
        self._sources.expect_secrets(source)
        try:
            settings = self._verify(name, source, Webhook(request.headers, request.body))
        except (ParametersUnavailableError, ConfigurationError) as error:
            raise settings_unavailable(error) from error
        notices = notices_of(name, source, settings, request.body, request.came_in)
        self._queue_notices(notices, remaining)
        return Response(HTTPStatus.OK, PROVIDERS[name].ACKNOWLEDGEMENT)

    def _verify(self, provider: str, source: str, webhook: Webhook) -> SourceSettings:
        """The settings of the source that the webhook is from; raises `Problem`."""
        try:
            return self._verified(provider, source, webhook)
        except StaleSignatureError as error:
            # Only who has the secret is told: a provider looks at the time of a right signature.
            detail = "the signature's time is too far off"
            raise _refused(HTTPStatus.BAD_REQUEST, detail, str(error)) from None
        except SignatureRefusedError as error:
            raise _wrong_signature(str(error)) from None

    def _verified(self, provider: str, source: str, webhook: Webhook) -> SourceSettings:
        """Verifies first by what is known: only who passes is sure to be no stranger.

        And then by what is true now, if that is not the same. Raises `SignatureRefusedError`.
        """
        known = self._trust(provider, source, at_leisure=True)
        try:
            self._check(provider, webhook, known)
        except StaleSignatureError:
            raise
        except SignatureRefusedError:
            self._sources.reread_secrets(source)
            latest = self._trust(provider, source, at_leisure=True)
            if latest == known:
                raise
            self._check(provider, webhook, latest)
            known = latest
        current = self._trust(provider, source, at_leisure=False)
        if current != known:
            self._check(provider, webhook, current)
        return current.settings

    def _trust(self, provider: str, source: str, *, at_leisure: bool) -> _Trust:
        """An unknown source is refused like a signature: nobody can find out which there are."""
        settings = self._sources.settings(source, at_leisure=at_leisure)
        if settings is None or settings.provider != provider:
            raise SignatureRefusedError("no such source of this provider's")
        return _Trust(settings, self._sources.secrets(source, at_leisure=at_leisure))

    def _check(self, provider: str, webhook: Webhook, trust: _Trust) -> None:
        PROVIDERS[provider].verify(webhook, trust.secrets, trust.settings, self._clock())

    def _queue_notices(self, notices: list[Notice], remaining: Remaining) -> None:
        """Queues all, or raises `Problem`: what was queued by then comes again, and is known."""
        messages = [Message(write_notice(notice), notice.source) for notice in notices]
        if self._queue.send_in_time(messages, remaining):
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


def notices_of(
    provider: str, source: str, settings: SourceSettings, body: bytes, came_in: datetime
) -> list[Notice]:
    """The notices of a verified webhook, without its ignored parts."""
    try:
        parsed_webhooks = PROVIDERS[provider].parse(body, settings)
    except UnreadableWebhookError as error:
        telemetry.count({"WebhookUnreadable": 1})
        return [Notice.of_unreadable(str(error), provider, source, body, came_in)]
    relevant = [parsed for parsed in parsed_webhooks if parsed.treatment is not Treatment.IGNORED]
    caveats = Counter(caveat.counter for parsed in parsed_webhooks for caveat in parsed.caveats)
    ignored = len(parsed_webhooks) - len(relevant)
    telemetry.count({"WebhookReceived": len(relevant), "WebhookIgnored": ignored, **caveats})
    return [Notice.of_webhook(parsed, provider, source, body, came_in) for parsed in relevant]
