"""The doctor against a healthy node and against each illness."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from toy_orchestrator import Toy
from toy_server import Reply, Request, ToyServer, make_certificate

from livepeer.gateway.clip import Clip
from livepeer.gateway.doctor.examination import CHECKS, examine
from livepeer.gateway.doctor.finding import Finding, Verdict
from livepeer.gateway.doctor.patient import Options
from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire.signing import KeySigner, OffchainSigner
from reconciler.cli.main import main
from reconciler.report.doctor import doctor_json, is_healthy

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas" / "doctor.schema.json").read_text())
SMALL = Clip(width=160, height=90, segment_s=0.5, count=2, bitrate=100_000)


def options(uri: str, **changed: object) -> Options:
    plain = Options(
        uri=uri,
        address=None,
        signer=OffchainSigner(),
        clip=SMALL,
        now=lambda: dt.datetime.now(dt.UTC).timestamp(),
        random_bytes=lambda count: b"r" * count,
    )
    return dataclasses.replace(plain, **changed)  # type: ignore[arg-type]


async def findings(uri: str, **changed: object) -> dict[str, Finding]:
    return {finding.name: finding async for finding in examine(options(uri, **changed))}


def verdicts(found: dict[str, Finding], verdict: Verdict) -> set[str]:
    return {name for name, finding in found.items() if finding.verdict is verdict}


async def test_a_healthy_node_fails_no_check(toy: Toy) -> None:
    found = await findings(toy.uri)
    assert list(found) == [check.name for check in CHECKS]
    assert verdicts(found, Verdict.FAIL) == set()
    # loopback is not routable, and its certificate is for another name
    assert verdicts(found, Verdict.WARN) == {"uri", "tls.certificate", "discovery.uri"}
    assert verdicts(found, Verdict.SKIP) == {"identity", "segment.signature"}
    assert is_healthy(list(found.values()))
    assert toy.node.orders[0].manifest_id == b"reconcile-doctor"


async def test_an_onchain_node_is_known_by_its_address(onchain: Toy) -> None:
    address = onchain.node.signer.address
    found = await findings(onchain.uri, address=address, signer=KeySigner(b"\x46" * 32))
    assert found["identity"].verdict is Verdict.PASS
    assert found["segment.signature"].verdict is Verdict.PASS
    assert found["discovery.price"].outcome.detail == "1200 wei per pixel"
    other = await findings(onchain.uri, address=b"\x07" * 20)
    assert other["identity"].outcome.detail.startswith("Ping is not signed by 0x")


async def test_an_offchain_node_has_no_identity_to_prove(toy: Toy) -> None:
    found = await findings(toy.uri, address=b"\x07" * 20)
    assert found["identity"].outcome.detail == "Ping is not signed"
    assert found["identity"].verdict is Verdict.FAIL


def clear(name: str) -> Callable[[pb.OrchestratorInfo], None]:
    return lambda info: info.ClearField(name)  # type: ignore[arg-type]


def change(path: str, value: object) -> Callable[[pb.OrchestratorInfo], None]:
    def bend(info: pb.OrchestratorInfo) -> None:
        *parents, last = path.split(".")
        target: object = info
        for parent in parents:
            target = getattr(target, parent)
        setattr(target, last, value)

    return bend


@pytest.mark.parametrize(
    ("bend", "check", "verdict", "told"),
    [
        (change("capabilities.version", "undefined"), "discovery.version", Verdict.FAIL, "undefined"),
        (change("capabilities.version", ""), "discovery.version", Verdict.FAIL, "empty"),
        (
            lambda info: info.capabilities.ClearField("constraints"),
            "discovery.constraints",
            Verdict.FAIL,
            "no constraints",
        ),
        (
            lambda info: info.capabilities.bitstring.__setitem__(0, 0x4005FFF & ~(1 << 14)),
            "discovery.capabilities",
            Verdict.FAIL,
            "MPEG7 signature (14)",
        ),
        (clear("auth_token"), "discovery.token", Verdict.FAIL, "no auth token"),
        (change("auth_token.expiration", 1), "discovery.token", Verdict.FAIL, "expires in -"),
        (clear("transcoder"), "discovery.uri", Verdict.FAIL, "''"),
        (change("transcoder", "https://127.0.0.1:1/"), "discovery.uri", Verdict.FAIL, "trailing slash"),
        (change("transcoder", "https://127.0.0.1:1"), "discovery.uri", Verdict.WARN, "was asked at"),
        (change("price_info.pricePerUnit", 5), "discovery.price", Verdict.FAIL, "5/0"),
    ],
)
async def test_a_bad_offer_is_named(
    toy: Toy, bend: Callable[[pb.OrchestratorInfo], None], check: str, verdict: Verdict, told: str
) -> None:
    toy.node.bend_info = bend
    finding = (await findings(toy.uri))[check]
    assert finding.verdict is verdict
    assert told in finding.outcome.detail
    assert finding.outcome.cause
    assert finding.outcome.remedy


def more_pixels(result: pb.TranscodeResult) -> None:
    result.data.segments[0].pixels += 1


def lost(result: pb.TranscodeResult) -> None:
    result.data.segments[0].url += "x"


def busy(result: pb.TranscodeResult) -> None:
    result.error = "OrchestratorBusy"


@pytest.mark.parametrize(
    ("bend", "check", "told"),
    [
        (more_pixels, "segment.pixels", "are claimed"),
        (lost, "segment.download", "answers 404"),
        (busy, "segment", "OrchestratorBusy"),
    ],
)
async def test_bad_work_is_named(
    toy: Toy, bend: Callable[[pb.TranscodeResult], None], check: str, told: str
) -> None:
    toy.node.bend_result = bend
    found = await findings(toy.uri)
    assert verdicts(found, Verdict.FAIL) == {check}
    assert told in found[check].outcome.detail


def bent(path: str, reply: Reply) -> Callable[[Request], Reply | None]:
    return lambda request: reply if request.path == path else None


@pytest.mark.parametrize(
    ("bend", "check", "told"),
    [
        (bent("/healthz", Reply(503)), "healthz", "answers 503"),
        (
            lambda request: Reply(431) if len(request.headers.get("livepeer-payment", "")) > 60_000 else None,
            "headers",
            "900 kB is answered 431",
        ),
        (
            lambda request: (
                Reply(431) if len(request.headers.get("livepeer-payment", "")) == 57_000 else None
            ),
            "headers",
            "57 kB over HTTP/2",
        ),
        (
            lambda request: (
                Reply(hang_up=True) if len(request.headers.get("livepeer-payment", "")) > 1e5 else None
            ),
            "headers",
            "cut off",
        ),
        (bent("/net.Orchestrator/EndTranscodingSession", Reply(500)), "refusals", "HTTP status 500"),
    ],
)
async def test_a_bad_front_is_named(
    toy: Toy, bend: Callable[[Request], Reply | None], check: str, told: str
) -> None:
    toy.node.bend_reply = bend
    found = await findings(toy.uri)
    assert check in verdicts(found, Verdict.FAIL)
    assert told in found[check].outcome.detail


async def test_wrong_refusals_are_named(toy: Toy) -> None:
    toy.node.bend_segment = lambda order: Reply(400, b"forbidden\n") if not any(order.content_hash) else None
    found = await findings(toy.uri)
    assert "a wrong hash gets 400 'forbidden' instead of 403 Forbidden" in found["refusals"].outcome.detail


async def test_a_full_node_says_so(toy: Toy) -> None:
    toy.node.call_error = "Invalid orchestrator request: OrchestratorCapped"
    found = await findings(toy.uri)
    assert found["discovery"].outcome.cause == "every video session is taken"
    assert found["segment"].outcome.detail == "needs discovery"


async def test_a_server_without_h2_is_named(tmp_path: Path, toy: Toy) -> None:
    context = make_certificate(tmp_path)
    context.set_alpn_protocols(["http/1.1"])
    async with ToyServer(context, toy.node.handle) as server:
        found = await findings(f"https://127.0.0.1:{server.port}")
    assert found["tls.h2"].verdict is Verdict.FAIL
    assert found["tls.no-alpn"].verdict is Verdict.PASS
    assert found["segment"].verdict is Verdict.SKIP


async def test_a_missing_tls_version_is_named(tmp_path: Path, toy: Toy) -> None:
    context = make_certificate(tmp_path)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    async with ToyServer(context, toy.node.handle) as server:
        found = await findings(f"https://127.0.0.1:{server.port}")
    assert found["tls.versions"].outcome.detail == "TLS 1.2 refused"


async def test_nobody_there_skips_the_rest(free_port: int) -> None:
    found = await findings(f"https://127.0.0.1:{free_port}")
    assert found["tcp"].verdict is Verdict.FAIL
    assert verdicts(found, Verdict.FAIL) == {"tcp"}
    assert len(verdicts(found, Verdict.SKIP)) == len(CHECKS) - 2


async def test_a_uri_without_a_host_is_the_only_finding() -> None:
    assert list(await findings("https://")) == ["uri"]


async def test_the_json_validates(toy: Toy) -> None:
    found = list((await findings(toy.uri)).values())
    document = doctor_json(found, uri=toy.uri, at=1_700_000_000)
    Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(document)
    assert document["healthy"] is True


def test_the_verb_fails_for_a_node_that_is_not_there(
    free_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--against", f"https://127.0.0.1:{free_port}"]) == 1
    shown = capsys.readouterr().out
    assert "fail  tcp" in shown
    assert "remedy   start the node" in shown
    assert shown.endswith("A gateway cannot rely on this node: start with tcp.\n")
    assert main(["doctor", "--json", "--against", f"https://127.0.0.1:{free_port}"]) == 1
    Draft202012Validator(SCHEMA).validate(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize("address", ["0x12", "0x" + "g" * 40, ""])
def test_an_address_that_is_none_is_a_usage_error(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--against", "https://a:1", "--address", address]) == 64
    assert "40 hexadecimal digits" in capsys.readouterr().err


async def test_a_node_without_workers_says_so(toy: Toy) -> None:
    toy.node.call_error = "Invalid orchestrator request: no transcoders available"
    assert (await findings(toy.uri))["discovery"].outcome.cause == "no video worker is ready"


async def test_small_windows_are_named(toy: Toy) -> None:
    toy.server.window = 0  # the protocol's default
    found = await findings(toy.uri)
    assert verdicts(found, Verdict.FAIL) == {"windows"}
    assert found["windows"].outcome.detail == "it takes 63 KiB ahead over HTTP/2"
