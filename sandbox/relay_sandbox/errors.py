"""Errors of the sandbox itself, never of an event that goes through it."""


class SandboxError(Exception):
    """The sandbox cannot start or continue. The message says what happened and what to do."""


class PayloadTooLargeError(SandboxError):
    """An invocation's event exceeds Lambda's limit of 6 MB."""
