"""Every text that peers see or match on, byte for byte as go-livepeer 0.9 says it.

Gateways decide by these strings whether they punish an orchestrator, so they are constants in one place with
a golden test. Server code answers with them; the gateway client judges by them. HTTP bodies end them with a
newline, which gateways trim. Nothing here is for people: reports have their own words.
"""

from __future__ import annotations

# Payment and segment credentials (`Livepeer-Payment`, `Livepeer-Segment`).
BASE64_DECODE = "base64 decode error: "
PROTOBUF_UNMARSHAL = "protobuf unmarshal error: "
PROTOBUF_INVALID = "proto: cannot parse invalid wire-format data"
SEGMENT_ENCODING = "ErrorSegEncoding"
PROFILE_FORMAT = "unrecognized profile output format"
PROFILE_ENCODER = "unrecognized encoder profile"
PROFILE_CODEC = "unrecognized video codec"
DURATION = "invalid duration"
SEGMENT_SIGNATURE = "ErrSegSig"
INCOMPATIBLE = "incompatible capabilities"
TOKEN_MISSING = "missing auth token"
TOKEN_INVALID = "invalid auth token"
TOKEN_EXPIRED = "expired auth token"
ORCHESTRATOR_CAPPED = "OrchestratorCapped"
INTERNAL = "Internal Server Error"
INSUFFICIENT_BALANCE = "Insufficient balance"
INVALID_EXPECTED_PRICE = "invalid expected price sent with payment err="
BAD_REQUEST = "BadRequest"
FORBIDDEN = "Forbidden"

# Discovery and the end of a session (gRPC status 2).
INVALID_REQUEST = "Invalid orchestrator request: "
REQUEST_SIGNATURE = "Invalid orchestrator request: orchestrator req sig check failed"
REQUEST_CAPPED = "Invalid orchestrator request: OrchestratorCapped"
AUTHENTICATION = "authentication failed: "
END_SESSION_TOKEN = "Invalid auth token"

# gRPC's own words.
GRPC_UNMARSHAL = "grpc: error unmarshalling request: proto: cannot parse invalid wire-format data"
GRPC_TOO_LARGE = "grpc: received message larger than max (%d vs. %d)"
GRPC_UNKNOWN_SERVICE = "unknown service %s"
GRPC_UNKNOWN_METHOD = "unknown method %s for service %s"

# Other paths.
NOT_FOUND_PATH = "404 page not found"
NOT_FOUND_OBJECT = "ErrNotFound"

# `TranscodeResult.error`, after the 200.
ORCHESTRATOR_BUSY = "OrchestratorBusy"
MEDIA_STATS = "MediaStats Failure"
MISMATCHED_SEGMENTS = "MismatchedSegments"
ZERO_SEGMENTS = "ZeroSegments"
TRANSCODER_UNAVAILABLE = "ErrTranscoderUnavailable"
TRANSCODER_BUSY = "TranscoderBusy"
TRANSCODER_STOPPED = "TranscoderStopped"
SESSION_ENDED = "Session ended"
INVALID_DURATION = "TranscoderInvalidDuration"
INVALID_HARDWARE = "TranscoderInvalidHardware"
INVALID_DATA = "Invalid data found when processing input"

# Between orchestrator and remote transcoder.
INVALID_SECRET = "invalid secret"
ZERO_CAPACITY = "zero capacity"
NO_TRANSCODERS = "no transcoders available"
NO_CAPABLE_TRANSCODERS = "no transcoders can provide requested capabilities"
TRANSCODER_TIMEOUT = "Remote transcoder took too long"

# Errors of the stream itself: a gateway gives the segment up and neither suspends nor asks somebody else.
UNSUPPORTED_PIXEL_FORMAT = "Unsupported input pixel format"
FILTERGRAPH = "Error initializing filtergraph"
TOO_MANY_OUTPUTS = "Too many outputs"
UNSUPPORTED_CODEC = "Unsupported input codec"
NO_KEYFRAMES = "No keyframes in input"
UNRECOVERABLE = "Unrecoverable state, restart process"
RUNAWAY = "Encoded frames runaway"
NO_DECODER = "Decoder not found"
NO_DEMUXER = "Demuxer not found"
NO_ENCODER = "Encoder not found"
NO_MUXER = "Muxer not found"
NO_OPTION = "Option not found"
INVALID_ARGUMENT = "Invalid argument"
INVALID_RESOLUTION = "TranscoderInvalidResolution"
INVALID_VIDEO = "TranscoderInvalidVideo"
UNRECOGNIZED_FORMAT = "TranscoderUnrecognizedFormat"
UNRECOGNIZED_PROFILE = "TranscoderUnrecognizedProfile"
INVALID_GOP = "TranscoderInvalidGOP"
INCOMPATIBLE_DEVICES = "TranscoderIncompatibleDevices"

UNPUNISHED = frozenset(
    {
        UNSUPPORTED_PIXEL_FORMAT,
        FILTERGRAPH,
        TOO_MANY_OUTPUTS,
        UNSUPPORTED_CODEC,
        NO_KEYFRAMES,
        UNRECOVERABLE,
        RUNAWAY,
        NO_DECODER,
        NO_DEMUXER,
        NO_ENCODER,
        NO_MUXER,
        NO_OPTION,
        INVALID_ARGUMENT,
        INVALID_RESOLUTION,
        INVALID_VIDEO,
        UNRECOGNIZED_FORMAT,
        UNRECOGNIZED_PROFILE,
        INVALID_GOP,
        INCOMPATIBLE_DEVICES,
    }
)


def is_punished(error: str) -> bool:
    """Whether a gateway that reads this error suspends the orchestrator that said it."""
    return error.strip() not in UNPUNISHED
