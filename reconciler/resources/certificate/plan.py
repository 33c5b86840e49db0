"""Decides which certificate the edge shows, and says so. Pure.

A declared one is taken as soon as its content differs from the served one. Otherwise one is made once and
stays, until the service gets a name that it lacks (then names are added, none is lost) or its end is near. A
declared one that cannot be served changes nothing: the old one stays, and the plan says what is wrong.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from reconciler.core.kind import KindPlan, View
from reconciler.core.values import (
    Action,
    Cause,
    Change,
    Condition,
    Diagnostic,
    Impact,
    Json,
    Known,
    Observation,
    Operation,
    OperationId,
    Severity,
    TargetId,
    Truth,
)
from reconciler.resources.certificate.state import (
    KIND,
    CertificateDesired,
    CertificateObserved,
    Pair,
    Unusable,
)

TARGET = TargetId("edge.certificate")
_DAY_S = 86_400.0
WARN_S = 21 * _DAY_S
ERROR_S = 3 * _DAY_S


def plan_certificate(desired: CertificateDesired, observed: Observation, view: View) -> KindPlan:
    if not isinstance(observed, Known) or not isinstance(observed.value, CertificateObserved):
        return KindPlan()
    seen = observed.value
    operation = _take(desired, seen, view) if desired.declared else _make(desired, seen, view)
    return KindPlan(
        operations=(operation,) if operation else (),
        unchanged=0 if operation else 1,
        diagnostics=_diagnostics(desired, seen, view.now),
    )


def targets(desired: CertificateDesired, observed: Observation) -> Mapping[TargetId, Json]:
    if not isinstance(observed, Known) or not isinstance(observed.value, CertificateObserved):
        return {}
    return {TARGET: _wanted(desired, observed.value)}


def precondition(seen: CertificateObserved) -> Json:
    return {"served": _fingerprint(seen.served), "declared": _fingerprint(seen.declared)}


def wanted_names(desired: CertificateDesired, seen: CertificateObserved) -> tuple[str, ...]:
    """Those of the service, and those that the one made here has already."""
    older = seen.kept.names if seen.kept else ()
    return (*desired.names, *(name for name in older if name not in desired.names))


def reusable(desired: CertificateDesired, seen: CertificateObserved, now: float) -> Pair | None:
    """The kept one, where it still does."""
    kept = seen.kept
    return kept if kept and kept.covers(desired.names) and kept.not_after - now > WARN_S else None


def conditions(_desired: CertificateDesired, observed: Observation, view: View) -> tuple[Condition, ...]:
    status, reason, message = _standing(observed, view.now)
    return (view.condition("CertificateValid", status, reason, message),)


def _take(desired: CertificateDesired, seen: CertificateObserved, view: View) -> Operation | None:
    found = seen.declared
    if not isinstance(found, Pair) or _fingerprint(seen.served) == found.fingerprint:
        return None
    source = desired.declared.source if desired.declared else None
    served = seen.served
    text = "declared" if not isinstance(served, Pair) or served.made_here else "its content changed"
    shown = f"{_name(served)} -> {_name(found)}" if served else _name(found)
    return _operation(desired, seen, view, cause=Cause(text, source), shown=shown)


def _make(desired: CertificateDesired, seen: CertificateObserved, view: View) -> Operation | None:
    served = seen.served
    if isinstance(served, Pair) and served.made_here:
        if not served.covers(desired.names):
            names = wanted_names(desired, seen)
            shown = f"{' + '.join(served.names)} -> {' + '.join(names)}"
            return _operation(
                desired, seen, view, cause=Cause("service.uri changed", desired.source), shown=shown
            )
        if served.not_after - view.now > WARN_S:
            return None
        return _operation(
            desired, seen, view, cause=Cause(f"it ends on {_date(served.not_after)}"), shown="renewed"
        )
    listed = ", ".join(wanted_names(desired, seen))
    if reusable(desired, seen, view.now):
        cause, shown = Cause(_why_gone(served)), f"the self-made one for {listed}, kept"
    else:
        cause = Cause("none is declared, so one is made and kept", desired.source)
        shown = f"self-made for {listed}, ECDSA P-256, 10 years"
    return _operation(desired, seen, view, cause=cause, shown=shown)


def _operation(
    desired: CertificateDesired, seen: CertificateObserved, view: View, *, cause: Cause, shown: str
) -> Operation:
    value = _wanted(desired, seen)
    return Operation(
        id=OperationId(TARGET),
        kind=KIND,
        verb="take" if desired.declared else "make",
        target=TARGET,
        action=Action.UPDATE if seen.served else Action.CREATE,
        origin=view.origin(TARGET, value),
        cause=cause,
        change=Change(before=_fingerprint(seen.served), after=value, shown=shown),
        lane="edge",
        impact=Impact.RELOAD if seen.served else Impact.NONE,
        impact_note="connections keep theirs; new ones get the new one at once" if seen.served else "",
        precondition=precondition(seen),
    )


def _wanted(desired: CertificateDesired, seen: CertificateObserved) -> Json:
    if desired.declared:
        return {"declared": _fingerprint(seen.declared)}
    return {"self-made": list(desired.names)}


def _diagnostics(
    desired: CertificateDesired, seen: CertificateObserved, now: float
) -> tuple[Diagnostic, ...]:
    found = []
    source = desired.declared.source if desired.declared else None
    if isinstance(seen.declared, Unusable):
        stays = "the one in use stays" if isinstance(seen.served, Pair) else "the edge cannot start"
        found.append(
            Diagnostic(
                Severity.ERROR,
                "the declared certificate cannot be used",
                f"{seen.declared.problem}; {stays}",
                source,
            )
        )
    shown = seen.declared if isinstance(seen.declared, Pair) else seen.served
    if isinstance(shown, Pair) and not shown.made_here and shown.not_after - now < WARN_S:
        severity = Severity.ERROR if shown.not_after - now < ERROR_S else Severity.WARNING
        found.append(Diagnostic(severity, f"the certificate {_until(shown, now)}", "renew it", source))
    return tuple(found)


def _standing(observed: Observation, now: float) -> tuple[Truth, str, str]:
    if not isinstance(observed, Known) or not isinstance(observed.value, CertificateObserved):
        return Truth.UNKNOWN, "NotObserved", observed.reason if not isinstance(observed, Known) else ""
    served = observed.value.served
    match served:
        case None:
            return Truth.FALSE, "Missing", "the edge has no certificate yet"
        case Unusable():
            return Truth.FALSE, "Unusable", served.problem
        case Pair():
            left_s = served.not_after - now
            if left_s >= WARN_S:
                return Truth.TRUE, "Valid", f"until {_date(served.not_after)}"
            status = Truth.TRUE if left_s >= ERROR_S else Truth.FALSE
            return status, "CertificateExpiring" if left_s > 0 else "CertificateExpired", _until(served, now)


def _why_gone(served: Pair | Unusable | None) -> str:
    match served:
        case Pair():
            return "no certificate is declared any more"
        case Unusable():
            return served.problem
        case None:
            return "the edge is not told which certificate to show"


def _until(pair: Pair, now: float) -> str:
    days = (pair.not_after - now) / _DAY_S
    return (
        f"ended on {_date(pair.not_after)}"
        if days <= 0
        else f"ends in {days:.0f} days, on {_date(pair.not_after)}"
    )


def _date(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).date().isoformat()


def _name(pair: Pair | Unusable | None) -> str:
    match pair:
        case Pair():
            return f"{', '.join(pair.names) or 'a certificate without names'} (until {_date(pair.not_after)})"
        case Unusable():
            return "an unusable one"
        case None:
            return "none"


def _fingerprint(pair: Pair | Unusable | None) -> str | None:
    match pair:
        case Pair():
            return pair.fingerprint
        case Unusable():
            return f"unusable: {pair.problem}"
        case None:
            return None
