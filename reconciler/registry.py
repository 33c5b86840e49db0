"""The explicit registry: which resource kinds a declared node has, in which order, with which eyes and hands.

A new kind is one folder under `resources` and one entry here. Without `acting` no actor is made, so a process
built on it has nothing that could change the node. Kinds meet only here; called by the operator's assembly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from reconciler.children import child_environment
from reconciler.core.kind import Actor, Kind, Observer
from reconciler.core.node import Node, Policy
from reconciler.facts import Facts, read_facts
from reconciler.layout import Layout
from reconciler.resources.address_limit import plan as address_limit_plan
from reconciler.resources.address_limit import state as address_limit_state
from reconciler.resources.address_limit.act import AddressLimitActor
from reconciler.resources.address_limit.nft import PacketFilter
from reconciler.resources.address_limit.observe import AddressLimitObserver
from reconciler.resources.certificate import plan as certificate_plan
from reconciler.resources.certificate import state as certificate_state
from reconciler.resources.certificate.act import CertificateActor
from reconciler.resources.certificate.observe import CertificateObserver
from reconciler.resources.data_directory import plan as data_plan
from reconciler.resources.data_directory import state as data_state
from reconciler.resources.data_directory.act import DataActor
from reconciler.resources.data_directory.clock import ClockWatch
from reconciler.resources.data_directory.observe import DataObserver
from reconciler.resources.edge import plan as edge_plan
from reconciler.resources.edge import state as edge_state
from reconciler.resources.edge.act import EdgeActor
from reconciler.resources.edge.admin import SocketAdmin
from reconciler.resources.edge.observe import EdgeObserver
from reconciler.resources.edge.program import find_envoy
from reconciler.resources.gpus import plan as gpus_plan
from reconciler.resources.gpus import state as gpus_state
from reconciler.resources.gpus.observe import GpusObserver
from reconciler.resources.presets import plan as presets_plan
from reconciler.resources.presets import state as presets_state
from reconciler.resources.presets.act import CalibrationProgram, PresetsActor
from reconciler.resources.presets.observe import PresetsObserver
from reconciler.resources.presets.state import PresetsDesired
from reconciler.resources.runtime import conditions as runtime_conditions
from reconciler.resources.runtime import plan as runtime_plan
from reconciler.resources.runtime import state as runtime_state
from reconciler.resources.runtime.act import RuntimeActor
from reconciler.resources.runtime.observe import RuntimeObserver
from reconciler.resources.runtime.processes import RuntimeProcesses
from reconciler.resources.runtime.state import RuntimeDesired
from reconciler.resources.settings import plan as settings_plan
from reconciler.resources.settings.act import SettingsActor
from reconciler.resources.settings.observe import SettingsObserver
from reconciler.serving.wish import RuntimeWish, wish_for
from reconciler.serving.world import ServingWorld
from reconciler.spec.declaration import Declaration, Healing

_GROUND = (data_state.KIND,)
"""What the others stand on: nothing is built where the node's directories cannot be trusted."""


def build_node(declaration: Declaration, layout: Layout, *, acting: bool, facts: Facts | None = None) -> Node:
    """Everything that is declared, ready to be looked at and, with `acting`, to be changed."""
    entries = tuple(_entries(declaration, layout, facts or read_facts(layout)))
    return Node(
        name=declaration.name,
        revision=declaration.revision,
        kinds=tuple(entry.kind for entry in entries),
        observers={entry.kind.name: entry.observer for entry in entries},
        actors={entry.kind.name: entry.make_actor() for entry in entries if acting and entry.make_actor},
        policy=_policy(declaration, frozenset(entry.kind.name for entry in entries)),
        diagnostics=declaration.warnings,
        text=declaration.text,
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    """One kind with its eyes, and how to make its hands; None where there is nothing to act on."""

    kind: Kind[Any]
    observer: Observer
    make_actor: Callable[[], Actor] | None = None


def _policy(declaration: Declaration, kinds: frozenset[str]) -> Policy:
    """All kinds here are what `automation.drift.runtime` speaks of; none of them is on chain."""
    reported = declaration.automation.drift_runtime is Healing.REPORT
    return Policy(
        protect=frozenset(declaration.automation.protect),
        report_drift=kinds if reported else frozenset(),
    )


def _entries(declaration: Declaration, layout: Layout, facts: Facts) -> Iterator[_Entry]:
    """By phase: what stands on what."""
    gpus = facts.gpus if declaration.gpus.mode != "none" else None
    world = ServingWorld(layout, gpus, facts.clock.now)
    yield _data_directory(data_state.desire(declaration, layout), facts)
    if (certificate := certificate_state.desire(declaration, layout)) is not None:
        yield _certificate(certificate, facts)
    if (gpus_desired := gpus_state.desire(declaration)) is not None:
        yield _gpus(gpus_desired, world)
    if declaration.service is not None:
        wish = wish_for(
            declaration,
            declaration.service,
            layout,
            machine=facts.machine,
            version=facts.program.version,
            versions=facts.libraries,
        )
        yield _presets(PresetsDesired(wish=wish), world, facts)
        yield _settings(wish, world)
        yield _runtime(RuntimeDesired(wish=wish, program=facts.program), world, facts)
    if (edge := edge_state.desire(declaration, layout, find_envoy())) is not None:
        yield _edge(edge, layout, facts)
    limit = address_limit_state.desire(declaration, layout)
    if limit is not None and facts.packets is not None:
        yield _address_limit(limit, facts.packets, facts)


def _data_directory(desired: data_state.DataDesired, facts: Facts) -> _Entry:
    kind = Kind(
        name=data_state.KIND,
        phase=0,
        desired=desired,
        plan=data_plan.plan_data,
        conditions=data_plan.conditions_data,
        targets=data_plan.applied_data,
    )
    return _Entry(kind, DataObserver(desired, ClockWatch(), facts.clock.now), DataActor)


def _certificate(desired: certificate_state.CertificateDesired, facts: Facts) -> _Entry:
    kind = Kind(
        name=certificate_state.KIND,
        phase=1,
        desired=desired,
        plan=certificate_plan.plan_certificate,
        conditions=certificate_plan.conditions,
        targets=certificate_plan.targets,
        needs=_GROUND,
    )
    observer = CertificateObserver(desired, facts.environment, facts.clock)
    return _Entry(kind, observer, lambda: CertificateActor(desired, facts.environment, facts.clock))


def _gpus(desired: gpus_state.GpusDesired, world: ServingWorld) -> _Entry:
    kind = Kind(
        name=gpus_state.KIND,
        phase=2,
        desired=desired,
        plan=gpus_plan.plan_gpus,
        conditions=gpus_plan.conditions_gpus,
        targets=gpus_plan.applied_gpus,
    )
    return _Entry(kind, GpusObserver(world))


def _presets(desired: PresetsDesired, world: ServingWorld, facts: Facts) -> _Entry:
    kind = Kind(
        name=presets_state.KIND,
        phase=3,
        desired=desired,
        plan=presets_plan.plan_presets,
        conditions=presets_plan.conditions_presets,
        targets=presets_plan.applied_presets,
        needs=_GROUND,
        advisory=presets_plan.ADVISORY,
    )
    calibration = CalibrationProgram(facts.clock.now, child_environment(facts.environment))
    return _Entry(
        kind, PresetsObserver(world), lambda: PresetsActor(world, calibration, world.layout.presets)
    )


def _settings(wish: RuntimeWish, world: ServingWorld) -> _Entry:
    """Before the process: what can be changed in the running one is changed there, at once."""
    kind = Kind(
        name=settings_plan.KIND,
        phase=4,
        desired=wish,
        plan=settings_plan.plan_settings,
        targets=settings_plan.applied_settings,
    )
    return _Entry(kind, SettingsObserver(world), lambda: SettingsActor(world))


def _runtime(desired: RuntimeDesired, world: ServingWorld, facts: Facts) -> _Entry:
    kind = Kind(
        name=runtime_state.KIND,
        phase=5,
        desired=desired,
        plan=runtime_plan.plan_runtime,
        conditions=runtime_conditions.conditions_runtime,
        targets=runtime_conditions.applied_runtime,
        needs=_GROUND,
    )
    processes = RuntimeProcesses(world, desired.wish.node, child_environment(facts.environment))
    return _Entry(kind, RuntimeObserver(world), lambda: RuntimeActor(processes, desired))


def _address_limit(
    desired: address_limit_state.AddressLimitDesired, packets: PacketFilter, facts: Facts
) -> _Entry:
    kind = Kind(
        name=address_limit_state.KIND,
        phase=6,
        desired=desired,
        plan=address_limit_plan.plan_address_limit,
        targets=address_limit_plan.targets,
    )
    observer = AddressLimitObserver(desired, packets, facts.clock)
    return _Entry(kind, observer, lambda: AddressLimitActor(desired, packets))


def _edge(desired: edge_state.EdgeDesired, layout: Layout, facts: Facts) -> _Entry:
    kind = Kind(
        name=edge_state.KIND,
        phase=6,
        desired=desired,
        plan=edge_plan.plan_edge,
        conditions=edge_plan.conditions,
        targets=edge_plan.targets,
        needs=_GROUND,
    )
    admin = SocketAdmin()
    observer = EdgeObserver(desired, layout, admin, facts.clock)
    return _Entry(
        kind,
        observer,
        lambda: EdgeActor(desired, layout, admin, facts.clock, child_environment(facts.environment)),
    )
