"""What the doctor makes of certificates, clocks and tokens. Pure."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from toy_server import make_certificate

from livepeer.gateway.doctor.finding import Verdict
from livepeer.gateway.doctor.line import judge_certificate, judge_skew
from livepeer.gateway.doctor.terms import judge_token
from livepeer.wire.auth import AuthToken


@pytest.mark.parametrize(
    ("made_with", "host", "verdict", "told"),
    [
        ({"names": ("fra.example.com",)}, "fra.example.com", Verdict.PASS, "self-signed"),
        ({"names": ("other",)}, "fra.example.com", Verdict.WARN, "made for other"),
        ({"days": 3}, "localhost", Verdict.WARN, "expires on"),
        ({"days": 3, "began_days_ago": 9}, "localhost", Verdict.WARN, "expired on"),
        ({"began_days_ago": -2}, "localhost", Verdict.WARN, "valid only from"),
    ],
)
def test_certificates_are_judged_for_those_who_verify(
    tmp_path: Path, made_with: dict[str, object], host: str, verdict: Verdict, told: str
) -> None:
    make_certificate(tmp_path, **made_with)  # type: ignore[arg-type]
    certificate = x509.load_pem_x509_certificate((tmp_path / "cert.pem").read_bytes())
    outcome = judge_certificate(certificate, host, now=dt.datetime.now(dt.UTC))
    assert (outcome.verdict, told in outcome.detail) == (verdict, True)


@pytest.mark.parametrize(
    ("skew_s", "verdict"),
    [(0, Verdict.PASS), (-10, Verdict.PASS), (60, Verdict.WARN), (-60, Verdict.WARN), (500, Verdict.FAIL)],
)
def test_clocks_are_judged_by_what_gateways_bear(skew_s: float, verdict: Verdict) -> None:
    assert judge_skew(skew_s).verdict is verdict


@pytest.mark.parametrize(
    ("left_s", "verdict"),
    [(1800, Verdict.PASS), (180, Verdict.FAIL), (-5, Verdict.FAIL), (90_000, Verdict.WARN)],
)
def test_tokens_are_judged_by_their_time_left(left_s: int, verdict: Verdict) -> None:
    assert judge_token(AuthToken(b"t", "s", 1000 + left_s), now=1000).verdict is verdict
