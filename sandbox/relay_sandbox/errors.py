"""What can go wrong with the sandbox itself (never with an event that goes through it)."""


class SandboxError(Exception):
    """The sandbox cannot start or go on. The message says what happened and what to do."""


class PayloadTooLargeError(SandboxError):
    """An invocation's event is larger than Lambda takes: 6 MB."""
