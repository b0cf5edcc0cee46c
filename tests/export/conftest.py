"""A browser for the pages with the 3D player."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import chromium
from player_page import Player


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    yield from chromium(tmp_path_factory.mktemp("profile"), Player)
