"""What can go wrong with one exchange; whether anything had been written is in the type.

WireError
├── NotWrittenError         nothing of the request was written
│   ├── NoConnectionError   refused, no such name, TLS failed (its cause says which)
│   ├── NoConnectionInTimeError
│   └── ClosedAtOnceError   the peer ended the connection before it was used
├── ExchangeTimeoutError    no answer's head within the time
├── ConnectionLostError     it ended before an answer's head
└── NotHttpError            what came is not the head of an HTTP/1 answer
"""


class ExchangeError(Exception):
    """An exchange that brought no answer."""


class NotWrittenError(ExchangeError):
    """Nothing of the request was written."""


class NoConnectionError(NotWrittenError):
    """No connection could be made; the cause says why."""


class NoConnectionInTimeError(NotWrittenError):
    """No connection within the time."""


class ClosedAtOnceError(NotWrittenError):
    """The peer ended the new connection before it was used."""


class ExchangeTimeoutError(ExchangeError):
    """No answer's head within the time."""


class ConnectionLostError(ExchangeError):
    """The connection ended after the request was handed to the system, before an answer's head."""


class NotHttpError(ExchangeError):
    """What came is not the head of an HTTP/1 answer."""
