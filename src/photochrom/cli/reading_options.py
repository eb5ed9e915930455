"""The options for how scans are read, and what is copied to the results."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from photochrom.options.ranges import GAMMA

if TYPE_CHECKING:
    from photochrom.engine.picture_types import FileOptions
    from photochrom.photo.reading import Reading


@Parameter(name="*")
@dataclass(frozen=True)
class ReadOptions:
    """What is known about scans beyond what their files say.

    Attributes
    ----------
    negative : bool
        The photographs are scanned negatives; invert them, in density.
    source_profile : Path
        An ICC profile for photographs without one, such as the scanner's.
    gamma : float
        Exponent from code values to light, for photographs without a profile; 1 for linear scans.
    descreen : bool
        Average the dots of bilevel and halftone scans, so that they can show colour.
    salvage : bool
        Colour the decodable part of damaged photographs; the rest becomes mid-gray.
    keep_time : bool
        Copy the file times of the photographs to the results.
    """

    negative: Annotated[bool, Parameter(negative=())] = False
    source_profile: Path | None = None
    gamma: Annotated[float | None, Parameter(validator=Number(**GAMMA.words))] = None
    descreen: Annotated[bool, Parameter(negative=())] = False
    salvage: Annotated[bool, Parameter(negative=())] = False
    keep_time: Annotated[bool, Parameter(negative=())] = False

    def reading(self) -> "Reading":
        """Read the profile and check the options.

        Raises
        ------
        UnreadablePhotoError, InvalidValueError
            If the profile cannot be read or is not valid, or a gamma was given too.
        """
        from photochrom.photo.reading import Reading, read_profile

        profile = None if self.source_profile is None else read_profile(self.source_profile)
        return Reading(profile, self.gamma, self.negative, self.salvage, self.descreen)

    def options(self) -> "FileOptions":
        """Return the options that differ from the default, for `Colorizer.colorize_file`."""
        from photochrom.photo.reading import PLAIN

        reading = self.reading()
        given: FileOptions = {} if reading == PLAIN else {"reading": reading}
        if self.keep_time:
            given["keep_time"] = True
        return given
