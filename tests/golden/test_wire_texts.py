"""The texts that peers match on, written out a second time: a change must be made twice, on purpose."""

from __future__ import annotations

import pytest

from livepeer.wire import texts

EXPECTED = {
    "AUTHENTICATION": "authentication failed: ",
    "BAD_REQUEST": "BadRequest",
    "BASE64_DECODE": "base64 decode error: ",
    "DURATION": "invalid duration",
    "END_SESSION_TOKEN": "Invalid auth token",
    "FILTERGRAPH": "Error initializing filtergraph",
    "FORBIDDEN": "Forbidden",
    "GRPC_TOO_LARGE": "grpc: received message larger than max (%d vs. %d)",
    "GRPC_UNKNOWN_METHOD": "unknown method %s for service %s",
    "GRPC_UNKNOWN_SERVICE": "unknown service %s",
    "GRPC_UNMARSHAL": "grpc: error unmarshalling request: proto: cannot parse invalid wire-format data",
    "INCOMPATIBLE": "incompatible capabilities",
    "INCOMPATIBLE_DEVICES": "TranscoderIncompatibleDevices",
    "INSUFFICIENT_BALANCE": "Insufficient balance",
    "INTERNAL": "Internal Server Error",
    "INVALID_ARGUMENT": "Invalid argument",
    "INVALID_DATA": "Invalid data found when processing input",
    "INVALID_DURATION": "TranscoderInvalidDuration",
    "INVALID_EXPECTED_PRICE": "invalid expected price sent with payment err=",
    "INVALID_GOP": "TranscoderInvalidGOP",
    "INVALID_HARDWARE": "TranscoderInvalidHardware",
    "INVALID_REQUEST": "Invalid orchestrator request: ",
    "INVALID_RESOLUTION": "TranscoderInvalidResolution",
    "INVALID_SECRET": "invalid secret",
    "INVALID_VIDEO": "TranscoderInvalidVideo",
    "MEDIA_STATS": "MediaStats Failure",
    "MISMATCHED_SEGMENTS": "MismatchedSegments",
    "NOT_FOUND_OBJECT": "ErrNotFound",
    "NOT_FOUND_PATH": "404 page not found",
    "NO_CAPABLE_TRANSCODERS": "no transcoders can provide requested capabilities",
    "NO_DECODER": "Decoder not found",
    "NO_DEMUXER": "Demuxer not found",
    "NO_ENCODER": "Encoder not found",
    "NO_KEYFRAMES": "No keyframes in input",
    "NO_MUXER": "Muxer not found",
    "NO_OPTION": "Option not found",
    "NO_TRANSCODERS": "no transcoders available",
    "ORCHESTRATOR_BUSY": "OrchestratorBusy",
    "ORCHESTRATOR_CAPPED": "OrchestratorCapped",
    "PROFILE_CODEC": "unrecognized video codec",
    "PROFILE_ENCODER": "unrecognized encoder profile",
    "PROFILE_FORMAT": "unrecognized profile output format",
    "PROTOBUF_INVALID": "proto: cannot parse invalid wire-format data",
    "PROTOBUF_UNMARSHAL": "protobuf unmarshal error: ",
    "REQUEST_CAPPED": "Invalid orchestrator request: OrchestratorCapped",
    "REQUEST_SIGNATURE": "Invalid orchestrator request: orchestrator req sig check failed",
    "RUNAWAY": "Encoded frames runaway",
    "SEGMENT_ENCODING": "ErrorSegEncoding",
    "SEGMENT_SIGNATURE": "ErrSegSig",
    "SESSION_ENDED": "Session ended",
    "TOKEN_EXPIRED": "expired auth token",
    "TOKEN_INVALID": "invalid auth token",
    "TOKEN_MISSING": "missing auth token",
    "TOO_MANY_OUTPUTS": "Too many outputs",
    "TRANSCODER_BUSY": "TranscoderBusy",
    "TRANSCODER_STOPPED": "TranscoderStopped",
    "TRANSCODER_TIMEOUT": "Remote transcoder took too long",
    "TRANSCODER_UNAVAILABLE": "ErrTranscoderUnavailable",
    "UNRECOGNIZED_FORMAT": "TranscoderUnrecognizedFormat",
    "UNRECOGNIZED_PROFILE": "TranscoderUnrecognizedProfile",
    "UNRECOVERABLE": "Unrecoverable state, restart process",
    "UNSUPPORTED_CODEC": "Unsupported input codec",
    "UNSUPPORTED_PIXEL_FORMAT": "Unsupported input pixel format",
    "ZERO_CAPACITY": "zero capacity",
    "ZERO_SEGMENTS": "ZeroSegments",
}


def test_every_text_is_what_peers_know() -> None:
    actual = {name: value for name, value in vars(texts).items() if name.isupper() and isinstance(value, str)}
    assert actual == EXPECTED


def test_exactly_nineteen_errors_go_unpunished() -> None:
    assert len(texts.UNPUNISHED) == 19
    assert set(EXPECTED.values()) >= texts.UNPUNISHED


@pytest.mark.parametrize(
    "text",
    ["TranscoderInvalidDuration", "TranscoderInvalidHardware", "TranscoderStopped", "OrchestratorBusy", ""],
)
def test_other_errors_are_punished(text: str) -> None:
    assert texts.is_punished(text)


def test_a_body_is_judged_without_its_newline() -> None:
    assert not texts.is_punished("TranscoderInvalidVideo\n")
