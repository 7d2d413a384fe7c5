"""One tree of errors, so that a caller can catch as broadly as it means to.

    LabelyardError
    ├── UsageError              what was asked for cannot be meant (exit code 2)
    │   ├── SourceError         a source is missing, holds no image, or is not what its name says
    │   ├── DatasetError        labelled images that nothing can be learned from or measured on
    │   ├── UnknownModelError   no model or backbone has that name
    │   ├── UnknownJobError     no job has that id
    │   ├── UnknownScheduleError    no schedule has that name
    │   ├── UnknownUploadError  no upload has that id
    │   ├── UploadError         what was uploaded is not kept: its name leads elsewhere, or it is no sound archive
    │   │   └── UploadTooLargeError     it is more than is taken
    │   ├── KeyReusedError      a key that names a request came with another one before
    │   └── StateError          it exists, and is in no state for that
    ├── SetupError              something that must exist does not (exit code 3)
    │   ├── WeightsError        published weights are neither in the cache nor downloadable
    │   ├── DamagedModelError   what is stored of a model is not what was written
    │   ├── DatabaseError       the database cannot be used
    │   │   ├── DatabaseAwayError   it does not answer for a while; worth another try
    │   │   │   └── DiskFullError   its disk is full; it goes on when there is space again
    │   │   └── SchemaError         its schema is not the one that this version works on
    │   └── BrokerError         the broker does not answer
    ├── EngineError             an engine cannot run a network; another one does
    │   ├── MemoryShortError    this machine has too little memory left for it
    │   └── EngineTimeoutError  it took longer than it may
    ├── TrainingError           a training job cannot come to a model; the job has failed
    ├── NotAllowedError         a location that settings keep from being read; its caller says of which source or image
    ├── InputError              one image cannot be labelled; permanent, becomes an error row
    ├── MessageError            the broker held something that is no wake-up of ours; dropped
    └── LeaseLostError          another worker owns the chunk now; this one's work is dropped

A message says what was received, what was expected and how to mend it.
"""

from core.types import Reason


class LabelyardError(Exception):
    """The base of every error that Labelyard raises on purpose."""


class UsageError(LabelyardError):
    """The request cannot be carried out as it was made."""


class SourceError(UsageError):
    """A source is missing, holds no image, or is not what its name says."""


class DatasetError(UsageError):
    """Labelled images that nothing can be learned from or measured on."""


class UnknownModelError(UsageError):
    """No model or backbone has that name."""


class UnknownJobError(UsageError):
    """No job has that id."""


class UnknownScheduleError(UsageError):
    """No schedule has that name."""


class UnknownUploadError(UsageError):
    """No upload has that id."""


class UploadError(UsageError):
    """What was uploaded is not kept: its name leads elsewhere, or it is no archive that can be unpacked safely."""


class UploadTooLargeError(UploadError):
    """What was uploaded is more than is taken."""


class KeyReusedError(UsageError):
    """The key that names a request came with another request before."""


class StateError(UsageError):
    """What is meant exists, and is in no state for what was asked."""


class SetupError(LabelyardError):
    """Something that has to be there before any work is missing."""


class WeightsError(SetupError):
    """Published weights are neither in the Keras cache nor downloadable."""


class DamagedModelError(SetupError):
    """What is stored of a model, or was exported of one, is not what was written."""


class DatabaseError(SetupError):
    """The database cannot be used, or its schema is not the one this version expects."""


class DatabaseAwayError(DatabaseError):
    """The database does not answer for a while. Transient: the same transaction may succeed later."""


class DiskFullError(DatabaseAwayError):
    """The database's disk is full, or fuller than it may be; work goes on when there is space again."""


class SchemaError(DatabaseError):
    """The database's tables are not those that this version works on."""


class BrokerError(SetupError):
    """The broker does not answer."""


class EngineError(LabelyardError):
    """An engine cannot run a network on this machine; nothing is wrong with the network."""


class MemoryShortError(EngineError):
    """This machine has too little memory left for a network; nothing was loaded."""


class EngineTimeoutError(EngineError):
    """An engine took longer than it may, and was ended."""


class TrainingError(LabelyardError):
    """A training job cannot come to a model: too many bad images, too few good ones, or numbers that explode."""


class NotAllowedError(LabelyardError, PermissionError):
    """A location that settings keep from being read.

    Also what the operating system's refusals are, so that whoever opens files turns both into its own error.
    """


class InputError(LabelyardError):
    """One image cannot be labelled, and trying again would not help.

    Args:
        reason: the short code that the error row carries.
        detail: one sentence for a person: received, expected, how to mend it.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class MessageError(LabelyardError):
    """A message of the broker is not one of ours; it is dropped, with this as the reason in the log."""


class LeaseLostError(LabelyardError):
    """The lease on a chunk has passed to another worker."""
