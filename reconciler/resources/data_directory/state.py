"""The directories a node needs, and what was seen of them, of the disks and of the clock. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reconciler.core.values import Source, TargetId
from reconciler.layout import Layout
from reconciler.spec.declaration import Declaration

KIND = "data_directory"
PRIVATE = 0o700
_GIB = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """A directory that only we may enter, and so with those `inside` it. `name` ends its target."""

    name: str
    path: Path
    inside: tuple[Path, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        return (self.path, *self.inside)

    @property
    def target(self) -> TargetId:
        return TargetId(f"{KIND}.{self.name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much a file system must have left: less is told."""

    name: str
    path: Path
    least_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDesired:
    """The first directory is the data directory itself; the others follow it."""

    directories: tuple[Directory, ...]
    rooms: tuple[Room, ...]
    source: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDirectory:
    """The permission bits of a directory and of those inside it, by path; None: it is not there."""

    name: str
    modes: tuple[tuple[str, int | None], ...]

    @property
    def wrong(self) -> tuple[tuple[str, int | None], ...]:
        """Those that are missing or open to others."""
        return tuple((path, mode) for path, mode in self.modes if mode != PRIVATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRoom:
    name: str
    free_bytes: int
    total_bytes: int
    free_files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenClock:
    """`disciplined`: somebody (NTP, PTP) keeps it, and it is at most `error_s` off.

    `stepped_s` is its last jump, if recent. `reason` says why it could not be looked at, where that is so.
    """

    disciplined: bool = False
    error_s: float | None = None
    stepped_s: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataObserved:
    directories: tuple[SeenDirectory, ...]
    rooms: tuple[SeenRoom, ...]
    clock: SeenClock


def desire(declaration: Declaration, layout: Layout) -> DataDesired:
    """What a node with this declaration and layout needs: sockets and renditions may be elsewhere."""
    apart = {"run": layout.run, "renditions": layout.renditions}
    inside = [layout.children, layout.edge, layout.logs, layout.specs, layout.tls, *apart.values()]
    return DataDesired(
        directories=(
            Directory(
                name="data",
                path=layout.data,
                inside=tuple(sorted(path for path in inside if path.parent == layout.data)),
            ),
            *(Directory(name=name, path=path) for name, path in apart.items() if path.parent != layout.data),
        ),
        rooms=(
            Room(name="data", path=layout.data, least_bytes=1 * _GIB),
            Room(name="renditions", path=layout.renditions, least_bytes=_GIB // 2),
        ),
        source=declaration.source("paths.data"),
    )
