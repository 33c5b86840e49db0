"""The diff of settings: declared against accepted, one operation per target, with its words. PURE.

No runtime, no operations: the document a new runtime starts from holds every setting already. Called by the
core's planner through the registry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconciler.core.kind import KindPlan, View
from reconciler.core.values import (
    Action,
    Cause,
    Change,
    Impact,
    Json,
    Known,
    Observation,
    Operation,
    OperationId,
    Origin,
    Source,
    TargetId,
)
from reconciler.resources.settings.order import GATEWAYS, in_safe_order, part
from reconciler.resources.settings.state import Setting, SettingsObserved, settings_of
from reconciler.resources.settings.words import Running, change_words, impact_words, wei
from reconciler.serving.spec import completed, document
from reconciler.serving.wish import RuntimeWish

KIND = "settings"
LANE = "runtime"
_PRICE = TargetId("runtime.pricing.video")
_WORKERS = "runtime.workers."

Settings = Mapping[TargetId, Setting]


def plan_settings(desired: RuntimeWish, observed: Observation, view: View) -> KindPlan:
    if not isinstance(observed, Known) or not isinstance(observed.value, SettingsObserved):
        return KindPlan()
    seen = observed.value
    if seen.process is None:
        return KindPlan()
    diff = _Diff(desired, seen, view, wanted_settings(desired, seen), settings_of(seen.document))
    differing = diff.targets()
    return KindPlan(
        operations=in_safe_order(
            [operation for target in differing for operation in diff.operations(target)]
        ),
        unchanged=sum(target not in differing for target in diff.wanted),
    )


def wanted_settings(wish: RuntimeWish, seen: SettingsObserved) -> Settings:
    """What is declared, given what is there: what nobody can know now stays as it is."""
    return settings_of(document(completed(wish.spec(seen.surroundings), seen.document), 0))


def applied_settings(wish: RuntimeWish, observed: Observation) -> Mapping[TargetId, Json]:
    """What is remembered as applied once no difference is left."""
    if not isinstance(observed, Known) or not isinstance(observed.value, SettingsObserved):
        return {}
    return {target: setting.value for target, setting in wanted_settings(wish, observed.value).items()}


@dataclass(frozen=True, slots=True)
class _Diff:
    """Everything that each operation's words stand on."""

    wish: RuntimeWish
    seen: SettingsObserved
    view: View
    wanted: Settings
    accepted: Settings

    def targets(self) -> tuple[TargetId, ...]:
        return tuple(
            target
            for target in dict.fromkeys((*self.wanted, *self.accepted))
            if _value(self.wanted, target) != _value(self.accepted, target)
            or (target in self.wanted) != (target in self.accepted)
        )

    def operations(self, target: TargetId) -> Iterator[Operation]:
        """One; two for a gateway that takes another address, so that swapped addresses never meet."""
        before, after = _value(self.accepted, target), _value(self.wanted, target)
        if target not in self.wanted:
            yield self._operation(target, Action.DELETE, before=before, after=None)
        elif target not in self.accepted:
            yield self._operation(target, Action.CREATE, before=None, after=after)
        elif target.startswith(GATEWAYS) and part(before, "address") != part(after, "address"):
            yield self._operation(target, Action.DELETE, before=before, after=None, step=":leave")
            yield self._operation(target, Action.CREATE, before=None, after=after)
        else:
            yield self._operation(target, Action.UPDATE, before=before, after=after)

    def _operation(
        self, target: TargetId, action: Action, *, before: Json, after: Json, step: str = ""
    ) -> Operation:
        sessions = self.seen.status.sessions_live
        origin = self._origin(target)
        closing = target == "runtime.admission" and after == "closed"
        place = self.wanted.get(target) or self.accepted[target]
        return Operation(
            id=OperationId(f"{target}{step}"),
            kind=KIND,
            verb="remove" if action is Action.DELETE else "set",
            target=target,
            action=action,
            origin=origin,
            cause=self._cause(target, origin),
            change=Change(before=before, after=after, shown=change_words(target, before, after)),
            lane=LANE,
            impact=Impact.DRAIN if closing else Impact.NONE,
            impact_note=impact_words(target, before, after, Running(sessions, self._price())),
            interrupts=sessions if closing else 0,
            precondition={"before": before},
            arguments={"path": list(place.path), "value": after, "remove": action is Action.DELETE},
            notes=self._negotiated() if target == _PRICE else (),
            timeout_s=30.0,
        )

    def _price(self) -> str | None:
        price = _value(self.accepted, _PRICE)
        return price if isinstance(price, str) else None

    def _origin(self, target: TargetId) -> Origin:
        """An entry that is declared nowhere and was never applied by us came from outside."""
        if target not in self.wanted and self.view.applied and target not in self.view.applied:
            return Origin.DRIFT
        return self.view.origin(target, _value(self.wanted, target))

    def _cause(self, target: TargetId, origin: Origin) -> Cause:
        declared = target in self.wanted
        if origin is Origin.DRIFT:
            return Cause("the runtime holds another value than the files" if declared else "declared nowhere")
        if target.startswith(_WORKERS):
            return Cause("follows from sessions, cores and GPUs", self._source_above(target))
        if not declared:
            return Cause("no longer declared")
        if target in self.wish.sources:
            relative = target.removeprefix(GATEWAYS) in self.wish.relative
            text = "changed, or the common price that it is a share of" if relative else "changed"
            return Cause(text, self.wish.sources[target])
        source = self._source_above(target)
        return Cause("decides it", source) if source else Cause("not declared: this version's default")

    def _source_above(self, target: str) -> Source | None:
        while target := target.rpartition(".")[0]:
            if found := self.wish.sources.get(target):
                return found
        return None

    def _negotiated(self) -> tuple[tuple[str, str], ...]:
        """Who does not follow the common price: gateways with a price of their own that stays as it is."""
        kept = [
            f"{target.removeprefix(GATEWAYS)} {wei(part(setting.value, 'video'))}"
            for target, setting in self.wanted.items()
            if target.startswith(GATEWAYS)
            and part(setting.value, "video") is not None
            and _value(self.accepted, target) == setting.value
        ]
        return (("note", f"{', '.join(kept)}: unchanged (negotiated)"),) if kept else ()


def _value(settings: Settings, target: TargetId) -> Json:
    setting = settings.get(target)
    return setting.value if setting else None
