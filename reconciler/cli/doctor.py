"""`reconcile doctor`: is the node what gateways need, seen from outside?

Speaks to the node as a gateway does and prints each finding as it comes. Needs no operator and no lock, and
reads declared state only to learn the URI. Exit 0 where no check failed, else 1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.arguments import DEFAULT_FILE, add_files, add_json
from reconciler.core.errors import UsageError

if TYPE_CHECKING:
    from livepeer.gateway.doctor.finding import Finding
    from livepeer.gateway.doctor.patient import Options

DESCRIPTION = """\
Examine an orchestrator from outside, as a gateway meets it: its URI, TLS in both forms that gateways use,
header sizes, clock, discovery on new connections, auth token, capabilities; then a real clip is pushed
segment by segment, its renditions are downloaded and their pixels counted. It works against any orchestrator.
"""
EXAMPLES = """\
examples:
  reconcile doctor                                        the node that orchestrator.yaml declares
  reconcile doctor --against https://orch.example.com:8935
  reconcile doctor --against https://orch.example.com:8935 --address 0x91…e4 --json
"""
_ADDRESS_DIGITS = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    add_json(parser, "the findings")
    parser.add_argument(
        "--against", metavar="URI", help="examine this orchestrator instead of the declared one"
    )
    parser.add_argument("--address", metavar="0x…", help="the address that must sign for the node")


def run(arguments: argparse.Namespace) -> int:
    address = _read_address(arguments.address)
    uri = arguments.against or _declared_uri([Path(name) for name in arguments.files or [DEFAULT_FILE]])
    return asyncio.run(_examine(_options(uri, address), as_json=arguments.json))


def _read_address(text: str | None) -> bytes | None:
    if text is None:
        return None
    digits = text.removeprefix("0x")
    try:
        if len(digits) == _ADDRESS_DIGITS:
            return bytes.fromhex(digits)
    except ValueError:
        pass
    raise UsageError(
        f"--address {text} is no address",
        next_step="write 0x and 40 hexadecimal digits, as explorers show it",
    )


def _declared_uri(files: list[Path]) -> str:
    from reconciler.spec.load import load  # noqa: PLC0415 - only where nobody names a URI

    declaration = load(files)
    if declaration.service is None:
        raise UsageError(
            f"{declaration.name} declares no service, so there is nothing to examine",
            next_step="`reconcile doctor --against URI` examines another node",
        )
    return declaration.service.uri


def _options(uri: str, address: bytes | None) -> Options:
    from livepeer.gateway.clip import Clip  # noqa: PLC0415 - the media library
    from livepeer.gateway.doctor.patient import Options  # noqa: PLC0415 - the HTTP library
    from livepeer.wire.signing import OffchainSigner  # noqa: PLC0415 - as above

    return Options(
        uri=uri,
        address=address,
        signer=OffchainSigner(),
        clip=Clip(count=2),
        now=time.time,
        random_bytes=secrets.token_bytes,
    )


async def _examine(options: Options, *, as_json: bool) -> int:
    from livepeer.gateway.doctor.examination import examine  # noqa: PLC0415 - the HTTP library
    from reconciler.cli.terminal import palette_for, say  # noqa: PLC0415 - beside it
    from reconciler.report.doctor import (  # noqa: PLC0415 - as above
        doctor_json,
        is_healthy,
        render_conclusion,
        render_finding,
        render_opening,
    )

    palette, started = palette_for(sys.stdout), options.now()
    findings: list[Finding] = []
    if as_json:
        say(f"examining {options.uri}")
    else:
        print(render_opening(options.uri, started, palette=palette), flush=True)
    async for finding in examine(options):
        findings.append(finding)
        if not as_json:
            print(render_finding(finding, palette=palette), flush=True)
    if as_json:
        print(json.dumps(doctor_json(findings, uri=options.uri, at=started), indent=2))
    else:
        print(render_conclusion(findings, palette=palette))
    return 0 if is_healthy(findings) else 1
