"""The tree of the relay's errors.

    RelayError
      PermanentError             trying again cannot help
        NotAnEnvelopeError       a record's body is not an envelope
        UnknownAppError          the app id has no settings in Parameter Store
        UnreadableWebhookError   a webhook's body is not what its provider documents
        SignatureRefusedError    a webhook's signature is missing or wrong
          StaleSignatureError    signed too long ago, or in the future
      TransientError             the same call may work later
        SendFailedError          no HTTP response came from AppsFlyer: `sure`, `reason`
        ParametersUnavailableError   Parameter Store did not respond
        TableUnavailableError    DynamoDB did not respond, or not in time, or refused
          TableBusyError         it throttled this one write: a moment later it may take it
      OperatorError              the relay's set-up is wrong: a person must act
        ConfigurationError       a setting or parameter is missing or malformed: `key`
          EntryUnreadableError     the caller may be in an entry with a mistake, logged before
        UnreadableItemError      an item of a table is not what the relay writes

No message holds a value from a sender, a provider or Parameter Store.
"""


class RelayError(Exception):
    """The root of every error that the relay raises on purpose."""


class PermanentError(RelayError):
    """Trying again cannot help."""


class NotAnEnvelopeError(PermanentError):
    """The body of a record is not an envelope; the message says what is wrong with its shape."""


class UnknownAppError(PermanentError):
    """No settings for this app id in Parameter Store."""


class UnreadableWebhookError(PermanentError):
    """A webhook's body is not what its provider documents; the message names the field."""


class SignatureRefusedError(PermanentError):
    """A webhook's signature is missing or wrong. The message is for the log, not for the caller."""


class StaleSignatureError(SignatureRefusedError):
    """A webhook was signed too long ago, or in the future."""


class TransientError(RelayError):
    """The same call may work later."""


class SendFailedError(TransientError):
    """No HTTP response came back from AppsFlyer (E16).

    `sure` is true when AppsFlyer surely did not record the event; false when it may have.
    `reason` is a stable code such as `connect_refused`, for logs and metrics.
    """

    def __init__(self, reason: str, *, sure: bool) -> None:
        super().__init__(f"AppsFlyer gave no answer: {reason}")
        self.reason = reason
        self.sure = sure


class ParametersUnavailableError(TransientError):
    """Parameter Store did not respond."""


class TableUnavailableError(TransientError):
    """DynamoDB did not respond, or not in time, or refused."""


class TableBusyError(TableUnavailableError):
    """DynamoDB throttled this one write, or failed at it: a moment later it may take it."""


class OperatorError(RelayError):
    """The relay's set-up is wrong: a person must act."""


class ConfigurationError(OperatorError):
    """A setting or a parameter is missing or malformed; `key` names it, never its value."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key


class EntryUnreadableError(ConfigurationError):
    """The caller may be the one in an entry of a parameter that cannot be read.

    The entry was logged when the parameter was read: it is not logged for each caller.
    """


class UnreadableItemError(OperatorError):
    """An item of a table is not what the relay writes; the message names the attribute at fault."""
