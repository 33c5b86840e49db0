"""What loading gives: types, defaults, absolute paths, places, revision; secrets stay references."""

from __future__ import annotations

import copy
import json
from fractions import Fraction
from pathlib import Path

import pytest
from spec_samples import ADDRESS_A, SMALLEST, write, write_everything

from reconciler.core.errors import ConfigError
from reconciler.spec.declaration import AUTO, Admission, Endpoint, Fallback, Gpus, Healing, LogLevel
from reconciler.spec.load import check, load
from reconciler.spec.prices import Currency, Price, Relative
from reconciler.spec.secrets import MASK, Secret, UnresolvedReference, parse_template


def test_the_whole_vocabulary_validates_without_a_word(tmp_path):
    declaration, found = check([write_everything(tmp_path)])
    assert found == ()
    assert declaration is not None
    assert declaration.pricing.video == Price(Fraction(55, 10**14), Currency.USD)
    assert declaration.pricing.video_floor == 900
    assert declaration.pricing.video_wei is None
    assert declaration.chain.network == "arbitrum-one"
    assert declaration.models[0].price == Price(Fraction(4768371), Currency.WEI)
    assert declaration.gateways[0].address == ADDRESS_A


def test_the_smallest_node_gets_every_default(tmp_path):
    declared = load([write(tmp_path, node_yaml=SMALLEST)])
    service = declared.service
    assert service is not None
    assert (declared.name, declared.log) == ("orchestrator", LogLevel.INFO)
    assert (service.host, service.port, service.admission) == ("127.0.0.1", 8935, Admission.OPEN)
    assert service.listen.public == Endpoint("0.0.0.0", 8935)  # noqa: S104 - compared, not bound
    assert service.listen.cli == Endpoint("127.0.0.1", 7935)
    assert (service.tls, service.listen.metrics, service.keep_previous_s) == (None, None, 172_800)
    assert service.limits.body_bytes == 300_000_000
    assert declared.paths.data == tmp_path / ".orchestrator"
    assert declared.paths.weights == tmp_path / ".orchestrator" / "weights"
    assert declared.gpus == Gpus("none")
    assert (declared.video.preset, declared.video.sessions, declared.video.workers) == (AUTO, AUTO, AUTO)
    assert declared.video.fallback is Fallback.NONE
    assert declared.automation.drift_runtime is Healing.HEAL
    assert declared.chain.network == "offchain"


def test_siphon_and_pool_worker_are_valid(tmp_path):
    siphon = "chain: {network: arbitrum-one, rpc: ['${env:RPC}'], orchestrator: 0x" + "1" * 40
    siphon += ", keys: {orchestrator: {export: true}}}\n"
    assert load([write(tmp_path, a_yaml=siphon)]).service is None
    worker = "joins: {orchestrator: 'pool.example.com:8935', secret: '${file:w2}', as: [transcoder]}\n"
    assert load([write(tmp_path, b_yaml=worker)]).warnings == ()


def test_addresses_need_no_quotes_and_are_lower_case(tmp_path):
    text = (
        SMALLEST
        + "gateways: {g: {address: 0xABCDEF0000000000000000000000000000000001, reserve: {video: 2}}}\n"
    )
    (gateway,) = load([write(tmp_path, node_yaml=text)]).gateways
    assert gateway.address == "0xabcdef0000000000000000000000000000000001"
    assert (gateway.video, gateway.reserve_video) == (None, 2)


def test_a_gateways_price_is_its_own_or_relative(tmp_path):
    text = SMALLEST + "pricing: {video: 1200 wei}\ngateways:\n"
    text += f"  a: {{address: 0x{'a' * 40}, video: 800 wei}}\n  b: {{address: 0x{'b' * 40}, video: -15%}}\n"
    declared = load([write(tmp_path, node_yaml=text)])
    first, second = declared.gateways
    assert first.video_wei(declared.pricing.video_wei) == 800
    assert second.video == Relative(Fraction(-3, 20))
    assert second.video_wei(declared.pricing.video_wei) == 1020
    assert second.video_wei(None) is None


@pytest.mark.parametrize(
    ("text", "video", "ai"),
    [("video: true", True, False), ("video: false, ai: true", False, True), ("video: {}", True, False)],
)
def test_a_gpu_does_what_it_is_declared_for(tmp_path, text, video, ai):
    gpus = f"service: {{uri: 'https://a:1'}}\ngpus: {{a: {{uuid: GPU-1234, {text}}}}}\n"
    (gpu,) = load([write(tmp_path, node_yaml=gpus)]).gpus.devices
    assert (gpu.video is not None, gpu.ai) == (video, ai)


def test_ipv6_hosts_lose_and_regain_their_brackets(tmp_path):
    text = "service: {uri: 'https://[2001:db8::1]:8935', listen: {public: '[::]:8935'}}\ngpus: none\n"
    service = load([write(tmp_path, node_yaml=text)]).service
    assert (service.host, service.listen.public.host) == ("2001:db8::1", "::")
    assert str(service.listen.public) == "[::]:8935"


def test_relative_paths_count_from_the_declaring_file(tmp_path, monkeypatch):
    path = write(
        tmp_path,
        nodes__fra_yaml="extends: ../base/site.yaml\n" + SMALLEST,
        base__site_yaml="paths: {data: state}\nservice: {tls: {certificate: c.pem, key: '${file:k.pem}'}}\n",
    )
    monkeypatch.chdir(tmp_path)
    declared = load([path.relative_to(tmp_path)])
    assert declared.paths.data == tmp_path / "base" / "state"
    assert declared.service.tls.certificate == tmp_path / "base" / "c.pem"
    assert declared.service.tls.key.references[0].path() == tmp_path / "base" / "k.pem"


def test_the_default_data_directory_follows_root(tmp_path):
    path = write(tmp_path, node_yaml=SMALLEST)
    assert load([path], root=tmp_path / "elsewhere").paths.data == tmp_path / "elsewhere" / ".orchestrator"


def test_places_are_shown_relative_to_the_working_directory(tmp_path, monkeypatch):
    write(tmp_path, node_yaml=SMALLEST + "pricing:\n  video: 1200 wei\n")
    monkeypatch.chdir(tmp_path)
    declared = load([Path("node.yaml")])
    assert str(declared.source("pricing.video")) == "node.yaml:4"
    assert str(declared.source("service.limits.queue")) == "node.yaml:1"
    assert declared.source("log") is None


def test_the_revision_depends_on_content_only(tmp_path):
    one = load([write(tmp_path, one__a_yaml="name: x\n" + SMALLEST)])
    other = load([write(tmp_path, two__b_yaml="extends: c.yaml\nname: x\n", two__c_yaml=SMALLEST)])
    changed = load([write(tmp_path, a_yaml="name: y\n" + SMALLEST)])
    assert one.revision == other.revision != changed.revision


def test_the_revision_follows_the_models(tmp_path):
    text = SMALLEST + "models: m.json\n"
    first = load([write(tmp_path, node_yaml=text, m_json="[]")]).revision
    entry = '[{"pipeline": "llm", "model_id": "x", "price_per_unit": 0.5}]'
    assert load([write(tmp_path, node_yaml=text, m_json=entry)]).revision != first


def test_load_raises_with_every_error_and_no_warning(tmp_path):
    path = write(tmp_path, node_yaml="nmae: x\nlog: loud\npaths:\n")
    with pytest.raises(ConfigError) as caught:
        load([path])
    assert [one.severity for one in caught.value.diagnostics] == ["error", "error"]
    assert caught.value.exit_code == 78


def test_secrets_never_show(tmp_path):
    text = SMALLEST + "notify: {to: ['https://hooks.example/canary-1/${env:HOOK}']}\n"
    text += "runner: {env: {HF_HOME: canary-2}}\n"
    declared = load([write(tmp_path, node_yaml=text)])
    assert "canary" not in repr(declared)
    assert MASK in str(declared.notify)
    with pytest.raises(TypeError):
        json.dumps(declared.notify["to"][0])


def test_references_resolve_only_when_asked(tmp_path):
    (tmp_path / "key").write_text("s3cret\n")
    template = parse_template("wss://x/${env:KEY}/${file:key}", tmp_path)
    secret = template.resolve({"KEY": "abc"})
    assert secret.reveal() == "wss://x/abc/s3cret"
    assert [str(secret), repr(secret), f"{secret}", str(template), repr(template.references)] == [
        MASK,
        MASK,
        MASK,
        MASK,
        f"({MASK}, {MASK})",
    ]
    assert template.references[0].written == "${env:KEY}"
    assert secret == Secret("wss://x/abc/s3cret")
    with pytest.raises(TypeError, match="not stored"):
        copy.deepcopy(secret)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("${env:MISSING}", "empty or not set"),
        ("${file:missing}", "No such file"),
        ("${file:large}", "larger than 64 KiB"),
        ("${file:binary}", "not UTF-8"),
        ("${file:empty}", "empty or not set"),
    ],
)
def test_a_reference_that_leads_nowhere_says_which_and_why(tmp_path, text, reason):
    (tmp_path / "large").write_text("x" * 70_000)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xfd")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(UnresolvedReference, match=reason) as caught:
        parse_template(text, tmp_path).resolve({})
    assert text in str(caught.value)
