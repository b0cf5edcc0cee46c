"""The standard library's TOML parser, or its twin before Python 3.11."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 11):
    from tomllib import loads
else:
    from tomli import loads  # pyright: ignore[reportMissingImports]

__all__ = ["loads"]
