"""Every exception that zedo raises on purpose.

    ZedoError
    ├── InputError          what the caller gave cannot be used
    │   ├── FormatError     a file that is damaged or of no known format
    │   └── CameraError     intrinsics that describe no camera
    ├── WeightsError        weights or clusters missing, damaged or unfit
    ├── HubError            the hub could not be reached or refused
    ├── DeviceError         the compute device is not there
    ├── OutputError         a result could not be written
    └── MissingExtraError   an optional package is not installed

A message is one line: what was expected, what was found, what to do.
"""

from __future__ import annotations


class ZedoError(Exception):
    """Base of every error that zedo raises on purpose; its text is one line made for the user."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class InputError(ZedoError):
    """An argument or an input file cannot be used as it is."""


class FormatError(InputError):
    """A file is damaged or fits no known format."""


class CameraError(InputError):
    """Intrinsics or distortion describe no camera."""


class WeightsError(ZedoError):
    """Weights or clusters are missing, damaged or do not fit together."""


class HubError(ZedoError):
    """The hub could not be reached, or what it sent is not what was asked for."""


class DeviceError(ZedoError):
    """The requested compute device is not available."""


class OutputError(ZedoError):
    """A result could not be written."""


class MissingExtraError(ZedoError):
    """An optional package is needed and not installed."""
