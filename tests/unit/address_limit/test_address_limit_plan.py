"""What the limit per address is planned to be. Pure values."""

from reconciler.core.kind import View
from reconciler.core.values import Action, Known, Origin, Source, Unknown, digest
from reconciler.resources.address_limit.plan import plan_address_limit, targets
from reconciler.resources.address_limit.rules import limit_of, script
from reconciler.resources.address_limit.state import AddressLimitDesired, AddressLimitObserved, Limit

NOW = 1_800_000_000.0


def _desired(connections=512, *, explicit=False):
    source = Source("orchestrator.yaml", 9) if explicit else None
    return AddressLimitDesired(
        table="orchestrator_ab", port=8935, connections=connections, explicit=explicit, source=source
    )


def _plan(desired, **seen):
    return plan_address_limit(desired, Known(AddressLimitObserved(**seen), NOW), View(now=NOW))


def test_a_limit_is_made_changed_and_taken_away():
    (made,) = _plan(_desired()).operations
    assert (made.action, made.change.shown) == (Action.CREATE, "512 connections per address on port 8935")
    (changed,) = _plan(_desired(), limit=Limit(8935, 100)).operations
    assert changed.action is Action.UPDATE
    assert changed.change.shown.startswith("100 connections per address on port 8935 -> 512 ")
    (removed,) = _plan(_desired(0), limit=Limit(8935, 100)).operations
    assert (removed.action, removed.verb) == (Action.DELETE, "remove")
    assert _plan(_desired(), limit=Limit(8935, 512)).operations == ()
    assert _plan(_desired(0)).operations == ()


def test_a_limit_that_went_away_says_so_and_not_where_it_was_declared():
    applied = {target: digest(value) for target, value in targets(_desired(), Unknown("", NOW)).items()}
    view = View(now=NOW, applied=applied)
    (healed,) = plan_address_limit(_desired(), Known(AddressLimitObserved(), NOW), view).operations
    assert (healed.origin, str(healed.cause)) == (Origin.DRIFT, "the packet filter holds no limit")


def test_what_could_not_be_observed_is_left_alone():
    assert plan_address_limit(_desired(), Unknown("x", NOW), View(now=NOW)).operations == ()


def test_only_a_limit_that_was_asked_for_is_missed():
    assert _plan(_desired(), unavailable="the operator is not root").diagnostics == ()
    (said,) = _plan(_desired(explicit=True), unavailable="the operator is not root").diagnostics
    assert said.summary == "512 connections per address cannot be enforced"
    assert said.source == Source("orchestrator.yaml", 9)
    assert _plan(_desired(explicit=True), unavailable="x").operations == ()


def test_rules_that_disagree_are_not_ours():
    assert limit_of({"nftables": []}) == Limit(None, None)
    (repaired,) = _plan(_desired(), limit=Limit(None, None)).operations
    assert repaired.change.shown.startswith("rules that are not ours -> 512 ")


def test_removing_is_valid_whether_there_is_a_table_or_not():
    assert script(_desired(0)) == "add table inet orchestrator_ab\ndelete table inet orchestrator_ab\n"
