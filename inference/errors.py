"""Everything that can go wrong inside the library, as one tree.

InferenceError
├── InputError                 what was sent is at fault
│   ├── UndecodableAudio       not audio, cut off, or corrupt
│   ├── UnsupportedCodec       audio, but in a container or codec that is not taken
│   ├── AudioOutOfLimits       sample rate or channel count outside the limits
│   ├── AudioTooShort          under 0.1 s
│   ├── AudioTooLong           over the limit of a recording, or of a clip that is to be rejected
│   ├── AudioTooCostly         decoding it takes more processor time than is allowed
│   ├── InvalidSamples         NaN, infinite or absurdly large samples
│   └── UnavailableOption      an option that the model or the audio cannot have
├── LongerThanWindow           too much for one task: to be heard in windows
├── DecoderDied                the process that decodes a recording was killed, or stands still
├── WorkInterrupted            the work was stopped between two stages
│   ├── DeadlineExceeded
│   └── WorkCancelled
├── PackageError               a model package is missing, incomplete or damaged
│   └── DamagedCache           what was prepared from it, that is; it has been removed
└── MissingDependency          an optional library was asked for and is not installed

Each error carries one string and nothing else, so that each survives pickling on its way
out of a pool process (an exception that cannot be unpickled breaks the whole executor).
"""


class InferenceError(Exception):
    """Base of every error raised on purpose by this library; `detail` is fit for a user to read."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InputError(InferenceError):
    """What was sent is at fault: the audio, or an option."""


class UndecodableAudio(InputError):
    """Not audio, cut off, or corrupt."""


class UnsupportedCodec(InputError):
    """Audio, but in a container or codec that is not taken; the detail names those that are."""


class AudioOutOfLimits(InputError):
    """Sample rate or channel count outside the limits: 8 to 96 kHz, 32 channels."""


class AudioTooShort(InputError):
    """Not enough samples for one step of the model: less than 0.1 s."""


class AudioTooLong(InputError):
    """Longer than the longest recording, or than the limit where such audio is rejected."""


class AudioTooCostly(InputError):
    """Decoding it takes more processor time than is allowed: seconds, where a clip takes milliseconds."""


class UnavailableOption(InputError):
    """The model or the audio cannot do that: `decoding=beam` without a language model, a channel that is not there."""


class InvalidSamples(InputError):
    """NaN, infinite or absurdly large samples."""


class LongerThanWindow(InferenceError):
    """More than is heard at once; nobody's fault, and the sign to go the way of a recording."""


class DecoderDied(InferenceError):
    """The process that decodes a recording was killed or stood still; the recording is not known to be at fault."""


class WorkInterrupted(InferenceError):
    """The work was stopped between two stages."""


class DeadlineExceeded(WorkInterrupted):
    """The time by which an answer was wanted has passed."""


class WorkCancelled(WorkInterrupted):
    """Nobody waits for the answer any more."""


class PackageError(InferenceError):
    """A model package is missing, incomplete or damaged."""


class DamagedCache(PackageError):
    """What was prepared from a package is damaged, and has been removed: it can be made anew."""


class MissingDependency(InferenceError):
    """An optional library was asked for and is not installed."""
