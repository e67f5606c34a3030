"""One event to AppsFlyer: with a token that works, at the agreed rate, once if it is money.

Nothing is sent while most sends fail (`health`). Where a second delivery would count twice, the
event is claimed before and remembered after (S6).
"""

import asyncio
from collections.abc import Callable
from typing import Final

from relay import telemetry
from relay.appsflyer import Answer, Client
from relay.appsflyer.answers import ruling_of_answer, ruling_of_failure
from relay.config.apps import Apps
from relay.config.environment import ForwardSettings
from relay.consumer.circuit_breaker import Health, Round
from relay.consumer.job import Job
from relay.domain.kinds import Surface
from relay.domain.outcomes import CREDENTIALS_REASON, IN_PROGRESS, UNWELL, Outcome, Ruling
from relay.errors import (
    ConfigurationError,
    ParametersUnavailableError,
    SendFailedError,
    TableUnavailableError,
)
from relay.forward.rate_limiter import Pacer
from relay.messages.envelope import content_digest
from relay.rules.prepare import Prepared
from relay.secrets import Secret
from relay.stores.deliveries import Claim, Deliveries

AWS_CALL_SECONDS: Final = 7.0
"""The longest that one call to AWS takes (`composition`)."""
MARGIN_SECONDS: Final = 2 * AWS_CALL_SECONDS
"""Kept back for a claim and its note. What else it takes is begun only if there is time for it: a
fresh token and a second request (`Round.has_time`), calls to SQS (`Queue.send`)."""
_LEASE_SECONDS: Final = 4 * AWS_CALL_SECONDS
"""A claim's: its own call, a fresh token, perhaps behind that of another app, and the note."""

NO_SETTINGS: Final = Ruling(Outcome.DEFERRED, "", "parameters_unavailable")
_NO_TOKEN: Final = Ruling(Outcome.HELD, "E13", CREDENTIALS_REASON)
_NO_DELIVERIES: Final = Ruling(Outcome.DEFERRED, "", "deliveries_unavailable")
_UNWELL: Final = Ruling(Outcome.DEFERRED, "E16", UNWELL)
_REFUSED_CLAIMS: Final = {  # S6
    Claim.DUPLICATE: Ruling(Outcome.DUPLICATE, "S6", "duplicate"),
    Claim.CONFLICT: Ruling(Outcome.REJECTED, "S6", "id_conflict"),
    Claim.BUSY: Ruling(Outcome.HELD, "S6", IN_PROGRESS),
}


Remaining = Callable[[], float]
"""Seconds that the invocation may still run."""


class Sender:
    """Sends the events of one surface. Lives as long as its process."""

    def __init__(
        self,
        surface: Surface,
        settings: ForwardSettings,
        client: Client,
        apps: Apps,
        deliveries: Deliveries,
        pacer: Pacer | None = None,
    ) -> None:
        self._surface = surface
        self._settings = settings
        self._client = client
        self._apps = apps
        self._deliveries = deliveries
        self._pacer = pacer or Pacer(settings.requests_a_second_here(surface))
        self._health = Health()
        self._token_reading = asyncio.Lock()

    @property
    def needed_seconds(self) -> float:
        """The longest that one request takes from now on, with what has to be done around it."""
        longest = self._settings.longest_request_seconds + MARGIN_SECONDS
        return longest + self._pacer.wait_seconds

    def start_round(self, remaining: Remaining) -> Round:
        """For the events of one invocation."""
        return Round(self._health, lambda: remaining() >= self.needed_seconds)

    async def deliver(self, job: Job, round_: Round) -> tuple[Ruling, Answer | None]:
        """Sends, unless there is no token to send with or AppsFlyer is to be left in peace."""
        app_id = job.envelope.app_id
        try:
            token = self._apps.token(self._surface, app_id)
            if token is None:
                token = await self._token_read_anew(app_id, round_)
        except ParametersUnavailableError:
            return NO_SETTINGS, None
        if token is None:
            return _NO_TOKEN, None
        # The last attempt is always made: nothing is given up that was not tried at the end.
        if not await round_.admit(app_id, anyway=self._is_last_attempt(job)):
            return _UNWELL, None
        failed: bool | None = None
        try:
            ruling, answer = await self._send_once(job, token, round_)
            failed = ruling.rule == "E16" if job.attempted else None
        finally:
            round_.ended(app_id, failed=failed)
        return ruling, answer

    async def _send_once(
        self, job: Job, token: Secret, round_: Round
    ) -> tuple[Ruling, Answer | None]:
        """Sends, unless the event is not ours to send (S6)."""
        if not self._is_covered(job):
            return await self._send(job, token, round_)
        digest = content_digest(job.envelope, _sendable(job).event, job.first_seen)
        refusal = await self._claim(job, digest)
        if refusal is not None:
            return refusal, None
        ruling, answer = await self._send(job, token, round_)
        await self._note(job, digest, delivered=ruling.outcome is Outcome.DELIVERED)
        return ruling, answer

    def _is_last_attempt(self, job: Job) -> bool:
        return job.envelope.attempts >= len(self._settings.retry_schedule_seconds)

    # Deliveries (S6): what is claimed before it is sent, and remembered after

    def _is_covered(self, job: Job) -> bool:
        """Payments always; other events as the setting says."""
        covered = self._settings.deduplicate
        if job.envelope.source is not None or covered == "all":
            return True
        return covered == "money" and _sendable(job).has_revenue

    async def _claim(self, job: Job, digest: str) -> Ruling | None:
        """None when the event is ours to send."""
        try:
            longest = 2 * self._settings.longest_request_seconds + _LEASE_SECONDS
            seconds = longest + 2 * self._pacer.wait_seconds
            claim = await self._deliveries.claim(job.delivery_key, digest, seconds)
        except TableUnavailableError:
            return _NO_DELIVERIES
        return _REFUSED_CLAIMS.get(claim)

    async def _note(self, job: Job, digest: str, *, delivered: bool) -> None:
        """Remembers a delivery, or frees the event for its next attempt.

        Where that fails, the claim runs out by itself; what was delivered may then be sent again by
        somebody who hands it in again, and is counted.
        """
        try:
            if delivered:
                await self._deliveries.remember(job.delivery_key, digest)
            else:
                await self._deliveries.release(job.delivery_key)
        except TableUnavailableError:
            telemetry.count({"Unremembered": int(delivered)})

    # Sending

    async def _send(self, job: Job, token: Secret, round_: Round) -> tuple[Ruling, Answer | None]:
        """Sends with the app's token; if AppsFlyer refuses that, once more with another one."""
        ruling, answer = await self._ask(job, token)
        if ruling.reason != CREDENTIALS_REASON or not round_.has_time():
            return ruling, answer
        another = await self._another_token(job.envelope.app_id, token)
        if another is None or not round_.has_time():
            return ruling, answer
        return await self._ask(job, another)

    async def _ask(self, job: Job, token: Secret) -> tuple[Ruling, Answer | None]:
        prepared = _sendable(job)
        await self._pacer.turn()
        job.attempted = True
        try:
            answer = await self._client.send(
                prepared.kind, prepared.app_id, prepared.path, prepared.body or b"", token
            )
        except ConfigurationError as error:  # a token that no header can carry: as good as none
            job.attempted = False
            telemetry.wrong_setting(error)
            return _NO_TOKEN, None
        except SendFailedError as error:
            return ruling_of_failure(error.reason, sure=error.sure), None
        return ruling_of_answer(prepared.kind, answer.status, answer.text), answer

    async def _token_read_anew(self, app_id: str, round_: Round) -> Secret | None:
        """The token, once the read that another event's refusal has begun is over."""
        async with self._token_reading:
            return self._apps.token(self._surface, app_id) if round_.has_time() else None

    async def _another_token(self, app_id: str, refused: Secret) -> Secret | None:
        async with self._token_reading:  # one fresh read serves all that were under way
            return await asyncio.to_thread(self._apps.refuse, self._surface, app_id, refused)


def _sendable(job: Job) -> Prepared:
    if job.prepared is None:  # pragma: no cover - it has been checked before
        message = "a job is checked before it is sent"
        raise AssertionError(message)
    return job.prepared
