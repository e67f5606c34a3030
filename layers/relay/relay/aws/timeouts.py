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
