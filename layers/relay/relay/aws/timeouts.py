"""How long one call to AWS may take, in seconds.

SQS, Parameter Store and DynamoDB respond in milliseconds. A function must not spend its time
waiting for one that does not.
"""

from typing import Final

CONNECT_SECONDS: Final = 1
READ_SECONDS: Final = 2
ATTEMPTS: Final = 2
LONGEST_CALL_SECONDS: Final = 7.0
"""Two attempts with a connect and a read each, and a second between them."""
ANSWER_SECONDS: Final = 3.0
"""What a function behind the HTTP API keeps of its time for the response."""
PATIENCE_SECONDS: Final = 18.0
"""For so long a function behind the HTTP API asks Parameter Store again when it throttles a process
that has read nothing yet. Callers wait for 30 s at most: the rest is for a last attempt, the start
of the process and the queue."""
LONGEST_PAUSE_SECONDS: Final = 0.1
"""Between the two attempts of `async_table`."""
RETRY_SECONDS: Final = 0.9
"""For so long a write that DynamoDB was too busy for may be begun again. What is left of
`LONGEST_CALL_SECONDS` is enough for two attempts and the pause between them."""

CLAIM_SECONDS: Final = 3 * LONGEST_CALL_SECONDS
"""An event's claim: a look for its former key, and a second write if there is an item already."""
RESULT_SECONDS: Final = LONGEST_CALL_SECONDS
"""What ends a claim: remembering the delivery or the doubt, or releasing the event."""
PUT_SECONDS: Final = LONGEST_CALL_SECONDS + 1
"""The first call that puts a batch's messages on queues, and a little for the rest."""
