"""Documents for tests of the serving side."""

from __future__ import annotations

import copy

_DOCUMENT = {
    "format": 1,
    "generation": 1,
    "node": {"name": "n", "version": "0.9.1"},
    "log": "info",
    "service": {"uri": "https://127.0.0.1:8935", "admission": "open"},
    "identity": {"address": None},
    "paths": {"database": "/d/money.db", "renditions": "/d/r", "log": "/d/log"},
    "video": {
        "sessions": 10,
        "preset": "medium",
        "workers": {"cpu-0": {"device": "cpu", "threads": 0, "memoryBytes": 0}},
    },
    "pricing": {"video": "11/20"},
    "gateways": {},
    "limits": {
        "bodyBytes": 300_000_000,
        "bodyIdleSeconds": 10,
        "drainSeconds": 30,
        "sessionIdleSeconds": 70,
        "queue": 4,
    },
}


def spec_document(*, sessions=None, admission=None, gateways=None):
    document = copy.deepcopy(_DOCUMENT)
    if sessions is not None:
        document["video"]["sessions"] = sessions
    if admission is not None:
        document["service"]["admission"] = admission
    if gateways is not None:
        document["gateways"] = gateways
    return document
