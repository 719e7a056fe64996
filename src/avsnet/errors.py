"""One error type per kind of user mistake, and one warning; each names the file, the value and the fix."""

import warnings


class AvsnetError(Exception):
    """What the command line prints as one line, without a traceback."""


class ImageError(AvsnetError):
    """A picture that is missing, empty, truncated, of zero size, or no picture at all."""


class AudioError(AvsnetError):
    """A recording that cannot be read as sound: missing, truncated, not a WAV, NaN, wrongly scaled."""


class EchoError(AvsnetError):
    """A readable recording that cannot give a scale: silent, no direct sound, too short, ambiguous."""


class DepthError(AvsnetError):
    """A depth map that cannot be used: wrong shape, not finite, no valid pixel."""


class CalibrationError(AvsnetError):
    """Camera intrinsics, a field of view or a `rig.json` that make no sense."""


class ModelError(AvsnetError):
    """An unknown model name, or a model file or folder that is missing, broken or undeclared."""


class SampleError(AvsnetError):
    """A sample or batch that breaks the contract of `avsnet.data.sample`."""


class DataError(AvsnetError):
    """A data set whose files, columns or layout are not as published, or too many of whose rows cannot be read."""


class UnusableError(AvsnetError):
    """A row that can be read but teaches nothing: dark frames, or a camera that stands still."""


class OptionError(AvsnetError):
    """An option whose value is outside what it allows."""


class TrainingError(AvsnetError):
    """A training that cannot go on: its loss is no number, it finds no row, or its checkpoint is another run's."""


class OutputError(AvsnetError):
    """An output path that cannot be written."""


class LimitError(AvsnetError, ValueError):
    """A file that would cost more than `avsnet.io.limits` allows; readers make it their own type, with the file."""


class MissingExtraError(AvsnetError):
    """An optional library that is not installed; the message names the extra to install."""


class InputWarning(UserWarning):
    """Something odd about a file that was read all the same: what, and how to fix it."""


def note(text: str, notes: list[str] | None) -> None:
    """Hand on something odd about an input: into the caller's list, or as an `InputWarning` where there is none."""
    if notes is None:
        warnings.warn(text, InputWarning, stacklevel=3)
    else:
        notes.append(text)


def one_line(message: object) -> str:
    """The message without line breaks: the command line prints one line per error."""
    return " ".join(str(message).split())
