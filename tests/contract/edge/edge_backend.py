"""A stand-in for the runtime: the ASGI answers that the edge's contract needs, on a unix socket.

Run as `python edge_backend.py SOCKET NAME`. It says who it is, counts what it got, and answers gRPC the way a
runtime does: one protobuf message per POST, status and text in headers.
"""

import asyncio
import json
import sys

import uvicorn

PROTOBUF = (b"content-type", b"application/x-protobuf")
GRPC = (b"content-type", b"application/grpc")


def program(name):
    async def application(scope, receive, send):
        if scope["type"] != "http":
            return
        path = scope["path"]
        headers = dict(scope["headers"])

        async def answer(status, body=b"", *more):
            length = (b"content-length", str(len(body)).encode())
            await send({"type": "http.response.start", "status": status, "headers": [length, *more]})
            await send({"type": "http.response.body", "body": body})

        async def body():
            content, size = b"", 0
            while True:
                event = await receive()
                if event["type"] == "http.disconnect":
                    return content, size
                size += len(event.get("body", b""))
                content = (content + event.get("body", b""))[:4_194_304]
                if not event.get("more_body"):
                    return content, size

        if path == "/who":
            await answer(200, name.encode())
        elif path == "/slow":
            await body()
            await asyncio.sleep(1.0)
            await answer(200, name.encode())
        elif path == "/echo":
            content, size = await body()
            told = {
                "name": name,
                "method": scope["method"],
                "path": scope["raw_path"].decode(),
                "bytes": size,
                "headers": sum(len(key) + len(value) for key, value in scope["headers"]),
                "longest": max(len(value) for _, value in scope["headers"]),
                "names": sorted(key.decode() for key in headers),
                "forwarded": headers.get(b"x-forwarded-for", b"").decode(),
            }
            await answer(200, json.dumps(told).encode(), (b"content-type", b"application/json"))
        elif path == "/early":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"head ", "more_body": True})
            _, size = await body()
            await send({"type": "http.response.body", "body": str(size).encode()})
        elif path == "/net.Orchestrator/Ping":
            content, _ = await body()
            await answer(200, content, PROTOBUF)
        elif path == "/net.Orchestrator/GetOrchestrator":
            await body()
            text = (b"x-grpc-message", b"insufficient sender reserve: 100%25 of it")
            await answer(200, b"", PROTOBUF, (b"x-grpc-status", b"2"), text)
        elif path == "/net.Transcoder/RegisterTranscoder":
            await body()
            if name == "refusing":
                status, text = (b"grpc-status", b"2"), (b"grpc-message", b"invalid secret")
                await answer(200, b"", GRPC, status, text)
                return
            trailer = (b"trailer", b"grpc-status")
            await send({"type": "http.response.start", "status": 200, "headers": [GRPC, trailer]})
            for number in range(3):
                frame = b"\0\0\0\0\2\x10" + bytes([number + 1])
                await send({"type": "http.response.body", "body": frame, "more_body": True})
                await asyncio.sleep(0.05)
            await send({"type": "http.response.body", "body": b""})
        elif path.startswith("/net."):
            text = (b"x-grpc-message", b"unknown service " + path.split("/")[1].encode())
            await answer(200, b"", PROTOBUF, (b"x-grpc-status", b"12"), text)
        else:
            await answer(404, b"404 page not found\n", (b"content-type", b"text/plain; charset=utf-8"))

    return application


def main():
    socket, name = sys.argv[1:]
    uvicorn.run(
        program(name), uds=socket, log_level="warning", http="httptools", loop="uvloop", lifespan="off",
        timeout_keep_alive=75, access_log=False, server_header=False, h11_max_incomplete_event_size=2**21,
        timeout_graceful_shutdown=10,
    )  # fmt: skip


if __name__ == "__main__":
    main()
