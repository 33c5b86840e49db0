"""The main job, end to end: converge, be a gateway, look at what came back, plan again, clean up.

`make demo` runs it on the repository's root; `python -m examples.demo FOLDER` on any node declared in FOLDER.
Everything goes through the public doors: the `reconcile` command and the TLS port, with the gateway client
that `reconcile doctor` uses. Writes `demo-out/` and leaves nothing running, unless the node served before.
"""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image, ImageDraw

from livepeer.gateway.client import Gateway
from livepeer.gateway.clip import Clip, make_clip
from livepeer.gateway.failures import GatewayError
from livepeer.gateway.transcoded import Transcoded
from livepeer.wire.profiles import VideoProfile
from reconciler.spec.load import load

ROOT = Path(__file__).resolve().parent.parent
SOURCE = Clip(width=1280, height=720, fps=Fraction(30), segment_s=2.0, count=4, bitrate=4_000_000)
LADDER = (
    VideoProfile(name="P360p30", width=640, height=360, bitrate=1_200_000, fps=30),
    VideoProfile(name="P240p30", width=426, height=240, bitrate=700_000, fps=30),
    VideoProfile(name="P144p15", width=256, height=144, bitrate=300_000, fps=15),
)


@dataclass(frozen=True, slots=True)
class Pushed:
    source: bytes
    result: Transcoded


def main(folder: Path) -> int:
    declared = load([folder / "orchestrator.yaml"])
    if declared.service is None:
        print("This node declares no service: there is nothing to push to.", file=sys.stderr)
        return 64
    uri, out = declared.service.uri, folder / "demo-out"
    served_before = _is_serving(uri)
    try:
        _say("1. Converge the declared state: `reconcile`")
        _reconcile(folder)
        _say("2. Be a gateway: discover, push a clip segment by segment, download, decode, count pixels")
        pushed = asyncio.run(_push(uri))
        _say(f"3. What came back, also in {out.name}/")
        _write(pushed, out)
        _say("4. Nothing is left to do: `reconcile --dry-run`")
        _reconcile(folder, "--dry-run")
    finally:
        if served_before:
            print("The node served before the demo and is left serving.")
        else:
            _say("5. Drain and end everything: `reconcile stop`")
            _reconcile(folder, "stop")
    return 0


def _say(text: str) -> None:
    print(f"\n== {text}", flush=True)


def _reconcile(folder: Path, *arguments: str) -> None:
    command = Path(sys.executable).with_name("reconcile")
    subprocess.run([command, *arguments], cwd=folder, check=True)


def _is_serving(uri: str) -> bool:
    try:
        asyncio.run(Gateway(uri).discover(None))
    except GatewayError:
        return False
    return True


async def _push(uri: str) -> list[Pushed]:
    clip = await asyncio.to_thread(make_clip, SOURCE)
    pushed: list[Pushed] = []
    async with Gateway(uri).session("demo", LADDER) as session:
        latency_ms = session.offer.latency_s * 1000
        print(f"   {uri} answered discovery in {latency_ms:.1f} ms (TCP, TLS and gRPC included)")
        for sequence, segment in enumerate(clip):
            began = time.perf_counter()
            result = await session.push(segment, sequence, duration_s=SOURCE.segment_s)
            took = time.perf_counter() - began
            speed = SOURCE.segment_s / result.total_s
            print(
                f"   segment {sequence}: {len(segment) / 1e3:4.0f} kB of {SOURCE.width}x{SOURCE.height}, "
                f"taken after {result.headers_s * 1000:4.1f} ms, transcoded in {result.total_s:.2f} s "
                f"({speed:.1f} x real time), checked after {took:.2f} s"
            )
            pushed.append(Pushed(segment, result))
    return pushed


def _write(pushed: list[Pushed], out: Path) -> None:
    out.mkdir(exist_ok=True)
    for old in (*out.glob("*.ts"), *out.glob("*.png")):
        old.unlink()
    (out / "source.ts").write_bytes(b"".join(entry.source for entry in pushed))
    print("   rendition   picture    frames        pixels  bytes    (pixels as claimed: counted by decoding)")
    for index, profile in enumerate(LADDER):
        renditions = [entry.result.renditions[index] for entry in pushed]
        decoded = [rendition.decoded for rendition in renditions if rendition.decoded]
        data = b"".join(rendition.data for rendition in renditions)
        (out / f"{profile.name}.ts").write_bytes(data)
        frames, pixels = sum(entry.frames for entry in decoded), sum(entry.pixels for entry in decoded)
        size = f"{decoded[0].width}x{decoded[0].height}"
        print(f"   {profile.name:10}  {size:9} {frames:7} {pixels:13,}  {len(data):,}")
    videos = [out / "source.ts", *(out / f"{profile.name}.ts" for profile in LADDER)]
    _contact_sheet(videos, out / "contact-sheet.png")
    print(f"   {out.name}/contact-sheet.png: a picture a second of the source and of each rendition")


def _contact_sheet(videos: list[Path], target: Path) -> None:
    """One row a video, one picture a second."""
    width, height, label = 240, 135, 18
    rows = [_pictures(path) for path in videos]
    sheet = Image.new("RGB", (width * max(map(len, rows)), (height + label) * len(rows)), "white")
    draw = ImageDraw.Draw(sheet)
    for row, (path, pictures) in enumerate(zip(videos, rows, strict=True)):
        top = row * (height + label)
        size = f"{pictures[0].width}x{pictures[0].height}"
        draw.text((4, top + 3), f"{path.stem}  {size}", fill="black")
        for column, picture in enumerate(pictures):
            sheet.paste(picture.resize((width, height)), (column * width, top + label))
    sheet.save(target)


def _pictures(path: Path) -> list[Image.Image]:
    with av.open(io.BytesIO(path.read_bytes())) as container:
        frames = list(container.decode(video=0))
    a_second = max(1, round(len(frames) / (SOURCE.segment_s * SOURCE.count)))
    return [frame.to_image() for frame in frames[::a_second]]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT))
