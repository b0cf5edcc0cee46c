"""Public names: complete, documented, and imported lazily."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import zedo_core


def test_all_lists_every_public_name() -> None:
    assert set(zedo_core.__all__) == {*zedo_core._HOME, "__version__"}
    assert sorted(set(zedo_core.__all__)) == sorted(zedo_core.__all__)
    assert set(zedo_core.__all__) == set(dir(zedo_core))


@pytest.mark.parametrize("name", sorted(zedo_core._HOME))
def test_public_names_exist_and_are_documented(name: str) -> None:
    value = getattr(zedo_core, name)
    assert inspect.getdoc(value), f"{name} has no docstring"
    assert not inspect.ismodule(value)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = zedo_core.nothing


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after `statement`."""
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_importing_the_core_loads_no_heavy_packages() -> None:
    assert not loaded_by("import zedo_core") & {"torch", "numpy", "cv2", "scipy", "jaxtyping"}


def test_importing_the_commands_loads_no_heavy_packages() -> None:
    heavy = {"torch", "numpy", "cv2", "huggingface_hub", "sklearn", "matplotlib", "av", "ultralytics"}
    assert not loaded_by("import zedo_cli.app") & heavy
