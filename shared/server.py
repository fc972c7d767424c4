"""The HTTP server: uvicorn on an address, until a signal asks to stop."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator

import uvicorn

from shared.web import ASGIApp

BACKLOG = 2048
STOP_SECONDS = 5
COLLECT_AFTER = (20_000, 20, 50)
"""gc.set_threshold: new objects before a young round, young rounds before a middle one, middle ones before a full."""


class Server(uvicorn.Server):
    """uvicorn without its handling of signals: that raises them again, which would cut our own stop short."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serve_app`."""
        yield


async def serve_app(
    app: ASGIApp, host: str, port: int, ready: Callable[[str], Awaitable[None]], *, reuse_port: bool = False
) -> None:
    """Serve a started app until SIGINT or SIGTERM; `ready` gets the address once calls are answered.

    Raises OSError where the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), backlog=BACKLOG, family=family, reuse_port=reuse_port) as listening:
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        server = Server(config)
        _spare_the_collector()
        with _stopping(server):
            serving = asyncio.create_task(server.serve(sockets=[listening]), name="http")
            try:
                await ready(f"http://{host}:{listening.getsockname()[1]}")
                await asyncio.shield(serving)
            finally:
                server.should_exit = True
                await serving


def _spare_the_collector() -> None:
    """Leave what the start has loaded out of the garbage collector's rounds, and let them come less often.

    Walking some hundred thousand objects that live to the end took a quarter of the CPU under load.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


@contextlib.contextmanager
def _stopping(server: uvicorn.Server) -> Iterator[None]:
    """Let SIGINT and SIGTERM ask for a graceful stop."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def ask() -> None:
        server.should_exit = True

    for number in signals:
        loop.add_signal_handler(number, ask)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
