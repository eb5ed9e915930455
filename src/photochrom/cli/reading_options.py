"""The options that say how scans are read, and what goes with the results."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from photochrom.options.ranges import GAMMA

if TYPE_CHECKING:
    from photochrom.photo.reading import Reading


@Parameter(name="*")
@dataclass(frozen=True)
class ReadOptions:
    """What is known of scans beside what their files say.

    Attributes
    ----------
    negative : bool
        The photographs are scanned negatives: make them positive, in density.
    source_profile : Path
        An ICC profile for photographs that bear none, such as the scanner's.
    gamma : float
        The exponent from codes to light of photographs that bear no profile: 1 for linear scans.
    descreen : bool
        Take the mean of the dots of bilevel and halftone scans, so that they can bear colour.
    salvage : bool
        Colour what can be decoded of damaged photographs; the rest becomes mid-gray.
    keep_time : bool
        Give results the times of their photographs.
    """

    negative: Annotated[bool, Parameter(negative=())] = False
    source_profile: Path | None = None
    gamma: Annotated[float | None, Parameter(validator=Number(**GAMMA.words))] = None
    descreen: Annotated[bool, Parameter(negative=())] = False
    salvage: Annotated[bool, Parameter(negative=())] = False
    keep_time: Annotated[bool, Parameter(negative=())] = False

    def reading(self) -> "Reading":
        """Read the profile and check them.

        Raises
        ------
        UnreadablePhotoError, InvalidValueError
            If the profile cannot be read or is none, or a gamma stands beside it.
        """
        from photochrom.photo.reading import Reading, read_profile

        profile = None if self.source_profile is None else read_profile(self.source_profile)
        return Reading(profile, self.gamma, self.negative, self.salvage, self.descreen)

    def options(self) -> dict[str, Any]:
        """Return what differs from the default, as `Colorizer.colorize_file` takes it."""
        from photochrom.photo.reading import PLAIN

        reading = self.reading()
        given: dict[str, Any] = {} if reading == PLAIN else {"reading": reading}
        return given | ({"keep_time": True} if self.keep_time else {})
