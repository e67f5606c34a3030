"""Sends one event to AppsFlyer: with a valid token, at the agreed rate, and money only once.

While the app's circuit is open, only probes and last attempts are sent. If a second delivery would
count twice, the event is claimed before the send and remembered after it (S6).
"""

import asyncio
from typing import Final, NamedTuple

from relay import telemetry
from relay.appsflyer import Client
from relay.appsflyer.answers import verdict_of_failure, verdict_of_response
from relay.aws.timeouts import LONGEST_CALL_SECONDS
from relay.config.apps import Apps
from relay.config.environment import ForwardSettings
from relay.consumer.deadline import Deadline
from relay.domain.kinds import Surface
from relay.domain.outcomes import (
    CIRCUIT_OPEN,
    CREDENTIALS_REASON,
    IN_DOUBT,
    IN_PROGRESS,
    PARAMETERS_UNAVAILABLE,
    Outcome,
    Verdict,
)
from relay.errors import (
    ConfigurationError,
    ParametersUnavailableError,
    SendFailedError,
    TableUnavailableError,
)
from relay.forward.circuit_breaker import BreakerRound, CircuitBreaker
from relay.forward.event_job import EventJob
from relay.forward.rate_limiter import RateLimiter
from relay.forward.reporting import count_uncertain
from relay.messages.envelope import content_digest
from relay.rules.prepare import Prepared
from relay.secrets import Secret
from relay.stores.deliveries import Claim, Deliveries

MARGIN_SECONDS: Final = 2 * LONGEST_CALL_SECONDS
"""Reserved for claiming an event and remembering or releasing it. Everything else starts only if
there is time for it: a fresh token and a second request, calls to SQS (`Queue.send`)."""
_LEASE_SECONDS: Final = 4 * LONGEST_CALL_SECONDS
"""What a claim lasts besides the requests: its own call, a fresh token (perhaps after waiting for
another app's), and the call that ends it."""

NO_SETTINGS: Final = Verdict(Outcome.DEFERRED, "", PARAMETERS_UNAVAILABLE)
_NO_TOKEN: Final = Verdict(Outcome.HELD, "E13", CREDENTIALS_REASON)
_NO_DELIVERIES: Final = Verdict(Outcome.DEFERRED, "", "deliveries_unavailable")
_CIRCUIT_OPEN: Final = Verdict(Outcome.DEFERRED, "E16", CIRCUIT_OPEN)
_IN_DOUBT: Final = Verdict(Outcome.DEFERRED, "S6", IN_DOUBT)
_REFUSED_CLAIMS: Final = {  # S6
    Claim.DUPLICATE: Verdict(Outcome.DUPLICATE, "S6", "duplicate"),
    Claim.CONFLICT: Verdict(Outcome.REJECTED, "S6", "id_conflict"),
    Claim.BUSY: Verdict(Outcome.HELD, "S6", IN_PROGRESS),
}


class Invocation(NamedTuple):
    """State that the sends of one invocation share."""

    deadline: Deadline
    breaker: BreakerRound


class Sender:
    """Sends the events of one surface. Lives as long as its process."""

    def __init__(
        self,
        surface: Surface,
        settings: ForwardSettings,
        client: Client,
        apps: Apps,
        deliveries: Deliveries,
        limiter: RateLimiter | None = None,
    ) -> None:
        self._surface = surface
        self._settings = settings
        self._client = client
        self._apps = apps
        self._deliveries = deliveries
        self._limiter = limiter or RateLimiter(settings.requests_a_second_here(surface))
        self._breaker = CircuitBreaker()
        self._token_reading = asyncio.Lock()

    @property
    def needed_seconds(self) -> float:
        """The longest that one request can take from now on, its overhead included."""
        longest = self._settings.longest_request_seconds + MARGIN_SECONDS
        return longest + self._limiter.wait_seconds

    def begin(self, deadline: Deadline) -> Invocation:
        """Starts an invocation."""
        return Invocation(deadline, self._breaker.begin_round())

    async def deliver(self, job: EventJob, invocation: Invocation) -> Verdict:
        """Sends an event, unless the app has no valid token or its open circuit stops it."""
        app_id = job.envelope.app_id
        try:
            token = self._apps.token(self._surface, app_id)
            if token is None:
                token = await self._token_after_refresh(app_id, invocation)
        except ParametersUnavailableError:
            return NO_SETTINGS
        if token is None:
            return _NO_TOKEN
        # The last attempt is always made: no event is dead-lettered without a final try.
        if not await invocation.breaker.allow(app_id, force=self._is_last_attempt(job)):
            return _CIRCUIT_OPEN
        failed: bool | None = None
        try:
            verdict = await self._send_deduplicated(job, token, invocation)
            failed = verdict.rule == "E16" if job.attempted else None
        finally:
            invocation.breaker.record(app_id, failed=failed)
        return verdict

    async def _send_deduplicated(
        self, job: EventJob, token: Secret, invocation: Invocation
    ) -> Verdict:
        """Sends an event, unless its claim is refused (S6)."""
        if not self._is_deduplicated(job):
            return await self._send(job, token, invocation)
        digest = content_digest(job.envelope, _sendable(job).event, job.first_seen)
        try:
            claim = await self._claim(job, digest)
        except TableUnavailableError:
            return _NO_DELIVERIES
        if claim in _REFUSED_CLAIMS:
            return _REFUSED_CLAIMS[claim]
        in_doubt = claim is not Claim.CLAIMED
        # A person's consent covers the doubt that they saw, not a send that died since.
        if in_doubt and self._is_never_resent(job) and claim is not Claim.DECIDED:
            await self._finish_claim(job, digest, _IN_DOUBT, in_doubt=True)
            return _IN_DOUBT
        if claim is Claim.EXPIRED:  # every other doubt was counted by the invocation that sent it
            count_uncertain(job)
        try:
            verdict = await self._send(job, token, invocation)
        except Exception:  # a bug of ours; without this, its claim would count as one more doubt
            await self._finish_claim(job, digest, _interrupted(job), in_doubt=in_doubt)
            raise
        await self._finish_claim(job, digest, verdict, in_doubt=in_doubt)
        return verdict

    def _is_last_attempt(self, job: EventJob) -> bool:
        return job.attempts >= len(self._settings.retry_schedule_seconds)

    # Deliveries (S6): claim before the send, remember after it

    def _is_deduplicated(self, job: EventJob) -> bool:
        """Whether to deduplicate: payments always, other events by the setting."""
        deduplicated = self._settings.deduplicate
        if job.envelope.source is not None or deduplicated == "all" or self._is_never_resent(job):
            return True
        return deduplicated == "money" and _sendable(job).has_revenue

    def _is_never_resent(self, job: EventJob) -> bool:
        """Whether only a person may send it again once it may have been recorded."""
        return self._settings.uncertain_money == "dead_letter" and _sendable(job).has_revenue

    async def _claim(self, job: EventJob, digest: str) -> Claim:
        """Claims an event for as long as its requests can take."""
        longest = 2 * self._settings.longest_request_seconds + _LEASE_SECONDS
        seconds = longest + 2 * self._limiter.wait_seconds
        return await self._deliveries.claim(job.delivery_key, digest, seconds, job.envelope.resend)

    async def _finish_claim(
        self, job: EventJob, digest: str, verdict: Verdict, *, in_doubt: bool
    ) -> None:
        """Remembers a delivery or a doubt, or releases the event for its next attempt.

        An earlier doubt outlives a send that surely failed. If the table fails, the claim expires,
        which is a doubt too. An event that was delivered may then be sent twice if its sender hands
        it in again; the counter `Unremembered` shows it.
        """
        delivered = verdict.outcome is Outcome.DELIVERED
        try:
            if delivered:
                await self._deliveries.remember(job.delivery_key, digest)
            elif in_doubt or verdict.uncertain:
                await self._deliveries.doubt(job.delivery_key, digest, sent=verdict.uncertain)
            else:
                await self._deliveries.release(job.delivery_key)
        except TableUnavailableError:
            telemetry.count({"Unremembered": int(delivered)})

    # Sending

    async def _send(self, job: EventJob, token: Secret, invocation: Invocation) -> Verdict:
        """Sends an event, and counts it at once if AppsFlyer may have recorded it.

        Not with the batch, and before the doubt is written: a process that dies in between leaves
        a doubt that was counted, or an expired claim, which is counted by whoever finds it.
        """
        try:
            verdict = await self._send_with_token(job, token, invocation)
        except Exception:
            if job.attempted:
                count_uncertain(job)
            raise
        if verdict.uncertain:
            count_uncertain(job)
        return verdict

    async def _send_with_token(
        self, job: EventJob, token: Secret, invocation: Invocation
    ) -> Verdict:
        """Sends with the app's token; if AppsFlyer refuses it, once more with a fresh one."""
        verdict = await self._request(job, token)
        if verdict.reason != CREDENTIALS_REASON or not self._has_time(invocation):
            return verdict
        fresh = await self._fresh_token(job.envelope.app_id, token)
        if fresh is None or not self._has_time(invocation):
            return verdict
        return await self._request(job, fresh)

    async def _request(self, job: EventJob, token: Secret) -> Verdict:
        prepared = _sendable(job)
        await self._limiter.acquire()
        job.attempted = True
        try:
            response = await self._client.send(
                prepared.kind, prepared.app_id, prepared.path, prepared.body or b"", token
            )
        except ConfigurationError as error:  # no header can carry the token
            job.attempted = False
            telemetry.wrong_setting(error)
            return _NO_TOKEN
        except SendFailedError as error:
            return verdict_of_failure(error)
        return verdict_of_response(prepared.kind, response)

    def _has_time(self, invocation: Invocation) -> bool:
        return invocation.deadline.allows(self.needed_seconds)

    async def _token_after_refresh(self, app_id: str, invocation: Invocation) -> Secret | None:
        """Waits for a token read that another event started, then returns the token."""
        async with self._token_reading:
            has_time = self._has_time(invocation)
            return self._apps.token(self._surface, app_id) if has_time else None

    async def _fresh_token(self, app_id: str, refused: Secret) -> Secret | None:
        async with self._token_reading:  # one fresh read serves every request that was in flight
            return await asyncio.to_thread(self._apps.refuse, self._surface, app_id, refused)


def _interrupted(job: EventJob) -> Verdict:
    return Verdict(Outcome.DEFERRED, "", "unexpected", uncertain=job.attempted)


def _sendable(job: EventJob) -> Prepared:
    if job.prepared is None:  # pragma: no cover - every job is checked before
        message = "a job is checked before it is sent"
        raise AssertionError(message)
    return job.prepared
