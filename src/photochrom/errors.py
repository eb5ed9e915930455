"""Every error that photochrom raises on purpose.

::

    PhotochromError
    ├── ShapeError (ValueError)             an array has the wrong shape
    ├── DtypeError (TypeError)              an array or object has the wrong type
    ├── InvalidValueError (ValueError)      a number or option is outside its range
    ├── UnknownMethodError (ValueError)     no method, network or recipe has that name
    ├── MissingExtraError (ImportError)     an optional dependency is not installed
    ├── PhotoError (OSError)                a photograph could not be used
    │   ├── UnreadablePhotoError            not a picture, truncated, or corrupt
    │   ├── UnsupportedFormatError          a picture in a format that is not handled
    │   ├── PhotoTooLargeError              more megapixels than allowed
    │   └── UnwritablePhotoError            a photograph could not be written
    ├── UnwritableFileError (OSError)       a file, such as a report, could not be written
    ├── WeightsError (ValueError)           a network file is damaged or not photochrom's
    ├── MethodOutputError (ArithmeticError) a method returned an invalid result
    ├── RecipeError (ValueError)            a recipe is wrong
    ├── CheckpointError (ValueError)        a checkpoint does not fit
    ├── DataError (ValueError)              a data set is empty, damaged or unusable
    ├── WorkerDiedError (RuntimeError)      a worker process died
    ├── LostProcessError (RuntimeError)     another process of a training is gone, or never came
    ├── ClusterError (ConnectionError)      a Ray cluster cannot be used, or was lost
    └── TrainingDivergedError (ArithmeticError)  the loss is not finite

An UnwritablePhotoError is an UnwritableFileError as well.

A message says what is needed, what came, and what to do.
"""


class PhotochromError(Exception):
    """Base of every error that photochrom raises on purpose."""


class ShapeError(PhotochromError, ValueError):
    """An array has the wrong shape."""


class DtypeError(PhotochromError, TypeError):
    """An array or object has the wrong type."""


class InvalidValueError(PhotochromError, ValueError):
    """A number or option is outside its range."""


class UnknownMethodError(PhotochromError, ValueError):
    """No method, network or recipe has that name."""


class MissingExtraError(PhotochromError, ImportError):
    """An optional dependency of photochrom is not installed."""


class PhotoError(PhotochromError, OSError):
    """A photograph could not be used."""


class UnreadablePhotoError(PhotoError):
    """The file is not a picture, or it is truncated or corrupt."""


class UnsupportedFormatError(PhotoError):
    """The file is a picture in a format that is not handled."""


class PhotoTooLargeError(PhotoError):
    """The picture has more megapixels or pages, or needs more memory, than allowed.

    Attributes
    ----------
    megabytes : float or None
        What its decoder needs, if that is more than allowed.
    """

    megabytes: float | None = None


class UnwritableFileError(PhotochromError, OSError):
    """A file, such as a report, a figure or a network, could not be written."""


class UnwritablePhotoError(PhotoError, UnwritableFileError):
    """A photograph could not be written."""


class WeightsError(PhotochromError, ValueError):
    """A network file is damaged, or it was not made by photochrom."""


class MethodOutputError(PhotochromError, ArithmeticError):
    """A method returned an invalid result, such as NaN."""


class RecipeError(PhotochromError, ValueError):
    """A recipe is wrong."""


class CheckpointError(PhotochromError, ValueError):
    """A checkpoint does not fit the network or the recipe."""


class DataError(PhotochromError, ValueError):
    """A data set is empty, damaged or unusable."""


class WorkerDiedError(PhotochromError, RuntimeError):
    """A worker process died."""


class LostProcessError(PhotochromError, RuntimeError):
    """Another process of a training, perhaps on another machine, is gone or never came."""


class ClusterError(PhotochromError, ConnectionError):
    """A Ray cluster cannot be used, or was lost."""


class TrainingDivergedError(PhotochromError, ArithmeticError):
    """The training loss is not finite."""
