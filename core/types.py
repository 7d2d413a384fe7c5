"""The words of the product as enums: they are stored, printed and compared, never spelled out as strings."""

from enum import IntEnum, StrEnum


class JobKind(StrEnum):
    """What a job asks for."""

    LABEL = "label"
    TRAIN = "train"
    EVALUATE = "evaluate"
    RETRAIN = "retrain"

    @property
    def is_training(self) -> bool:
        """Whether a model comes of it."""
        return self in (JobKind.TRAIN, JobKind.RETRAIN)


class JobState(StrEnum):
    """Where a job stands. Only a running job's chunks are handed out."""

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more unless someone asks for it."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class ChunkState(StrEnum):
    """Where a chunk stands."""

    QUEUED = "queued"
    LEASED = "leased"
    DONE = "done"


class Priority(IntEnum):
    """How soon a job's chunks are claimed; the smaller goes first."""

    URGENT = 0
    BULK = 1


class PriorityName(StrEnum):
    """A priority as people write it."""

    URGENT = "urgent"
    BULK = "bulk"

    @property
    def priority(self) -> Priority:
        """What the ledger sorts by."""
        return Priority[self.name]


class LabelPrecision(StrEnum):
    """How exactly a label job's networks compute."""

    FULL = "full"
    INT8 = "int8"  # faster on processors; changes a few labels


class ResizeMode(StrEnum):
    """How an image of any shape becomes the network's input."""

    CROP = "crop"
    STRETCH = "stretch"
    PAD = "pad"


class Reason(StrEnum):
    """Why an image has an error row instead of a prediction."""

    NOT_FOUND = "not_found"
    NOT_ALLOWED = "not_allowed"
    UNREADABLE = "unreadable"
    EMPTY_FILE = "empty_file"
    TOO_MANY_BYTES = "too_many_bytes"
    TOO_MANY_PIXELS = "too_many_pixels"
    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED_FORMAT = "unsupported_format"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    WRONG_SHAPE = "wrong_shape"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    DECODER_CRASHED = "decoder_crashed"
    WORKER_DIED = "worker_died"


class TrainMode(StrEnum):
    """How much of a network is trained."""

    HEAD = "head"  # a new last layer; the backbone stays as it was published
    FINETUNE = "finetune"  # the new layer first, then part of the backbone too, at a lower rate
    SCRATCH = "scratch"  # all of it, from random weights


class Split(StrEnum):
    """What a labelled image is for."""

    TRAIN = "train"  # weights are fitted to it
    VAL = "val"  # the best epoch is chosen by it
    TEST = "test"  # looked at once, at the end


class Augment(StrEnum):
    """How much training images are varied."""

    NONE = "none"
    LIGHT = "light"  # mirrored, moved and zoomed a little
    STRONG = "strong"  # turned too, and of other brightness, contrast and colour


class ClassWeights(StrEnum):
    """Whether rare classes count as much as frequent ones."""

    AUTO = "auto"  # each class weighs the same in the loss
    NONE = "none"  # each image does


class ArtifactKind(StrEnum):
    """What a stored file of numbers is."""

    HEAD = "head"  # weights and bias
    NETWORK = "network"  # what training changed of a network
    CHECKPOINT = "checkpoint"  # what an unfinished training goes on from


class AnnotationOrigin(StrEnum):
    """How a label came here."""

    ADDED = "added"  # one by one
    IMPORTED = "imported"  # from a file
    REVIEWED = "reviewed"  # for an image that was handed out


class Strategy(StrEnum):
    """What makes an image worth a human look."""

    UNCERTAIN = "uncertain"  # the model hesitates
    DIVERSE = "diverse"  # unlike what is labelled
    RANDOM = "random"
    MIXED = "mixed"  # it hesitates, and they are unlike each other

    @property
    def compares(self) -> bool:
        """Whether it needs features of the images."""
        return self in (Strategy.DIVERSE, Strategy.MIXED)


class CatchUp(StrEnum):
    """What becomes of fire times that nobody was there for."""

    LATEST = "latest"  # the last of them runs, late
    ALL = "all"
    NONE = "none"


class RunTrigger(StrEnum):
    """Why a schedule runs."""

    CRON = "cron"
    MANUAL = "manual"


class RunState(StrEnum):
    """What became of a fire time."""

    STARTED = "started"  # nothing has been decided
    TRAINING = "training"
    COMPARING = "comparing"
    PROMOTED = "promoted"
    REFUSED = "refused"
    SKIPPED = "skipped"  # there was nothing to train
    MISSED = "missed"  # nobody was there
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self not in (RunState.STARTED, RunState.TRAINING, RunState.COMPARING)


class Event(StrEnum):
    """What someone may be told."""

    JOB_DONE = "job.done"
    JOB_FAILED = "job.failed"
    CHALLENGER_PROMOTED = "challenger.promoted"
    CHALLENGER_REFUSED = "challenger.refused"
    DRIFT_FOUND = "drift.found"


class Channel(StrEnum):
    """How someone is told."""

    WEBHOOK = "webhook"
    EMAIL = "email"


class Scope(StrEnum):
    """What a token may be used for; each includes those before it."""

    READ = "read"
    SUBMIT = "submit"  # ask for work, upload, say what images show
    ADMIN = "admin"  # change what is in use, and delete


class NewClasses(StrEnum):
    """What becomes of labels whose class a model does not have."""

    ASK = "ask"  # on a terminal; elsewhere they are refused
    ADD = "add"
    SKIP = "skip"
