"""Peers that make the edge hold as much as they can: what it holds is bounded, and given back."""

from __future__ import annotations

import asyncio
import struct

import hpack
from edge_rig import ask, client_tls, until_async

from reconciler.children.identity import observe_children

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, SETTINGS, CONTINUATION = 1, 4, 9
END_STREAM, END_HEADERS = 1, 4
NO_WINDOW = struct.pack(">HI", 4, 0)
PIECE = 16_384
HEAP = 100 * 2**20


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def request(stream, path, kilobytes):
    fields = [(":method", "GET"), (":scheme", "https"), (":path", path), (":authority", "edge")]
    fields += [(f"x-{number}", "A" * 50_000, True) for number in range(kilobytes // 50)]
    block = hpack.Encoder().encode(fields, huffman=False)
    pieces = [block[at : at + PIECE] for at in range(0, len(block), PIECE)]
    ends = [END_HEADERS if piece is pieces[-1] else 0 for piece in pieces]
    first = frame(HEADERS, END_STREAM | ends[0], stream, pieces[0])
    return first + b"".join(
        frame(CONTINUATION, end, stream, piece) for piece, end in zip(pieces[1:], ends[1:], strict=True)
    )


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * 4096


async def flood(port, streams):
    """Asks with 900 KB of headers each, and takes no byte of any answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client_tls("h2"))
    writer.write(PREFACE + frame(SETTINGS, 0, 0, NO_WINDOW))
    try:
        for number in range(streams):
            writer.write(request(2 * number + 1, "/who", 900))
            await asyncio.wait_for(writer.drain(), 5)
    except (OSError, TimeoutError):
        pass  # the edge had enough
    return reader, writer


async def test_answers_that_nobody_takes_do_not_fill_memory(rig):
    rig.want_limits(heap_bytes=HEAP, idle_stream_s=3)
    await rig.start_runtime("alpha")
    rig.route("alpha")
    await rig.converge()
    (edge,) = [child.pid for child in observe_children(rig.layout) if child.alive and child.role == "edge"]
    begin = resident_bytes(edge)
    connections = [await flood(rig.port, 100) for _ in range(4)]  # 360 MB in all
    assert resident_bytes(edge) - begin < 2 * HEAP

    async def serves():
        return await ask(rig.port, "/who") == (200, b"alpha")

    await until_async(serves, timeout_s=20)  # while the flood's connections are still open
    for _, writer in connections:
        writer.close()


async def test_a_request_without_path_or_type_is_no_error_of_the_edge(served):
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=client_tls())
    writer.write(b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: edge\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 20)).startswith(b"HTTP/1.1 404")
    writer.close()
    assert b"script log" not in (served.layout.logs / "edge.out").read_bytes()
