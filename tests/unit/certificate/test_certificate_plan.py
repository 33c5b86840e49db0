"""What the certificate's planner decides. Pure values."""

from pathlib import Path

import pytest

from reconciler.core.kind import View
from reconciler.core.values import Action, Impact, Known, Severity, Source, Truth, Unknown
from reconciler.resources.certificate.plan import conditions, plan_certificate, targets
from reconciler.resources.certificate.state import (
    CertificateDesired,
    CertificateObserved,
    DeclaredPair,
    Pair,
    Unusable,
)
from reconciler.spec.secrets import parse_template

NOW = 1_800_000_000.0
DAY = 86_400.0
DECLARED = DeclaredPair(
    chain=Path("/etc/tls/fra.pem"),
    key=parse_template("${file:key.pem}", Path("/etc/tls")),
    source=Source("orchestrator.yaml", 6),
)


def _desired(*names, declared=None):
    return CertificateDesired(
        names=names or ("fra.example.com",),
        declared=declared,
        directory=Path("/data/tls"),
        reference=Path("/data/edge/certificate.json"),
        source=Source("orchestrator.yaml", 4),
    )


def _pair(fingerprint="aa", *names, days=3000.0, made_here=True):
    return Pair(
        fingerprint=fingerprint,
        names=names or ("fra.example.com",),
        not_before=NOW - DAY,
        not_after=NOW + days * DAY,
        made_here=made_here,
    )


def _seen(served=None, declared=None, kept=None):
    return CertificateObserved(served=served, declared=declared, kept=kept)


def _plan(desired, seen):
    return plan_certificate(desired, Known(seen, NOW), View(now=NOW))


def _condition(seen):
    (found,) = conditions(_desired(), Known(seen, NOW), View(now=NOW))
    return found.status, found.reason


def test_one_is_made_where_none_is_declared_and_then_kept():
    (made,) = _plan(_desired(), _seen()).operations
    assert (made.verb, made.action, made.impact) == ("make", Action.CREATE, Impact.NONE)
    assert made.change.shown == "self-made for fra.example.com, ECDSA P-256, 10 years"
    assert _plan(_desired(), _seen(_pair(), kept=_pair())).operations == ()


def test_nothing_is_made_on_what_could_not_be_observed():
    assert plan_certificate(_desired(), Unknown("denied", NOW), View(now=NOW)).operations == ()
    assert targets(_desired(), Unknown("denied", NOW)) == {}


def test_a_new_name_is_added_and_no_old_one_is_lost():
    kept = _pair("aa", "orch-1.example.com")
    (made,) = _plan(_desired("fra.example.com"), _seen(kept, kept=kept)).operations
    assert made.change.shown == "orch-1.example.com -> fra.example.com + orch-1.example.com"
    assert made.impact is Impact.RELOAD
    assert str(made.cause) == "orchestrator.yaml:4 service.uri changed"


def test_a_declared_one_is_taken_when_its_content_differs():
    desired = _desired(declared=DECLARED)
    declared = _pair("bb", made_here=False)
    (taken,) = _plan(desired, _seen(_pair(), declared)).operations
    assert (taken.verb, taken.action, str(taken.cause)) == (
        "take",
        Action.UPDATE,
        "orchestrator.yaml:6 declared",
    )
    assert _plan(desired, _seen(declared, declared)).operations == ()
    renewed = _pair("cc", made_here=False)
    (taken,) = _plan(desired, _seen(declared, renewed)).operations
    assert str(taken.cause) == "orchestrator.yaml:6 its content changed"


def test_an_unusable_declared_one_changes_nothing_and_says_why():
    served = _pair(made_here=False)
    plan = _plan(_desired(declared=DECLARED), _seen(served, Unusable("the key does not belong to it")))
    assert plan.operations == ()
    (said,) = plan.diagnostics
    assert said.severity is Severity.ERROR
    assert said.detail == "the key does not belong to it; the one in use stays"


def test_after_a_declared_one_the_kept_one_comes_back():
    plan = _plan(_desired(), _seen(_pair("bb", made_here=False), kept=_pair("aa")))
    (made,) = plan.operations
    assert made.change.shown == "the self-made one for fra.example.com, kept"


def test_a_self_made_one_is_renewed_before_its_end():
    old = _pair(days=20)
    (made,) = _plan(_desired(), _seen(old, kept=old)).operations
    assert made.change.shown == "renewed"


@pytest.mark.parametrize(
    ("days", "severity", "standing"),
    [
        (22, None, (Truth.TRUE, "Valid")),
        (20, Severity.WARNING, (Truth.TRUE, "CertificateExpiring")),
        (2, Severity.ERROR, (Truth.FALSE, "CertificateExpiring")),
        (-1, Severity.ERROR, (Truth.FALSE, "CertificateExpired")),
    ],
)
def test_the_end_of_a_declared_one_is_announced(days, severity, standing):
    pair = _pair(days=days, made_here=False)
    said = _plan(_desired(declared=DECLARED), _seen(pair, pair)).diagnostics
    assert [found.severity for found in said] == ([severity] if severity else [])
    assert _condition(_seen(pair, pair)) == standing


def test_a_missing_certificate_is_a_condition():
    assert _condition(_seen()) == (Truth.FALSE, "Missing")
    assert _condition(_seen(Unusable("x is missing"))) == (Truth.FALSE, "Unusable")
