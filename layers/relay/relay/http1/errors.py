"""The errors of one exchange. The type says whether the request may have been written.

ExchangeError
├── NotWrittenError         nothing of the request was written
│   ├── NoConnectionError   refused, no such name, TLS failed (its cause says which)
│   ├── NoConnectionInTimeError
│   └── ClosedAtOnceError   the peer closed the connection before it was used
├── ExchangeTimeoutError    no head of a response within the time
├── ConnectionLostError     the connection ended before the head of a response
└── NotHttpError            the bytes received are not the head of an HTTP/1 response
"""


class ExchangeError(Exception):
    """An exchange without a response."""


class NotWrittenError(ExchangeError):
    """Nothing of the request was written."""


class NoConnectionError(NotWrittenError):
    """No connection could be opened; the cause says why."""


class NoConnectionInTimeError(NotWrittenError):
    """No connection within the time."""


class ClosedAtOnceError(NotWrittenError):
    """The peer closed the new connection before it was used."""


class ExchangeTimeoutError(ExchangeError):
    """No head of a response within the time."""


class ConnectionLostError(ExchangeError):
    """The connection ended after the request was passed to the system, before a response's head."""


class NotHttpError(ExchangeError):
    """The bytes received are not the head of an HTTP/1 response."""
