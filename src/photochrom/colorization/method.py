"""The interface of a colorization method: lightness in, ab out, and a description."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from photochrom.errors import InvalidValueError, MethodOutputError, ShapeError, WeightsError

METADATA_KEY = "photochrom"  # of the MethodInfo in an ONNX file's metadata
# Inputs of a request, and their names in error messages.
CAPABILITIES = {
    "hints": "hints: colours at some places of the photograph, which it spreads",
    "reference": "a reference: a colour photograph to take colours from",
    "histogram": "a histogram: the target share of each of its colours",
    "chroma": "a chroma: the target mean chroma",
    "vividness": "a vividness: from 0 (calm) to 1 (bold)",
}
RETIRED = ("mirrored",)  # obsolete fields in the descriptions of older files


class Setting(NamedTuple):
    """The parameters that a vividness maps to.

    Attributes
    ----------
    temperature, rebalance : float
        Of the distribution; see `photochrom.workbench.networks.annealed_mean`.
    saturation : float
        Factor on chroma.
    evenness : float
        The power by which chroma is raised towards what is expected; see
        `photochrom.workbench.networks.even_saturation`.
    ceiling : float
        Upper limit of chroma in ab units, approached softly; 0 means no limit.
    """

    temperature: float
    rebalance: float
    saturation: float
    evenness: float = 0.0
    ceiling: float = 0.0

    def shown(self, ab: np.ndarray) -> np.ndarray:
        """Return colours, (..., 2) in ab units, with saturation and under the ceiling."""
        ab = ab * np.float32(self.saturation)
        if not self.ceiling:
            return np.asarray(ab)
        chroma = np.linalg.norm(ab, axis=-1, keepdims=True)
        # Chroma at three quarters of the ceiling is reduced by 6 %, at the ceiling by a sixth.
        return np.asarray(ab / (1 + (chroma / np.float32(self.ceiling)) ** 4) ** 0.25)


@dataclass(frozen=True)
class MethodInfo:
    """The description of a method.

    Attributes
    ----------
    name, paper, licence : str
    working_px : tuple of two int
        Smallest and largest short side of its input, in pixels.
    short_side_px : int
        Default short side of its input, in pixels.
    stride : int
        Sides of the working size are multiples of this.
    accepts, requires : tuple of str
        Of hints, reference, histogram, chroma, vividness.
    weights_sha256 : str
        Hash of the network's file; '' for a method without one.
    centres : tuple of (a, b)
        Bin centres of its distribution, ab units; empty if it has none.
    vividness_path : tuple of (vividness, then the fields of `Setting`)
        The parameters for a vividness in [0, 1], by linear interpolation between these points.
        Missing columns are 0.
    vividness : float
        The default.
    views : tuple of (scale, mirrored)
        Other views of a picture, whose distributions are averaged with its own: a factor on the
        working size, and mirrored or not. A prediction should not depend on size or mirroring.
        With hints, where speed matters, only these views are computed, not the picture itself.
    """

    name: str
    paper: str
    licence: str
    working_px: tuple[int, int] = (1, 1_000_000)
    short_side_px: int = 192
    stride: int = 1
    accepts: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    weights_sha256: str = ""
    centres: tuple[tuple[float, float], ...] = field(default=(), repr=False)
    vividness_path: tuple[tuple[float, ...], ...] = (
        (0.0, 1.0, 0.0, 1.0),
        (1.0, 0.2, 0.5, 1.0),
    )
    vividness: float = 0.5
    views: tuple[tuple[float, bool], ...] = ()

    def look(self, vividness: float | None) -> Setting:
        """Return the parameters for a vividness; of the default for None."""
        wanted = self.vividness if vividness is None else vividness
        at, *columns = np.array(self.vividness_path).T
        if len(columns) > len(Setting._fields):  # an older file, whose last columns are obsolete
            columns = columns[:3]
        return Setting(*(float(np.interp(wanted, at, column)) for column in columns))

    def to_table(self) -> dict[str, object]:
        """Return the fields as plain values for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_table(cls, table: dict[str, object]) -> "MethodInfo":
        """Return a description from `to_table`'s values.

        Raises
        ------
        WeightsError
            If a field is unknown or missing.
        """
        table = {key: value for key, value in table.items() if key not in RETIRED}
        known = {f.name for f in dataclasses.fields(cls)}
        unknown = table.keys() - known
        if unknown or not {"name", "paper", "licence"} <= table.keys():
            raise WeightsError(
                f"A network's description needs name, paper and licence, and may have "
                f"{', '.join(sorted(known))}; it has {', '.join(sorted(table))}."
            )
        return cls(**{key: _as_tuples(value) for key, value in table.items()})


def _as_tuples(value: object) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


@dataclass(frozen=True)
class Hints:
    """Hinted colours, as two planes.

    Attributes
    ----------
    ab : float32 array, (h, w, 2)
        Hinted colours in ab units; arbitrary where `mask` is 0.
    mask : float32 array, (h, w)
        1 where hinted, 0 elsewhere.
    """

    ab: np.ndarray
    mask: np.ndarray

    def __post_init__(self) -> None:
        if self.mask.ndim != 2 or self.ab.shape != (*self.mask.shape, 2):
            raise ShapeError(
                f"Hints need ab of shape (h, w, 2) and a mask of shape (h, w); "
                f"they have {self.ab.shape} and {self.mask.shape}."
            )


@dataclass(frozen=True)
class Request:
    """One picture at a working size, with its guidance.

    Attributes
    ----------
    lightness : float32 array, (h, w)
        L* in [0, 100]; sides are multiples of the method's stride.
    hints : Hints, optional
        At the same size.
    reference : float32 array, (h', w', 3), optional
        L*a*b* of the colour reference.
    histogram : float32 array, (Q,), optional
        Target share of each of the method's bins; sums to 1.
    chroma : float, optional
        Target mean chroma, ab units.
    vividness : float, optional
        From 0 (calm) to 1 (bold); the method's default if not given.
    seed : int
        Seed of random choices.
    distribution : bool
        Whether to return the distribution, if the method has one.
    """

    lightness: np.ndarray
    hints: Hints | None = None
    reference: np.ndarray | None = None
    histogram: np.ndarray | None = None
    chroma: float | None = None
    vividness: float | None = None
    seed: int = 0
    distribution: bool = False

    def __post_init__(self) -> None:
        if self.lightness.ndim != 2 or 0 in self.lightness.shape:
            raise ShapeError(f"lightness needs shape (h, w); got {self.lightness.shape}.")
        if self.hints is not None and self.hints.mask.shape != self.lightness.shape:
            raise ShapeError(
                f"Hints need the size of the lightness, {self.lightness.shape}; "
                f"theirs is {self.hints.mask.shape}."
            )
        shape = (1, 1, 3) if self.reference is None else self.reference.shape
        if len(shape) != 3 or shape[-1] != 3 or 0 in shape:
            raise ShapeError(f"A reference needs L*a*b* of shape (h, w, 3); its shape is {shape}.")
        if self.vividness is not None and not 0 <= self.vividness <= 1:
            raise InvalidValueError(f"vividness needs 0 (calm) to 1 (bold); got {self.vividness}.")


@dataclass(frozen=True)
class Prediction:
    """A method's prediction for a picture.

    Attributes
    ----------
    ab : float32 array, (n, h', w', 2)
        n colourings in ab units; h' <= h and w' <= w of the request.
    confidence : float32 array, (h', w'), optional
        In [0, 1]: 0 is a guess.
    distribution : float32 array, (Q, h', w'), optional
        Logits over the method's bins.
    """

    ab: np.ndarray
    confidence: np.ndarray | None = None
    distribution: np.ndarray | None = None


class Method(Protocol):
    """A colorization method."""

    info: MethodInfo

    def predict(self, request: Request) -> Prediction:
        """Return the colours of one picture at its working size."""
        ...


def check_request(info: MethodInfo, request: Request) -> None:
    """Raise if a request lacks what a method requires.

    Parameters
    ----------
    info : MethodInfo
        Of the method.
    request : Request
        Hints with an empty mask count: a tile of a photograph may have none.

    Raises
    ------
    InvalidValueError
        If a required input is missing.
    """
    for name in info.requires:
        if getattr(request, name) is None:
            raise InvalidValueError(f"'{info.name}' needs {CAPABILITIES[name]}.")


def checked(prediction: Prediction, method: str) -> Prediction:
    """Raise if a method's result is invalid.

    Raises
    ------
    MethodOutputError
        If ab has another shape than (n, h, w, 2), or is not finite.
    """
    if prediction.ab.ndim != 4 or prediction.ab.shape[-1] != 2:
        raise MethodOutputError(
            f"The method '{method}' must return ab of shape (n, h, w, 2); "
            f"it returned {prediction.ab.shape}."
        )
    if not np.isfinite(prediction.ab).all():
        bad = int(np.size(prediction.ab) - np.isfinite(prediction.ab).sum())
        raise MethodOutputError(
            f"The method '{method}' returned {bad} numbers that are not finite."
        )
    return prediction
