"""Every exception that zedo raises on purpose.

    ZedoError
    ├── InputError          an argument or an input file cannot be used
    │   ├── FormatError     a file is damaged or not in a known format
    │   └── CameraError     intrinsics or distortion are not those of a camera
    ├── WeightsError        weights or clusters are missing, damaged or incompatible
    ├── HubError            the hub could not be reached or refused the request
    ├── DeviceError         the compute device is not available
    ├── OutputError         a result could not be written
    └── MissingExtraError   an optional package is not installed

A message is one line: what was expected, what was found, what to do.
"""

from __future__ import annotations


class ZedoError(Exception):
    """Base class of every error that zedo raises on purpose; its message is one line, written for the user."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class InputError(ZedoError):
    """An argument or an input file cannot be used as it is."""


class FormatError(InputError):
    """A file is damaged or not in a known format."""


class CameraError(InputError):
    """Intrinsics or distortion are not those of a camera."""


class WeightsError(ZedoError):
    """Weights or clusters are missing, damaged or do not fit together."""


class HubError(ZedoError):
    """The hub could not be reached, refused the request, or sent something else than was requested."""


class DeviceError(ZedoError):
    """The requested compute device is not available."""


class OutputError(ZedoError):
    """A result could not be written."""


class MissingExtraError(ZedoError):
    """An optional package is needed but not installed."""

    @classmethod
    def of(cls, what: str, package: str, extra: str) -> MissingExtraError:
        """The error of `what`, which needs a package of one of zedo's extras, with the command that installs it."""
        return cls(f"{what}: expected the package {package}, which is not installed; {_installation(extra)}")


def _installation(extra: str) -> str:
    """How to install an extra: from the folder that zedo was installed from, which pip has recorded (PEP 610)."""
    import json  # here, since every command imports this module
    from importlib.metadata import PackageNotFoundError, distribution
    from pathlib import Path
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    try:
        record = json.loads(distribution("zedo").read_text("direct_url.json") or "{}")
        folder = Path(url2pathname(urlsplit(record["url"]).path))
        option = "-e " if record.get("dir_info", {}).get("editable") else ""
    except (PackageNotFoundError, OSError, ValueError, KeyError, TypeError, AttributeError):
        folder, option = Path("nowhere"), ""
    if (folder / "pyproject.toml").is_file():
        return f"install it with pip install {option}'{folder}[{extra}]'"
    return f"install it with pip install '.[{extra}]' in your clone of zedo"
