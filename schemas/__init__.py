"""The published contracts as package data: JSON Schemas and the wire's protocol definition."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def load(name: str) -> dict[str, Any]:
    """The JSON Schema `<name>.schema.json`. Callers do not change what they get."""
    text = (files(__name__) / f"{name}.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
