"""The way of a filing alone: gateway and intake with their databases, nobody who reads what they state.

`python -m bench.door`, with the settings of the standalone system.
"""

import uvloop

import services.gateway.app
from services import standalone
from shared.clock import Clock
from shared.server import serve_app
from shared.settings import Settings
from shared.telemetry import configure_logs


async def serve(settings: Settings) -> None:
    """Run intake whole, and of the gateway all but its consumer."""
    clock = Clock()
    async with standalone.settings_by_service(settings) as own:
        apps = {name: build(own[name], clock) for name, build in standalone.INSIDE.items()}
        gateway = services.gateway.app.build(own["gateway"], clock, apps)
        apps["intake"].state.service.consumer = None
        async with apps["intake"].router.lifespan_context(apps["intake"]):
            await gateway.state.service.start()
            gateway.state.service.is_ready = True

            async def ready(_: str) -> None:
                return None

            await serve_app(gateway, settings.host, settings.port, ready)
            await gateway.state.service.bus.stop()
            await gateway.state.service.database.close()


def main() -> None:
    """Serve until a signal asks to stop."""
    settings = Settings()
    configure_logs(settings.log_level)
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
