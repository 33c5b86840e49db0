"""This product's version. Read at first use: metadata is slow to find."""

from __future__ import annotations


def version() -> str:
    from importlib.metadata import PackageNotFoundError  # noqa: PLC0415
    from importlib.metadata import version as installed  # noqa: PLC0415

    try:
        return installed("livepeer-reconciler")
    except PackageNotFoundError:
        return "0+unknown"
