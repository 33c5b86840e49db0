"""Messages and refusals of a real node: decoded field by field, written again, refused alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from livepeer.wire import headers, segments
from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire.capabilities import from_wire, is_compatible, offering, to_wire
from livepeer.wire.errors import PeerProtocolError

RECORDED = Path(__file__).parents[2] / "recorded" / "wire"
MESSAGES = json.loads((RECORDED / "messages.json").read_text())["messages"]
ANSWERS = json.loads((RECORDED / "credentials.json").read_text())["answers"]
BEYOND_CODECS = {
    "missing auth token",
    "invalid auth token",
    "incompatible capabilities",
    "Forbidden",
    "BadRequest",
    "",
}


def shown(message: Message) -> dict[str, Any]:
    return {f"{field.number}:{field.name}": _value(field, value) for field, value in message.ListFields()}


def _value(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        inner = field.message_type.fields_by_name["value"]
        return {str(key): _one(inner, value[key]) for key in value}
    if field.is_repeated:
        return [_one(field, entry) for entry in value]
    return _one(field, value)


def _one(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None:
        return shown(value)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return f"{value}:{known.name if known else '?'}"
    return f"hex:{value.hex()}" if isinstance(value, bytes) else value


@pytest.mark.parametrize(
    "entry", MESSAGES, ids=lambda entry: f"{entry['message']}-{entry['case'].split('/')[1]}"
)
def test_a_recorded_message_reads_and_writes_field_by_field(entry: dict[str, Any]) -> None:
    message = getattr(pb, entry["message"])()
    message.ParseFromString(bytes.fromhex(entry["bytes"]))
    assert shown(message) == entry["decoded"]
    again = getattr(pb, entry["message"])()
    again.ParseFromString(message.SerializeToString(deterministic=True))
    assert again == message


ORDERS = [
    entry
    for entry in MESSAGES
    if entry["message"] == "SegData" and "Profiles" in str(entry["decoded"]) and "42-" not in entry["case"]
]


@pytest.mark.parametrize("entry", ORDERS, ids=lambda entry: entry["case"].split("/")[1])
def test_a_recorded_order_survives_our_value(entry: dict[str, Any]) -> None:
    message = headers.decode_segment(headers.encode(pb.SegData.FromString(bytes.fromhex(entry["bytes"]))))
    again = segments.write_order(segments.read_order(message))
    for listed in (message.fullProfiles, message.fullProfiles2, message.fullProfiles3):
        for profile in listed:  # nobody reads these two, and we do not send them on
            profile.ClearField("colorDepth")
            profile.ClearField("chromaFormat")
    message.duration = message.duration or segments.DEFAULT_DURATION_MS
    again.hash = message.hash
    message.capabilities.constraints.SetInParent()
    assert again == message


@pytest.mark.parametrize(
    "answer", ANSWERS, ids=lambda answer: f"{answer['case'].split('/')[1]}-{answer['n']}"
)
def test_credentials_are_refused_as_the_real_node_refuses_them(answer: dict[str, Any]) -> None:
    expected = (answer["text"] or "").strip()
    if expected not in BEYOND_CODECS:
        with pytest.raises(PeerProtocolError) as caught:
            _decode(answer)
        assert (caught.value.text, caught.value.status) == (expected, answer["status"])
        return
    order = _decode(answer)
    software = offering((n for n in range(37) if n not in (13, 15, 16, 18, 19, 20, 33, 35)), version="0.9.1")
    if expected != "missing auth token":
        assert is_compatible(order.capabilities, software) is (expected != "incompatible capabilities")


def _decode(answer: dict[str, Any]) -> segments.SegmentOrder:
    headers.decode_payment(answer["payment"])
    return segments.read_order(headers.decode_segment(answer["segment"]))


def test_a_recorded_advertisement_survives_our_value() -> None:
    for entry in MESSAGES:
        if entry["message"] == "OrchestratorInfo":
            info = pb.OrchestratorInfo.FromString(bytes.fromhex(entry["bytes"]))
            assert to_wire(from_wire(info.capabilities)) == info.capabilities
