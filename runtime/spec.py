"""The runtime-spec document as values: checked whole, refused with every reason, compared by impact.

The operator writes the document, `schemas/runtime-spec.schema.json` defines it, and nothing else tells the
runtime what to be. Called at start-up and for each `PUT /spec`. Reads no file and applies nothing.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import jsonschema

import schemas
from runtime.video.jobs import WorkerSlot

JsonObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a document was refused. `path` is a JSON pointer into it."""

    path: str
    message: str


class SpecRefused(Exception):
    """Raised when a document cannot be accepted; nothing of it was taken."""

    def __init__(self, reasons: tuple[Reason, ...]) -> None:
        super().__init__("; ".join(f"{reason.path}: {reason.message}" for reason in reasons))
        self.reasons = reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """An agreement with one gateway. `price` is in wei per pixel."""

    name: str
    address: bytes
    price: Fraction | None
    reserve: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    body_bytes: int
    body_idle_s: float
    drain_s: float
    session_idle_s: float
    queue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSpec:
    """One accepted document. `document` is it, as received; `digest` is of its canonical text.

    `reserved` maps the address of each gateway that has sessions kept free to their number.
    """

    document: JsonObject
    digest: str
    generation: int
    node: str
    version: str
    log_level: str
    service_uri: str
    admission: str
    database: str
    renditions: str
    log_file: str
    sessions: int
    preset: str
    workers: Mapping[str, WorkerSlot]
    price: Fraction | None
    gateways: tuple[Gateway, ...]
    reserved: Mapping[bytes, int]
    limits: Limits


def parse_spec(document: object) -> RuntimeSpec:
    """The values of a document, or `SpecRefused` with all that is wrong with it."""
    reasons = tuple(_schema_reasons(document))
    if reasons or not isinstance(document, Mapping):
        raise SpecRefused(reasons or (Reason("", "is not an object"),))
    reasons = tuple(_meaning_reasons(document))
    if reasons:
        raise SpecRefused(reasons)
    return _read(document)


def changes_that_need_a_new_process(old: JsonObject, new: JsonObject) -> tuple[Reason, ...]:
    """The fields, by their declared impact, that differ and cannot be taken by a serving process."""
    return tuple(
        Reason(pointer, "changing this needs a new runtime beside the old one")
        for pointer in _replace_pointers(schemas.load("runtime-spec"), "")
        if _at(old, pointer) != _at(new, pointer)
    )


def digest_of(document: object) -> str:
    """Hex SHA-256 of the canonical JSON text (sorted keys, no spaces)."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def _validator() -> jsonschema.protocols.Validator:
    return jsonschema.Draft202012Validator(schemas.load("runtime-spec"))


def _schema_reasons(document: object) -> Iterator[Reason]:
    for error in sorted(
        _validator().iter_errors(cast("Any", document)), key=lambda error: [str(p) for p in error.path]
    ):
        yield Reason("".join(f"/{part}" for part in error.absolute_path), error.message)


def _meaning_reasons(document: JsonObject) -> Iterator[Reason]:
    if document["identity"]["address"] is not None:
        yield Reason("/identity/address", "this runtime serves off-chain only: it holds no signing key yet")
    seen: dict[str, str] = {}
    for name, gateway in document["gateways"].items():
        other = seen.setdefault(gateway["address"], name)
        if other != name:
            yield Reason(f"/gateways/{name}/address", f"is the address of gateway {other} too")


def _replace_pointers(schema: JsonObject, pointer: str) -> Iterator[str]:
    for name, part in schema.get("properties", {}).items():
        if part.get("x-impact") == "replace":
            yield f"{pointer}/{name}"
        elif "x-impact" not in part:
            yield from _replace_pointers(part, f"{pointer}/{name}")


def _at(document: object, pointer: str) -> object:
    value = document
    for part in pointer.split("/")[1:]:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _price(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)


def _read_gateways(document: JsonObject) -> Iterator[Gateway]:
    for name, gateway in document["gateways"].items():
        yield Gateway(
            name=name,
            address=bytes.fromhex(gateway["address"][2:]),
            price=_price(gateway["video"]),
            reserve=gateway["reserve"],
        )


def _read(document: JsonObject) -> RuntimeSpec:
    video, paths, limits = document["video"], document["paths"], document["limits"]
    gateways = tuple(_read_gateways(document))
    return RuntimeSpec(
        document=document,
        digest=digest_of(document),
        generation=document["generation"],
        node=document["node"]["name"],
        version=document["node"]["version"],
        log_level=document["log"],
        service_uri=document["service"]["uri"],
        admission=document["service"]["admission"],
        database=paths["database"],
        renditions=paths["renditions"],
        log_file=paths["log"],
        sessions=video["sessions"],
        preset=video["preset"],
        workers={
            slot: WorkerSlot(
                device=worker["device"], threads=worker["threads"], memory_bytes=worker["memoryBytes"]
            )
            for slot, worker in video["workers"].items()
        },
        price=_price(document["pricing"]["video"]),
        gateways=gateways,
        reserved={gateway.address: gateway.reserve for gateway in gateways if gateway.reserve},
        limits=Limits(
            body_bytes=limits["bodyBytes"],
            body_idle_s=limits["bodyIdleSeconds"],
            drain_s=limits["drainSeconds"],
            session_idle_s=limits["sessionIdleSeconds"],
            queue=limits["queue"],
        ),
    )
