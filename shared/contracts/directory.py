"""The directory: topic `heed.directory`, key = the entry's id, compacted; by dispatch, policies by their owner."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from shared.contracts.envelope import Fact
from shared.contracts.shapes import Shape
from shared.contracts.vocabulary import Category

TOPIC = "heed.directory"


class DirectoryFact(Fact):
    """The present state of one entry; the newest replaces the older."""

    TOPIC: ClassVar[str] = TOPIC
    STATED_BY: ClassVar[tuple[str, ...]] = ("dispatch",)


class Named(BaseModel):
    """A name in each language."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    zh: str
    en: str


class OrganisationRecorded(DirectoryFact):
    """An organisation that takes tasks."""

    TYPE: ClassVar[str] = "heed.organisation.recorded"

    organisation: str
    name: Named
    services: tuple[Category, ...] = ()
    areas: tuple[str, ...] = ()
    liaisons: tuple[str, ...] = ()
    """Ids of liaisons and deputies; their names and numbers stay in dispatch."""
    supervisor: str | None = None


class AreaRecorded(DirectoryFact):
    """A place in the tree city › town › village › grid › micro-grid."""

    TYPE: ClassVar[str] = "heed.area.recorded"

    area: str
    """Path of ids, `pinghu/dushangang/huxiao/06`."""
    level: str
    name: Named
    aliases: tuple[str, ...] = ()
    """Names of estates, streets and buildings, and nicknames, by which an address is recognised."""
    polygon: tuple[tuple[float, float], ...] = ()
    """The shape where it is one ring, as (longitude, latitude) in degrees, WGS 84; else empty."""
    shape: Shape | None = None
    """The shape where it has holes or several parts: a GeoJSON geometry (RFC 7946)."""
    people: tuple[str, ...] = ()
    """Ids of liaisons who know the place; their names and numbers stay in dispatch."""


class PolicyRecorded(DirectoryFact):
    """A policy file came into force at a service."""

    TYPE: ClassVar[str] = "heed.policy.recorded"
    STATED_BY: ClassVar[tuple[str, ...]] = ("triage", "dispatch", "followup")

    policy: str
    version: str
