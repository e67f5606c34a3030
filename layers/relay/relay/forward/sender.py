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
    NO_TIME,
    OUT_OF_TIME,
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

_CLOCK_SKEW_SECONDS: Final = 5.0
"""How far the clocks of two machines may be apart."""

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
        self._longest_rest = settings.longest_rest_seconds
        self._longest_delivery = settings.longest_delivery_seconds
        self._client = client
        self._apps = apps
        self._deliveries = deliveries
        self._limiter = limiter or RateLimiter(settings.requests_a_second_here(surface))
        self._breaker = CircuitBreaker()
        self._token_reading = asyncio.Lock()

    @property
    def needed_seconds(self) -> float:
        """The longest that one event can take from now on, its turn's wait included."""
        return self._longest_delivery + self._limiter.wait_seconds

    def begin(self, deadline: Deadline) -> Invocation:
        """Starts an invocation."""
        return Invocation(deadline, self._breaker.begin_round())

    async def deliver(self, job: EventJob, invocation: Invocation) -> Verdict:
        """Sends an event, unless the app has no valid token or its open circuit stops it.

        Each wait (for a token, a probe, the claim, the turn) may take long: after it, the event is
        handed back if the invocation could end before the event is settled.
        """
        app_id = job.envelope.app_id
        try:
            token = self._apps.token(self._surface, app_id)
            if token is None:
                async with self._token_reading:  # another event's read may bring one
                    token = self._apps.token(self._surface, app_id)
        except ParametersUnavailableError:
            return NO_SETTINGS
        if token is None:
            return _NO_TOKEN
        # The last attempt is always made: no event is dead-lettered without a final try.
        if not await invocation.breaker.allow(app_id, force=self._is_last_attempt(job)):
            return _CIRCUIT_OPEN
        failed: bool | None = None
        try:
            if not invocation.deadline.allows(self.needed_seconds):
                return OUT_OF_TIME
            verdict = await self._send_deduplicated(job, token, invocation)
            failed = verdict.is_unwell if job.attempted else None
        finally:
            invocation.breaker.record(app_id, failed=failed)
        return verdict

    async def _send_deduplicated(
        self, job: EventJob, token: Secret, invocation: Invocation
    ) -> Verdict:
        """Sends an event, unless its claim is refused (S6)."""
        if not self._is_deduplicated(job):
            return await self._send(job, token, invocation)
        digest = content_digest(job.envelope, _sendable(job).content, job.first_seen)
        try:
            claim = await self._claim(job, digest, invocation)
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
        """Whether to deduplicate: what may come twice by itself always, the rest by the setting."""
        deduplicated = self._settings.deduplicate
        if job.envelope.source is not None or deduplicated == "all" or self._is_never_resent(job):
            return True
        if job.is_claimed_anyway:
            return True
        return deduplicated == "money" and _sendable(job).has_revenue

    def _is_never_resent(self, job: EventJob) -> bool:
        """Whether only a person may send it again once it may have been recorded."""
        return self._settings.uncertain_money == "dead_letter" and _sendable(job).has_revenue

    async def _claim(self, job: EventJob, digest: str, invocation: Invocation) -> Claim:
        """Claims an event until the invocation is over: whatever it waits for, it sends before."""
        seconds = invocation.deadline.remaining_seconds + _CLOCK_SKEW_SECONDS
        return await self._deliveries.claim(
            job.delivery_key,
            digest,
            seconds,
            former=job.former(_sendable(job)),
            consent=job.envelope.resend,
        )

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
        verdict = await self._request(job, token, invocation)
        if verdict.reason != CREDENTIALS_REASON:
            return verdict
        fresh = await self._fresh_token(job.envelope.app_id, token, invocation)
        if fresh is None:
            return verdict
        again = await self._request(job, fresh, invocation)
        return verdict if again.reason == NO_TIME else again

    async def _request(self, job: EventJob, token: Secret, invocation: Invocation) -> Verdict:
        """Waits for a turn and makes a request, if there is still time for it then."""
        prepared, longest = _sendable(job), self._longest_rest
        spare = invocation.deadline.remaining_seconds - longest
        has_turn = await self._limiter.acquire(spare)
        if not (has_turn and invocation.deadline.allows(longest)):
            return OUT_OF_TIME
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

    async def _fresh_token(
        self, app_id: str, refused: Secret, invocation: Invocation
    ) -> Secret | None:
        async with self._token_reading:  # one fresh read serves every request that was in flight
            longest = LONGEST_CALL_SECONDS + self._longest_rest
            if not invocation.deadline.allows(longest):
                return None
            return await asyncio.to_thread(self._apps.refuse, self._surface, app_id, refused)


def _interrupted(job: EventJob) -> Verdict:
    return Verdict(Outcome.DEFERRED, "", "unexpected", uncertain=job.attempted)


def _sendable(job: EventJob) -> Prepared:
    if job.prepared is None:  # pragma: no cover - every job is checked before
        message = "a job is checked before it is sent"
        raise AssertionError(message)
    return job.prepared
