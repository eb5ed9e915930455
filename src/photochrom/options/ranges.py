"""The range of every number that users can set, declared once.

The library checks against them; the command's options, the service's fields and the sidecar's
schema are derived from them.
"""

from dataclasses import dataclass
from typing import Any

from photochrom.errors import InvalidValueError


@dataclass(frozen=True)
class Range:
    """A range of numbers.

    Attributes
    ----------
    low : float
    high : float, optional
        Unbounded if not given.
    is_open : bool
        Whether the bounds themselves are excluded.
    is_whole : bool
        Whether only integers are allowed.
    unit : str
        Unit in error messages.
    """

    low: float
    high: float | None = None
    is_open: bool = False
    is_whole: bool = False
    unit: str = ""

    def __contains__(self, value: float) -> bool:
        """Return whether a number lies in the range; NaN never does."""
        if self.is_open:
            return self.low < value and (self.high is None or value < self.high)
        return self.low <= value and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        """Return the range in words, for errors and help texts."""
        unit = f" {self.unit}" if self.unit else ""
        if self.high is None:
            return (
                f"more than {self.low:g}{unit}" if self.is_open else f"{self.low:g}{unit} or more"
            )
        if self.is_open:
            return f"more than {self.low:g} and less than {self.high:g}{unit}"
        return f"{self.low:g} to {self.high:g}{unit}"

    def check(self, name: str, value: float | None) -> None:
        """Raise InvalidValueError unless a number lies in the range; None is accepted.

        Parameters
        ----------
        name : str
            Name of the number, with which the message begins.
        value : float or None
        """
        if value is not None and value not in self:
            raise InvalidValueError(f"{name} must be {self}; got {value}.")

    @property
    def fields(self) -> dict[str, Any]:
        """The bounds as keyword arguments of pydantic's `Field`."""
        return self._named(*(("gt", "lt") if self.is_open else ("ge", "le")))

    @property
    def words(self) -> dict[str, float]:
        """The bounds as keyword arguments of cyclopts' `Number`."""
        return self._named(*(("gt", "lt") if self.is_open else ("gte", "lte")))

    @property
    def schema(self) -> dict[str, object]:
        """The range as JSON Schema."""
        kind = "integer" if self.is_whole else "number"
        prefix = "exclusiveM" if self.is_open else "m"
        return {"type": kind, **self._named(f"{prefix}inimum", f"{prefix}aximum")}

    def _named(self, low: str, high: str) -> dict[str, float]:
        return {low: self.low} | ({} if self.high is None else {high: self.high})


VIVIDNESS = Range(0, 1)  # calm to bold
SATURATION = Range(0, 4)  # factor on the chroma
WORKING_PX = Range(32, 512, is_whole=True, unit="pixels")  # short side that a method sees
WHITE_LIGHTNESS = Range(85, 99)  # L* that pure white may be lowered to
CANDIDATE = Range(0, 5, is_whole=True)  # 0 is the likeliest colouring
CANDIDATES = Range(1, 6, is_whole=True)  # how many at once
SEED = Range(0, is_whole=True)
RADIUS = Range(0, 1e6, is_open=True, unit="pixels")  # of a hint
REACH = Range(0.02, 2)  # of a hint, shares of the picture's longer side
QUALITY = Range(1, 100, is_whole=True)  # of JPEG, WebP and AVIF
GAMMA = Range(0.2, 5)  # exponent from codes to light
SUGGESTIONS = Range(1, 20, is_whole=True)  # likely colours of a place
