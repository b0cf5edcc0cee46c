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
