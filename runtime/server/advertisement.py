"""What GetOrchestrator answers, prepared beforehand: serialized once per change, not per call.

Gateways prefer the fastest answer, so a call only appends its auth token (concatenated protobuf messages
merge). Prepared again by the assembly whenever the accepted document or the served capabilities change.
"""

from __future__ import annotations

from livepeer.wire import capabilities as caps
from livepeer.wire import lp_rpc_pb2 as pb

_LENGTH_DELIMITED = 2
_AUTH_TOKEN_FIELD = 6


class Advertisement:
    def __init__(self, *, service_uri: str, address: bytes, capabilities: caps.Capabilities) -> None:
        self.service_uri = service_uri
        self.capabilities = capabilities
        info = pb.OrchestratorInfo(
            transcoder=service_uri, address=address, capabilities=caps.to_wire(capabilities)
        )
        self._prepared = info.SerializeToString()

    def info(self, token: bytes) -> bytes:
        """A serialized `OrchestratorInfo` that carries this serialized `AuthToken`."""
        return self._prepared + embedded(_AUTH_TOKEN_FIELD, token)


def embedded(field: int, message: bytes) -> bytes:
    """A serialized message as this field of the message that it is appended to."""
    return _varint(field << 3 | _LENGTH_DELIMITED) + _varint(len(message)) + message


def _varint(number: int) -> bytes:
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)
