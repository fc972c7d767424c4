"""Every option of Heed: its name with a unit, its default, and a sentence. Read once, from the environment (HEED_…),
from files in the folder HEED_SECRETS names, and by the standalone start from var/secrets."""

import base64
import os
from functools import cached_property
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict

ROOT = Path(__file__).resolve().parents[1]


class Settings(BaseSettings):
    """All options. A secret has no default: the standalone start makes its own, a single service refuses to start."""

    model_config = SettingsConfigDict(env_prefix="HEED_", extra="ignore", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 there is none
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 ours knows its folder when it is asked
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is passed, then the environment, then a file of the option's name in the folder HEED_SECRETS names."""
        files = SecretsSettingsSource(settings_cls, secrets_dir=os.environ.get("HEED_SECRETS"), env_prefix="")
        return init_settings, env_settings, files

    # where things are
    secrets: Path | None = Field(
        None, description="Folder with a file for each secret, named as the option is here: `hash_secret` …"
    )
    var: Path = Field(Path("var"), description="Folder for all state of the standalone system.")
    host: str = Field("127.0.0.1", description="Address that the HTTP server binds to.")
    port: int = Field(8000, description="Port that the HTTP server binds to; 0 takes a free one.")
    reuse_port: bool = Field(
        False, description="Let several processes listen on the port; the kernel shares the calls out (Linux)."
    )
    base_url: str | None = Field(None, description="Address under which the public reaches the gateway.")
    token: SecretStr | None = Field(
        None, description="Token that the command line calls with; unset, the operator's from the credentials in var."
    )
    postgres: str | None = Field(
        None,
        description="URL of a PostgreSQL server, as a user who may create roles and databases; "
        "unset, the standalone system starts its own.",
    )
    database: str | None = Field(None, description="URL of this one service's own database, for `heed serve`.")
    bus: str | None = Field(
        None,
        description="URL of the bus: kafka://host:9092,host:9092 for a Kafka cluster, kafka+tls://user:password@… for "
        "one that asks who is there (docs/operating.md), postgresql://… for the log in PostgreSQL.",
    )
    bus_partitions: int = Field(4, ge=1, le=256, description="Partitions of each topic, fixed when it is created.")
    bus_replication: int | None = Field(
        None,
        ge=1,
        le=9,
        description="Copies of each topic on Kafka, fixed when it is created; unset, one a broker and at most three.",
    )
    instance: str | None = Field(
        None, description="Name of this process among the replicas; the same name takes over its own leases at once."
    )
    city_dir: Path = Field(
        ROOT / "deploy" / "sample", description="Folder of the city's files that the first start applies."
    )
    time_zone: str = Field("Asia/Shanghai", description="The city's time zone (IANA), for shifts and dates in texts.")

    # upstreams of the gateway
    intake_url: str | None = Field(
        None, description="Addresses of intake's replicas, by comma, for a gateway of its own."
    )
    triage_url: str | None = Field(
        None, description="Addresses of triage's replicas, by comma, for a gateway of its own."
    )
    dispatch_url: str | None = Field(
        None, description="Addresses of dispatch's replicas, by comma, for a gateway of its own."
    )
    followup_url: str | None = Field(
        None, description="Addresses of followup's replicas, by comma, for a gateway of its own."
    )
    callbacks_url: str | None = Field(
        None, description="Addresses of callbacks's replicas, by comma, for a gateway of its own."
    )
    gateway_url: str | None = Field(None, description="Address of the gateway, for callbacks that ask for a phone.")

    # limits of the gateway
    anonymous_calls_per_minute: int = Field(
        3000,
        ge=1,
        description="Calls per minute from one address without a token; a mobile network may be one address.",
    )
    resident_calls_per_minute: int = Field(120, ge=1, description="Calls per minute with one tracking token.")
    named_calls_per_minute: int = Field(12_000, ge=1, description="Calls per minute of one staff member or partner.")
    streams_per_caller: int = Field(20, ge=1, description="Live streams that one caller may keep open at a time.")
    body_limit_bytes: int = Field(524_288, ge=1024, description="Largest request body that the gateway takes.")
    upstream_seconds: float = Field(30.0, gt=0, description="How long the gateway waits for a service's answer.")

    # secrets
    identity_private_key: SecretStr | None = Field(
        None, description="Ed25519 key (PEM) by which the gateway signs who calls; only the gateway has it."
    )
    identity_public_key: str | None = Field(None, description="The public half (PEM), for every service.")
    tracking_secret: SecretStr | None = Field(
        None, description="Secret of the tracking tokens, 32 bytes in base64; for intake and gateway."
    )
    hash_secret: SecretStr | None = Field(
        None, description="Secret of the keyed hashes and salted text hashes, 32 bytes in base64."
    )
    encryption_keys: SecretStr | None = Field(
        None, description="Keyring for what is encrypted at rest: `1:<base64 of 32 bytes>,2:…`; the highest seals."
    )

    # callbacks
    dangerous_callback_networks: str = Field(
        "",
        description="Networks that webhooks may reach besides the public ones, on any port and without TLS: "
        "`127.0.0.0/8,::1/128` to try Heed out, the city's own where partners sit in it.",
    )
    callback_timeout_seconds: float = Field(15.0, gt=0, description="How long one call to a partner may take in all.")
    callback_lease_seconds: float = Field(
        60.0, gt=0, description="After how long a delivery in the hands of a dead process is sent again."
    )
    callback_concurrency: int = Field(128, ge=1, description="Most calls to partners under way at once.")
    callback_endpoint_concurrency: int = Field(16, ge=1, description="Most of them to one endpoint.")
    callback_retry_seconds: str = Field(
        "5,300,1800,7200,18000,36000,50400,72000,86400",
        description="Pauses between the attempts of a delivery, each ±20 %; after the last one it has failed.",
    )
    callback_disable_after_seconds: float = Field(
        432_000.0, gt=0, description="An endpoint that only failed for this long is disabled."
    )
    callback_disable_span_seconds: float = Field(
        43_200.0, ge=0, description="Least time between its first and last failure before it is disabled."
    )
    callback_retention_days: float = Field(
        30.0, gt=0, description="How long facts are kept for replay, and deliveries and notices for reading."
    )
    notice_provider_url: str | None = Field(
        None, description="Address of the city's message provider (SMS, WeChat); unset, notices go to the app alone."
    )
    notice_provider_secret: SecretStr | None = Field(
        None, description="Secret (whsec_…) by which calls to the message provider are signed."
    )
    gateway_token: SecretStr | None = Field(
        None, description="Token by which callbacks asks the gateway for the phone that a notice goes to."
    )

    # running
    log_level: str = Field("info", description="Least severity that is logged: debug, info, warning or error.")
    batch_events: int = Field(500, ge=1, le=10_000, description="Most events taken from the bus in one transaction.")
    lease_seconds: float = Field(10.0, gt=0, description="How long a frozen process keeps what it held.")
    poll_seconds: float = Field(1.0, gt=0, description="How often a loop looks by itself where no signal came.")
    seal_seconds: float = Field(60.0, gt=0, description="How often the running hashes of the log are published.")
    stop_seconds: float = Field(10.0, gt=0, description="How long a graceful stop may take.")
    idempotency_hours: float = Field(72.0, gt=0, description="How long an Idempotency-Key is remembered.")
    dangerous_clock_rate: float = Field(
        1.0, gt=0, description="Seconds that pass in one real second: for demonstrations, never in a city."
    )

    dangerous_clock_offset_seconds: float = Field(
        0.0, description="By how much the machine's clock is taken to be wrong: for trials, never in a city."
    )

    @field_validator("tracking_secret", "hash_secret")
    @classmethod
    def _is_32_bytes(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(base64.b64decode(secret.get_secret_value(), validate=True)) != 32:
            raise ValueError("must be 32 bytes in base64, as `openssl rand -base64 32` prints them")
        return secret

    @cached_property
    def tracking_bytes(self) -> bytes:
        """The secret of the tracking tokens."""
        return base64.b64decode(required(self.tracking_secret, "tracking_secret"))

    @cached_property
    def hash_bytes(self) -> bytes:
        """The secret of keyed and text hashes."""
        return base64.b64decode(required(self.hash_secret, "hash_secret"))


class SettingMissing(ValueError):
    """A setting without which the service cannot start."""


def required(value: SecretStr | str | None, name: str) -> str:
    """The value; raises SettingMissing, with the variable's name, where it is unset."""
    if value is None:
        raise SettingMissing(f"HEED_{name.upper()} is not set. Set it, or start everything with `heed run`.")
    return value.get_secret_value() if isinstance(value, SecretStr) else value
