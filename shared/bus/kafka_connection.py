"""A connection of aiokafka that says it is broken, where uvloop says it in words of its own.

On uvloop a write to a connection that the other side has closed raises RuntimeError, where asyncio raises OSError or
nothing. aiokafka does not know it (aio-libs/aiokafka#1038): the task that follows the cluster ends with it, and the
client reads and writes nothing any more, in silence.
"""

from typing import Any

import aiokafka.conn
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError


class Connection(AIOKafkaConnection):  # type: ignore[misc] # the library is not typed
    """Tells of a closed transport as of any other loss of the connection."""

    def send(self, request: Any, expect_response: bool = True) -> Any:
        """As the library's; raises KafkaConnectionError where the connection is lost."""
        try:
            return super().send(request, expect_response)
        except RuntimeError as closed:
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"the connection to {self.host}:{self.port} is closed") from closed


def tell_of_closed_connections() -> None:
    """Have every client of this process use it. May be called again."""
    aiokafka.conn.AIOKafkaConnection = Connection
