"""Reads the recorded exchanges of go-livepeer and turns their requests into ones for the node under test."""

from __future__ import annotations

import base64
import json
import re

from runtime_process import RECORDED

from livepeer.wire import grpc
from livepeer.wire import lp_rpc_pb2 as pb

_SESSION = re.compile(r"/stream/[0-9a-f]+/")
_ORIGIN = re.compile(r"^https://[^/]+")


class Exchange:
    def __init__(self, folder, case, number):
        path = RECORDED / folder / case / f"exchange-{number:02d}.json"
        self._folder = folder
        self.value = json.loads(path.read_text())
        self.request = self.value["request"]
        self.response = self.value["response"]
        self.status = self.response["status"]

    @property
    def path(self):
        return self.request["path"]

    @property
    def method(self):
        return self.request["method"]

    def body(self, part="request"):
        found = self.value[part].get("body") or {}
        return self._read(found["file"]) if "file" in found else b""

    def _read(self, name):
        return (RECORDED / self._folder / name).read_bytes()

    @property
    def headers(self):
        skipped = {"host", "connection", "content-length", "user-agent", "accept", "te", "accept-encoding"}
        return {k: v for k, v in self.request["headers"] if k.lower() not in skipped}

    @property
    def message(self):
        """The protobuf message of a gRPC request, as the edge hands it over."""
        body = self.body()
        unframed = grpc.unframe(body, limit=1 << 30)
        return unframed[0] if unframed else body[grpc.PREFIX_BYTES :]

    @property
    def grpc_answer(self):
        trailers = dict(self.response["trailers"])
        return int(trailers["grpc-status"]), trailers.get("grpc-message", "")

    @property
    def reply(self):
        """The protobuf message of a gRPC answer."""
        return grpc.unframe(self.body("response"))[0]

    @property
    def order(self):
        value = {k.lower(): v for k, v in self.request["headers"]}["livepeer-segment"]
        return pb.SegData.FromString(base64.b64decode(value))

    @property
    def result(self):
        return pb.TranscodeResult.FromString(self.body("response"))


def with_token(order, recorded, ours):
    """`order` with our token in place of the recorded valid one, part by part: spoilt parts stay so."""
    if order.HasField("auth_token"):
        for part in ("token", "session_id", "expiration"):
            if getattr(order.auth_token, part) == getattr(recorded, part):
                setattr(order.auth_token, part, getattr(ours, part))
    return order


def masked_urls(result):
    """URLs without the volatile origin and session."""
    return [_SESSION.sub("/stream/S/", _ORIGIN.sub("", s.url)) for s in result.data.segments]
