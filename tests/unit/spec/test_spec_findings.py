"""Every slip has one finding, at its place, with the rule and what to write instead."""

from __future__ import annotations

import pytest
from spec_samples import ADDRESS_A, ADDRESS_B, MODELS, SMALLEST, errors, findings, warnings

from reconciler.core.values import Severity
from reconciler.spec.declaration import Preset

VOCABULARY = [
    ("pricng: {video: 1 wei}", "3:1 unknown key 'pricng'", "pricing"),
    ("sessions: 4", "3:1 unknown key 'sessions'", "video.sessions or"),
    ("name: 123", "3:7 name: 123 is not a text", '"123" (in quotes)'),
    ("name: a b", "3:7 name: 'a b' does not have the right form", "fra-1"),
    ("log: warn", "3:6 log: 'warn' is not one of debug, info, warning, error", "warning"),
    ("apiVersion: v2", "3:13 apiVersion: 'v2' is not known", "livepeer.orchestrator/v1"),
    ("video: {presets: fast}", "3:9 unknown key 'presets' under video", "preset"),
    ("video: {preset: Fast}", "3:17 video.preset: 'Fast' is not one of", "fast"),
    ("video: {sessions: -1}", "3:19 video.sessions: -1 is less than 0", "0 or more"),
    (
        "video: {sessions: '4'}",
        "3:19 video.sessions: '4' is not auto or a whole number",
        "auto or a whole number",
    ),
    ("video: {workers: 0}", "3:18 video.workers: 0 is less than 1", "1 or more"),
    ("video: {memory: 2gb}", "3:17 video.memory: '2gb' has a misspelt unit", "2GB"),
    ("video: [fast]", "3:8 video: a list is not a map", "a map with the keys preset, sessions"),
    ("pricing: {video: 1200}", "3:18 pricing.video: 1200 has no unit", "1200 wei"),
    ("pricing: {video: 1e3}", "3:18 pricing.video: 1e3 has no unit", "1e3 wei"),
    ("pricing: {video: 0.5 wie}", "3:18 pricing.video: '0.5 wie' has the unit 'wie'", "1200 wei"),
    (
        "pricing: {video: 1 wei / 0 pixels}",
        "3:18 pricing.video: '1 wei / 0 pixels' divides by zero",
        "1200 wei",
    ),
    ("pricing: {video: {floor: 1 wei}}", "3:18 pricing.video: 'price' is missing", "price: 1200 wei"),
    ("gateways: {g: {}}", "3:15 gateways.g: 'address' is missing", "address: 0x and 40 hexadecimal digits"),
    (f"gateways: {{g: {{adress: '{ADDRESS_A}'}}}}", "3:16 unknown key 'adress' under gateways.g", "address"),
    (
        "gateways: {g: {address: '0x12'}}",
        "3:25 gateways.g.address: '0x12' has 2 hexadecimal digits, not 40",
        "0x",
    ),
    (f"gateways: {{'a b': {{address: '{ADDRESS_A}'}}}}", "3:12 gateways: 'a b' is not a name", ""),
    (f"gateways: {{g: {{address: '{ADDRESS_A}', video: 10%}}}}", "has no sign", "800 wei or"),
    (
        "automation: {drift: heal}",
        "3:21 automation.drift: 'heal' is not a map",
        "a map with the keys runtime, chain",
    ),
    ("automation: {protect: stake.decrease}", "is not a list", "[stake.decrease]"),
    ("automation: {protect: [a.b, a.b]}", "an item stands twice in the list", "stake.decrease"),
    ("workers: {secrets: []}", "3:20 workers.secrets: the list is empty", "${file:/run/secrets/worker}"),
    ("workers: {list: [{name: a}]}", "'kind' is missing", "kind: transcoder"),
    (
        "chain: {network: arbitrum}",
        "3:18 chain.network: 'arbitrum' is not offchain or devnet",
        "arbitrum-one",
    ),
    ("chain: {network: {chainId: 1}}", "'controller' is missing", "controller: 0x"),
    ("chain: {network: offchain, active: yes}", "3:36 chain.active: 'yes' is not true or false", "true"),
    ("chain: {network: offchain, cuts: {fee: 0.6}}", "chain.cuts.fee: 0.6 has no unit", "60% or 0.6%"),
    ("chain: {network: offchain, cuts: {fee: 101%}}", "'101%' is out of range", "60%"),
    ("chain: {network: offchain, tickets: {ev: 0.1 wei}}", "is not a whole number of wei", "0.02 ETH"),
    ("name: '${env:HOST}'", "3:7 name: a reference is not read here", "fra-1"),
    ("rollout: {gate: {failedJobs: 0.5%}}", "does not have the right form", '"<0.5%"'),
    (
        "joins: {orchestrator: pool, secret: '${env:S}'}",
        "joins.orchestrator: 'pool' has no port",
        "pool:8935",
    ),
    ("models: [a]", "3:9 models: a list is not a text", "aiModels.json"),
]


@pytest.mark.parametrize(("line", "summary", "instead"), VOCABULARY, ids=[row[0][:40] for row in VOCABULARY])
def test_a_slip_is_told_once_with_its_remedy(tmp_path, line, summary, instead):
    found = [one for one in findings(tmp_path, f"{SMALLEST}{line}\n") if one.severity is Severity.ERROR]
    assert len(found) == 1, [one.summary for one in found]
    told = f"{found[0].source.line}:{found[0].source.column} {found[0].summary}"
    assert summary in told
    assert found[0].detail.startswith("rule: ")
    assert instead in found[0].detail.partition("write instead: ")[2]


SERVICE = [
    ("uri: fra.example.com", "has no scheme"),
    ("uri: 'https://fra.example.com'", "has no port"),
    ("uri: 'https://fra.example.com:8935/'", "ends with a slash"),
    ("uri: 'https://fra.example.com:8935/x'", "has something behind the port"),
    ("uri: 'https://fra.example.com:99999'", "port 99999 does not exist"),
    ("uri: 'https://a:1', keepPrevious: 48", "has no unit"),
    ("uri: 'https://a:1', keepPrevious: '48 h'", "is not a time span"),
    ("uri: 'https://a:1', listen: {cli: '0.0.0.0:7935'}", "is reachable from outside"),
    ("uri: 'https://a:1', listen: {cli: ':7935'}", "has no host"),
    ("uri: 'https://a:1', listen: {public: '127.0.0.1:7935'}", "share 127.0.0.1:7935"),
    ("uri: 'https://a:7935'", "share 127.0.0.1:7935"),
    ("uri: 'https://a:1', listen: {metrics: '10.0.0.1:70000'}", "port 70000 does not exist"),
    ("uri: 'https://a:1', tls: {key: '${file:k}'}", "'certificate' is missing"),
    ("uri: 'https://a:1', tls: {certificate: c.pem}", "'key' is missing"),
    ("uri: 'https://a:1', tls: {certificate: c.pem, key: k.pem}", "is a path, not a reference"),
    ("uri: 'https://a:1', tls: {certificate: c.pem, key: '${K}'}", "has the wrong form"),
    ("uri: 'https://a:1', limits: {bodySize: 300000000}", "has no unit"),
    ("uri: 'https://a:1', limits: {bodySize: 0 B}", "service.limits.bodySize leaves nothing"),
    ("uri: 'https://a:1', limits: {drain: 0s}", "service.limits.drain leaves nothing"),
    ("admission: open", "'uri' is missing"),
]


@pytest.mark.parametrize(("keys", "part"), SERVICE, ids=[row[0] for row in SERVICE])
def test_a_service_that_gateways_cannot_use_is_told(tmp_path, keys, part):
    found = errors(tmp_path, f"service: {{{keys}}}\n")
    assert len(found) == 1, found
    assert part in found[0]


RESERVING = "{{address: '{}', reserve: {{video: {}}}}}"
TWO = f"gateways: {{a: {RESERVING.format(ADDRESS_A, 3)}, b: {RESERVING.format(ADDRESS_B, 2)}}}"
SHOUTED = "0x" + "A" * 40
DEVNET = f"network: devnet, rpc: ['${{env:R}}'], orchestrator: '{ADDRESS_A}'"
RULES = [
    (
        "joins: {orchestrator: 'p:1', secret: '${env:S}'}\nchain: {network: offchain}",
        "a pool worker has a chain block",
    ),
    ("video: {sessions: 4}\n" + TWO, "5 sessions are reserved, the node has 4"),
    (f"gateways: {{a: {{address: '{ADDRESS_A}', video: -5%}}}}", "relative to a price that is not declared"),
    (
        f"pricing: {{video: 1 wei}}\ngateways: {{a: {{address: '{ADDRESS_A}', video: -100%}}}}",
        "leaves nothing",
    ),
    (
        f"gateways: {{a: {{address: '{ADDRESS_A}'}}, b: {{address: '{SHOUTED}'}}}}",
        "gateways.b has the address of gateways.a",
    ),
    ("pricing: {video: {price: 1000 wei, floor: 1100 wei}}", "1000 wei is outside its own floor of 1100 wei"),
    (
        "pricing: {video: {price: 1 USD / 1e12 pixels, floor: 9 wei, cap: 8 wei}}",
        "the floor is above the cap",
    ),
    ("paths: {data: ~/x}", "paths.data: ~ is not replaced"),
    ("chain: {network: devnet, duties: none, orchestrator: '" + ADDRESS_A + "'}", "chain: 'rpc' is missing"),
    (
        "chain: {network: devnet, rpc: ['http://127.0.0.1:8545'], duties: none}",
        "chain: 'orchestrator' is missing",
    ),
    (
        f"chain: {{{DEVNET}, tickets: {{redeem: false}}}}",
        "chain.reward.call is on, and no key can do it",
    ),
    ("chain: {network: offchain, keys: {node: {keystore: a}}}", "chain.keys.node cannot be used"),
    (
        "chain: {network: offchain, keys: {node: {keystore: a, password: '${env:P}', export: true}}}",
        "is exported and has a keystore",
    ),
    (
        "workers: {list: [{name: a, kind: transcoder, join: inbound}]}",
        "joins by itself, and there is no secret",
    ),
    (
        "workers: {list: [{name: a, kind: transcoder}, {name: a, kind: ai-worker}]}",
        "workers.list: 'a' stands twice",
    ),
    ("runner: {env: {HF_TOKEN: hf_abc}}", "runner.env.HF_TOKEN is written in clear"),
]


@pytest.mark.parametrize(("lines", "part"), RULES, ids=[row[1][:50] for row in RULES])
def test_fields_that_contradict_each_other_are_told(tmp_path, lines, part):
    found = errors(tmp_path, f"{SMALLEST}{lines}\n")
    assert len(found) == 1, found
    assert part in found[0]


def test_two_names_for_one_gpu_are_told(tmp_path):
    gpus = "gpus: {a: {uuid: GPU-12ab, video: true}, b: {uuid: GPU-12AB, ai: true}}\n"
    assert errors(tmp_path, "service: {uri: 'https://a:1'}\n" + gpus) == [
        "2:52 gpus.b and gpus.a are the same GPU"
    ]


WARNINGS = [
    ("name: x", "this node has nothing to do"),
    ("service: {uri: 'http://a:1'}", "service.uri begins with http://"),
    ("service: {uri: 'https://a:1'}\ngpus: {a: {uuid: GPU-1234}}", "gpus.a is used for nothing"),
    (
        "service: {uri: 'https://a:1'}\ngpus: {a: {uuid: GPU-1234, video: true}}\nvideo: {workers: 2}",
        "video.workers has no effect",
    ),
    (SMALLEST + "video: {sessions: 5}\n" + TWO, "all 5 sessions are reserved"),
    (SMALLEST + "chain: {network: offchain, active: true}", "chain: active has no effect"),
    (
        SMALLEST + "video:",
        "video has no value",
    ),
    (
        SMALLEST + "pricing: {video: 1 gwei}",
        "pricing.video: 1·10^9 wei per pixel = 3.73 ETH per minute of 1080p30 video",
    ),
]


@pytest.mark.parametrize(("text", "part"), WARNINGS, ids=[row[1][:50] for row in WARNINGS])
def test_what_is_odd_but_possible_is_a_warning(tmp_path, text, part):
    assert errors(tmp_path, text + "\n") == []
    (warning,) = warnings(tmp_path, text + "\n")
    assert part in warning


def test_all_errors_come_at_once_in_order_of_place(tmp_path):
    text = (
        "nmae: x\n"
        "service: {uri: 'https://a', listen: {cli: '0.0.0.0:7935'}}\n"
        f"gateways: {{a: {{address: '{ADDRESS_A}', reserve: {{video: 3}}}}, b: {{address: '{ADDRESS_A}'}}}}\n"
        "video: {sessions: 2, preset: fats}\n"
    )
    found = errors(tmp_path, text)
    places = [tuple(map(int, one.split(" ")[0].split(":"))) for one in found]
    assert places == sorted(places)
    assert [one.partition(" ")[2] for one in found] == [
        "unknown key 'nmae'",
        "service.uri: 'https://a' has no port",
        "service.listen.cli: 0.0.0.0:7935 is reachable from outside",
        "3 sessions are reserved, the node has 2",
        "gateways.b has the address of gateways.a",
        f"video.preset: 'fats' is not one of auto, {', '.join(Preset)}",
    ]


def test_rules_do_not_speak_about_values_that_are_wrong_anyway(tmp_path):
    text = f"{SMALLEST}pricing: {{video: oops}}\ngateways: {{a: {{address: '{ADDRESS_A}', video: -5%}}}}\n"
    assert len(errors(tmp_path, text)) == 1


def test_prices_of_models_that_are_not_served_are_told(tmp_path):
    text = f"{SMALLEST}models: m.json\ngateways:\n  g:\n    address: '{ADDRESS_A}'\n"
    text += "    ai: {text-to-image/ByteDance/SDXL-Lightnin: 4 wei}\n"
    (warning,) = findings(tmp_path, text, m_json=MODELS)
    assert "prices 'text-to-image/ByteDance/SDXL-Lightnin', which is not served" in warning.summary
    assert warning.detail.endswith("text-to-image/ByteDance/SDXL-Lightning")
    assert warning.source.line == 7
