"""The run-time checker of shapes and types, which accepts an int for a float like other type checkers."""

from __future__ import annotations

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
