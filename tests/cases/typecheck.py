"""The checker of shapes and types under test: an int will do where a float is asked for, as for other type checkers."""

from __future__ import annotations

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
