"""Builders for declarations: the whole vocabulary, the smallest node, and files in a directory."""

from __future__ import annotations

from pathlib import Path

from reconciler.core.values import Diagnostic, Severity
from reconciler.spec.load import check

ADDRESS_A = "0x" + "a" * 40
ADDRESS_B = "0x" + "b" * 40

SMALLEST = "service: {uri: 'https://127.0.0.1:8935'}\ngpus: none\n"

EVERYTHING = """\
# yaml-language-server: $schema=schemas/orchestrator.schema.json
apiVersion: livepeer.orchestrator/v1
name: fra-1
log: info
extends: [base/common.yaml, base/eu.yaml]
service:
  uri: "https://fra.example.com:8935"
  keepPrevious: 48h
  tls: {certificate: tls/fra.pem, key: "${file:/run/secrets/tls}"}
  listen: {public: "0.0.0.0:8935", cli: "127.0.0.1:7935", metrics: "10.0.0.5:9735"}
  admission: open
paths: {data: /var/lib/orchestrator, weights: /nvme/models}
gpus:
  a: {uuid: GPU-8f00, video: {sessions: auto, vram: 4 GiB}, ai: true}
  b: {uuid: GPU-1c00, ai: true}
video: {preset: auto, sessions: auto}
models: aiModels.json
runner: {images: pinned, env: {HF_TOKEN: "${file:/run/secrets/hf}"}}
pricing:
  video: {price: 0.55 USD / 1e12 pixels, floor: 900 wei, cap: 1600 wei}
  redemptionOverhead: {max: 10%, negotiated: never}
gateways:
  daydream:
    {address: 0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, video: 800 wei, ai: -15%, reserve: {video: 4}}
  studio:
    address: "0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
    ai: {"text-to-image/ByteDance/SDXL-Lightning": 4000000 wei}
workers:
  secrets: ["${file:/run/secrets/w2}", "${file:/run/secrets/w1}"]
  unlisted: refuse
  list:
    - {name: alice, kind: transcoder, join: inbound, expect: {sessions: 12}, missingAfter: 2m}
    - {name: rack2, kind: ai-worker, docker: "ssh://gpu-2", gpus: [GPU-77aa]}
chain:
  network: arbitrum-one
  rpc: ["${env:RPC_A}", "${env:RPC_B}"]
  orchestrator: "0x1111111111111111111111111111111111111111"
  keys:
    orchestrator: {export: true}
    rewardCaller: {keystore: keys/reward.json, password: "${file:/run/secrets/r}"}
    redeemer: {keystore: keys/redeem.json, password: "${file:/run/secrets/d}"}
    node: {keystore: keys/node.json, password: "${file:/run/secrets/n}"}
  active: true
  cuts: {reward: 15%, fee: 60%}
  registries: {main: service, ai: service}
  stake: {floor: 15000 LPT, topUp: report, activeSetMargin: 5%}
  reward: {call: true}
  tickets: {redeem: true, ev: 8 gwei}
  fees: {withdrawAbove: 0.3 ETH, to: "0x2222222222222222222222222222222222222222"}
  gas:
    {max: 1 gwei, rewardAtDeadline: 10 gwei, perDay: 0.02 ETH, rewardReserve: 0.005 ETH, lowWallet: 0.01 ETH}
  duties: full
automation:
  routine: auto
  chainSettings: approve
  drift: {runtime: heal, chain: report}
  protect: [stake.decrease, registration.resign]
notify: {to: ["${env:DISCORD_HOOK}"], heartbeat: "${env:DEADMAN_URL}"}
source:
  git: {url: "https://git.example.com/fleet", branch: main, path: nodes/a, verify: {sshSigners: signers}}
rollout: {wave: canary, gate: {for: 30m, failedJobs: "<0.5%"}}
"""

MODELS = """\
[{"pipeline": "text-to-image", "model_id": "ByteDance/SDXL-Lightning", "price_per_unit": 4768371,
  "warm": true}]
"""


def write(directory: Path, **files: str) -> Path:
    """Writes files (`base__eu_yaml` is base/eu.yaml) and gives the path of the first."""
    paths = []
    for name, text in files.items():
        path = directory / name.replace("__", "/").replace("_yaml", ".yaml").replace("_json", ".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        paths.append(path)
    return paths[0]


def write_everything(directory: Path) -> Path:
    return write(
        directory,
        node_yaml=EVERYTHING,
        base__common_yaml="log: debug\n",
        base__eu_yaml="video: {preset: fast}\n",
        aiModels_json=MODELS,
    )


def findings(directory: Path, text: str, **files: str) -> tuple[Diagnostic, ...]:
    """All findings about one declaration."""
    return check([write(directory, node_yaml=text, **files)])[1]


def errors(directory: Path, text: str, **files: str) -> list[str]:
    """`line:column summary` of every error."""
    return _told(findings(directory, text, **files), Severity.ERROR)


def warnings(directory: Path, text: str, **files: str) -> list[str]:
    return _told(findings(directory, text, **files), Severity.WARNING)


def _told(found: tuple[Diagnostic, ...], severity: Severity) -> list[str]:
    return [
        f"{one.source.line}:{one.source.column} {one.summary}" if one.source else one.summary
        for one in found
        if one.severity is severity
    ]
