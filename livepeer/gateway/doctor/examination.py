"""The order of the checks, what each needs, and the loop that runs them.

A check that needs a failed or skipped one is skipped. Whatever a node does, a check ends within its time
limit and becomes a finding; nothing is raised for a sick node.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

import httpx

from livepeer.gateway.address import parse_uri
from livepeer.gateway.client import Gateway
from livepeer.gateway.doctor import line, service, terms
from livepeer.gateway.doctor.finding import Finding, Outcome, Verdict, failed, skipped
from livepeer.gateway.doctor.patient import Options, Patient
from livepeer.gateway.failures import GatewayError

LIMIT_S = 30.0
_SEGMENT_LIMIT_S = 90.0


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    run: Callable[[Patient], Awaitable[Outcome]]
    needs: tuple[str, ...] = ()
    limit_s: float = LIMIT_S


CHECKS = (
    Check("uri", line.check_uri),
    Check("tcp", line.check_reachable),
    Check("tls.h2", line.check_h2, ("tcp",)),
    Check("tls.no-alpn", line.check_no_alpn, ("tcp",)),
    Check("tls.versions", line.check_versions, ("tls.h2",)),
    Check("tls.certificate", line.check_certificate, ("tls.h2",)),
    Check("healthz", line.check_healthz, ("tls.no-alpn",)),
    Check("headers", line.check_large_headers, ("tls.h2", "tls.no-alpn")),
    Check("windows", line.check_windows, ("tls.h2",)),
    Check("clock", line.check_clock, ("tls.no-alpn",)),
    Check("discovery", terms.check_discovery, ("tls.h2",)),
    Check("discovery.latency", terms.check_latency, ("discovery",)),
    Check("discovery.uri", terms.check_advertised_uri, ("discovery",)),
    Check("discovery.version", terms.check_version, ("discovery",)),
    Check("discovery.capabilities", terms.check_capabilities, ("discovery",)),
    Check("discovery.constraints", terms.check_constraints, ("discovery",)),
    Check("discovery.token", terms.check_token, ("discovery",)),
    Check("discovery.price", terms.check_price, ("discovery",)),
    Check("identity", terms.check_identity, ("discovery",)),
    Check("segment", service.check_segment, ("discovery",), _SEGMENT_LIMIT_S),
    Check("segment.download", service.check_download, ("segment",)),
    Check("segment.pixels", service.check_pixels, ("segment",)),
    Check("segment.signature", service.check_results_signature, ("segment",)),
    Check("segment.speed", service.check_speed, ("segment",)),
    Check("refusals", service.check_refusals, ("discovery",)),
)


async def examine(options: Options) -> AsyncIterator[Finding]:
    """Yields each finding as soon as it is known, in the order of `CHECKS`."""
    address = parse_uri(options.uri)
    if address is None:
        yield Finding(
            "uri", failed(f"there is no host in {options.uri!r}", "", "write https://HOST:PORT"), 0.0
        )
        return
    gateway = Gateway(options.uri, signer=options.signer, now=options.now)
    patient = Patient(options, address, gateway)
    verdicts: dict[str, Verdict] = {}
    for check in CHECKS:
        finding = await _examine(check, patient, verdicts)
        verdicts[check.name] = finding.verdict
        yield finding


async def _examine(check: Check, patient: Patient, verdicts: Mapping[str, Verdict]) -> Finding:
    unmet = [need for need in check.needs if verdicts[need] in (Verdict.FAIL, Verdict.SKIP)]
    if unmet:
        return Finding(check.name, skipped(f"needs {unmet[0]}"), 0.0)
    started = time.perf_counter()
    outcome = await _guarded(check, patient)
    return Finding(check.name, outcome, time.perf_counter() - started)


async def _guarded(check: Check, patient: Patient) -> Outcome:
    remedy = "`reconcile status` and the logs of edge and runtime say more"
    try:
        async with asyncio.timeout(check.limit_s):
            return await check.run(patient)
    except TimeoutError:
        return failed(f"no answer within {check.limit_s:g} s", "the node hangs or is overloaded", remedy)
    except (GatewayError, httpx.HTTPError, OSError) as error:
        return failed(
            str(error) or type(error).__name__, "the node does not answer as gateways expect", remedy
        )
