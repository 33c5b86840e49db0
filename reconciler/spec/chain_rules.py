"""Rules between fields of the chain block, the workers and the runners: what must come together. Pure.

These parts are validated from now on and acted on later. Each rule asks first whether what it stands on is
intact. Called through `rules`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from reconciler.core.values import Diagnostic
from reconciler.spec.declaration import Frozen
from reconciler.spec.facts import Facts, Rule
from reconciler.spec.secrets import Template
from reconciler.spec.sentences import clipped, error, warning
from reconciler.spec.units import read_wei

_SOUNDS_SECRET: Final = ("TOKEN", "SECRET", "PASSWORD", "PASSWD", "KEY", "CREDENTIAL")


def check_chain_needs(facts: Facts) -> Iterator[Diagnostic]:
    """A network other than offchain needs somebody to ask and somebody to be."""
    declared = facts.declaration.chain
    if declared.network == "offchain":
        return
    for key, example in (("rpc", '["${env:RPC_URL}"]'), ("orchestrator", "0x and 40 hexadecimal digits")):
        if key not in declared.rest and facts.intact("chain.network", f"chain.{key}"):
            yield error(
                f"chain: {key!r} is missing",
                rule=f"the network {declared.network} needs rpc and orchestrator",
                instead=f"{key}: {example}",
                source=facts.at("chain"),
            )


def check_offchain_rest(facts: Facts) -> Iterator[Diagnostic]:
    declared = facts.declaration.chain
    others = [key for key in declared.rest if key != "network"]
    if declared.network == "offchain" and others and facts.intact("chain.network"):
        yield warning(
            f"chain: {', '.join(others)} {'has' if len(others) == 1 else 'have'} no effect",
            rule="the network is offchain",
            instead="network: arbitrum-one, or network alone",
            source=facts.at(f"chain.{others[0]}"),
        )


def check_keys(facts: Facts) -> Iterator[Diagnostic]:
    keys = _below(facts.declaration.chain.rest, "keys")
    for role, key in keys.items():
        path = f"chain.keys.{role}"
        if not isinstance(key, Mapping) or not facts.intact(path):
            continue
        if key.get("export") is True and len(key) > 1:
            yield error(
                f"{path} is exported and has a keystore",
                rule="a key is either here (keystore and password) or cold (export: true)",
                instead="one of the two",
                source=facts.at(path),
            )
        elif key.get("export") is not True and not {"keystore", "password"} <= set(key):
            yield error(
                f"{path} cannot be used",
                rule="a key is either here (keystore and password) or cold (export: true)",
                instead='{keystore: keys/KEY.json, password: "${file:PATH}"}, or {export: true}',
                source=facts.at(path),
            )


def check_duty_keys(facts: Facts) -> Iterator[Diagnostic]:
    """Duties that are on by default need a key; a forgotten one means missed rewards."""
    declared = facts.declaration.chain.rest
    if facts.declaration.chain.network == "offchain" or declared.get("duties", "full") == "none":
        return
    if not facts.intact("chain.network", "chain.keys"):
        return
    keys = _below(declared, "keys")
    duties = (("reward", "call", "rewardCaller"), ("tickets", "redeem", "redeemer"))
    for section, switch, role in duties:
        is_on = _below(declared, section).get(switch, True) is True
        if is_on and not {role, "orchestrator"} & set(keys) and facts.intact(f"chain.{section}"):
            yield error(
                f"chain.{section}.{switch} is on, and no key can do it",
                rule=f"it is signed by keys.{role} or keys.orchestrator",
                instead=f"keys: {{{role}: {{keystore: …, password: …}}}}, or {section}: {{{switch}: false}}",
                source=facts.at(f"chain.{section}") or facts.at("chain"),
            )


def check_gas(facts: Facts) -> Iterator[Diagnostic]:
    gas = _below(facts.declaration.chain.rest, "gas")
    most, late = gas.get("max"), gas.get("rewardAtDeadline")
    if not isinstance(most, str) or not isinstance(late, str):
        return
    if facts.intact("chain.gas") and read_wei(late) < read_wei(most):
        yield warning(
            "chain.gas: a late reward may cost less than everything else",
            rule="rewardAtDeadline is the higher limit for a reward that is about to be lost",
            instead=f"rewardAtDeadline of {most} or more",
            source=facts.at("chain.gas.rewardAtDeadline"),
        )


def check_worker_secrets(facts: Facts) -> Iterator[Diagnostic]:
    workers = facts.declaration.workers
    if not isinstance(workers, Mapping) or not facts.intact("workers"):
        return
    names: set[str] = set()
    for index, worker in enumerate(_items(workers.get("list"))):
        path = f"workers.list[{index}]"
        name = str(worker.get("name"))
        if name in names:
            yield error(
                f"workers.list: {clipped(name)} stands twice",
                rule="workers are told apart by name",
                instead="another name",
                source=facts.at(f"{path}.name"),
            )
        names.add(name)
        if worker.get("join") == "inbound" and "secrets" not in workers:
            yield error(
                f"worker {clipped(name)} joins by itself, and there is no secret",
                rule="workers that connect to this node prove that they know one of workers.secrets",
                instead='secrets: ["${file:PATH}"]',
                source=facts.at(path),
            )


def check_runner_secrets(facts: Facts) -> Iterator[Diagnostic]:
    runner = facts.declaration.runner
    for name, value in _below(runner if isinstance(runner, Mapping) else {}, "env").items():
        path = f"runner.env.{name}"
        is_clear = isinstance(value, Template) and not value.references
        if is_clear and any(word in name.upper() for word in _SOUNDS_SECRET) and facts.intact(path):
            yield error(
                f"{path} is written in clear",
                rule="secrets are references",
                instead='"${env:NAME}" or "${file:PATH}"; or a name that does not sound secret',
                source=facts.at(path),
            )


def _below(value: Mapping[str, Frozen], key: str) -> Mapping[str, Frozen]:
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def _items(value: Frozen) -> tuple[Mapping[str, Frozen], ...]:
    return tuple(item for item in value if isinstance(item, Mapping)) if isinstance(value, tuple) else ()


CHAIN_RULES: Final[tuple[Rule, ...]] = (
    check_chain_needs,
    check_offchain_rest,
    check_keys,
    check_duty_keys,
    check_gas,
    check_worker_secrets,
    check_runner_secrets,
)
