"""What the core's properties are about: any declared state, any world, any blindness."""

from __future__ import annotations

from dataclasses import asdict

from hypothesis import settings
from hypothesis import strategies as st

from reconciler.core.node import Desired
from reconciler.core.values import (
    Known,
    Unknown,
    canonical,
)
from tests.simulation.synthetic import Wanted, World, synthetic_kind, synthetic_node

QUICK = settings(deadline=None)  # a busy machine is no failure
SLOW = settings(deadline=None, max_examples=50)
KINDS = ("a", "b", "c")
NAMES = tuple("uvwxyz")
VALUES = st.one_of(st.integers(0, 3), st.lists(st.integers(0, 2), max_size=2))
THINGS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6)
FAULTS = st.sampled_from(["fail", "lie", "later", "bug", "hang", "idle"])


@st.composite
def wishes(draw):
    """Kinds with targets that depend on earlier ones, within a kind and across: never in a cycle."""
    wanted, before = {}, []
    for kind in draw(st.permutations(KINDS)):
        values = draw(THINGS)
        after = {}
        for name in values:
            after[name] = tuple(draw(st.lists(st.sampled_from(before), max_size=2))) if before else ()
            before.append(f"{kind}.{name}")
        wanted[kind] = Wanted(values, after)
    return wanted


worlds = st.fixed_dictionaries(dict.fromkeys(KINDS, THINGS))
blindness = st.sets(st.sampled_from(KINDS))


def desired_of(wanted, policy=None) -> Desired:
    kinds = [synthetic_kind(name, wish, phase=ord(name) % 2) for name, wish in wanted.items()]
    node = synthetic_node(World(), *kinds, now=lambda: 0.0, policy=policy)
    return node.desired


def observed(there, blind=frozenset()):
    return {k: Unknown("dark", 0.0) if k in blind else Known(dict(v), 0.0) for k, v in there.items()}


def text_of(plan) -> str:
    return canonical(asdict(plan))


def shuffled(mapping, random):
    keys = list(mapping)
    random.shuffle(keys)
    return {key: mapping[key] for key in keys}
