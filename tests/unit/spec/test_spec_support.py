"""What is declared and not acted on yet is refused with its place, and the table of gaps is no wider."""

from __future__ import annotations

import pytest
from spec_samples import ADDRESS_A, MODELS, SMALLEST, write, write_everything

from reconciler.core.errors import ConfigError
from reconciler.spec.load import load
from reconciler.spec.support import gaps_of, require_support


def gaps(directory, text, **files):
    return [gap.path for gap in gaps_of(load([write(directory, node_yaml=text, **files)]))]


def test_what_a_video_node_declares_is_supported(tmp_path):
    text = f"""\
name: a
log: debug
extends: base.yaml
service:
  uri: https://a.example:8935
  keepPrevious: 1h
  admission: drain
  listen: {{public: '0.0.0.0:8935', cli: '127.0.0.1:7935', metrics: '10.0.0.1:9735'}}
  tls: {{certificate: c.pem, key: "${{file:k.pem}}"}}
  limits: {{connections: 100}}
paths: {{data: d, weights: w}}
gpus: {{a: {{uuid: GPU-1234, video: {{sessions: 2, vram: 4 GiB}}, ai: true}}}}
video: {{preset: fast, sessions: 4, fallback: software}}
models: aiModels.json
pricing: {{video: {{price: 1200 wei, floor: 900 wei}}}}
gateways: {{g: {{address: '{ADDRESS_A}', video: -15%, reserve: {{video: 1}}}}}}
chain: {{network: offchain}}
automation: {{routine: auto, chainSettings: approve, drift: {{runtime: report}}, protect: [stake.decrease]}}
"""
    declared = load([write(tmp_path, node_yaml=text, base_yaml="name: b\n", aiModels_json="[]")])
    assert gaps_of(declared) == ()
    require_support(declared)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("runner: {images: pinned}", "runner"),
        ("workers: {unlisted: refuse}", "workers"),
        ("joins: {orchestrator: 'p:1', secret: '${env:S}'}", "joins"),
        ("notify: {heartbeat: '${env:H}'}", "notify"),
        ("source: {git: {url: 'https://git.example.com/x'}}", "source"),
        ("rollout: {wave: canary}", "rollout"),
        ("pricing: {redemptionOverhead: {max: 5%}}", "pricing.redemptionOverhead"),
        ("pricing: {video: 1 USD / 1e12 pixels}", "pricing.video"),
        (f"gateways: {{g: {{address: '{ADDRESS_A}', video: 1 USD / 1e12 pixels}}}}", "gateways.g.video"),
        (f"gateways: {{g: {{address: '{ADDRESS_A}', ai: -5%}}}}", "gateways.g.ai"),
        ("models: m.json", "models"),
        (
            f"chain: {{network: devnet, rpc: ['${{env:R}}'], orchestrator: '{ADDRESS_A}', duties: none}}",
            "chain.network",
        ),
        ("automation: {routine: approve}", "automation.routine"),
    ],
)
def test_each_gap_is_found(tmp_path, line, path):
    assert gaps(tmp_path, f"{SMALLEST}{line}\n", m_json=MODELS) == [path]


def test_every_gap_is_told_at_once_with_its_place(tmp_path):
    with pytest.raises(ConfigError) as caught:
        require_support(load([write_everything(tmp_path)]))
    found = caught.value.diagnostics
    assert caught.value.exit_code == 78
    assert len(found) == 11
    assert all(one.summary.endswith("declared but not supported yet") and one.source for one in found)
