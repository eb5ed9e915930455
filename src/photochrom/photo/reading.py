"""How a file is read if it does not define that itself."""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from photochrom.errors import InvalidValueError, UnreadablePhotoError
from photochrom.options.ranges import GAMMA
from photochrom.photo.given_files import read_given

MOST_PROFILE_BYTES = 1 << 26


@dataclass(frozen=True)
class Reading:
    """What is known about a scan beyond what its file says.

    Attributes
    ----------
    profile : bytes, optional
        The ICC profile for a picture without one, such as a scanner's.
    gamma : float, optional
        The exponent from code values to light for a picture without a profile; 1 for a linear scan.
    negative : bool
        Whether it is a negative; lightness and colours are then inverted, in density.
    salvage : bool
        Read the decodable part of a damaged file; the rest becomes mid-gray.
    descreen : bool
        Average the dots of a bilevel or halftone picture.

    Raises
    ------
    InvalidValueError
        If the gamma is out of range, or a profile and a gamma are both given.
    """

    profile: bytes | None = field(default=None, repr=False)
    gamma: float | None = None
    negative: bool = False
    salvage: bool = False
    descreen: bool = False

    def __post_init__(self) -> None:
        if self.profile is not None and self.gamma is not None:
            raise InvalidValueError("Give a source profile or a gamma, not both.")
        GAMMA.check("gamma (1 is linear light, 2.2 a display)", self.gamma)
        if self.profile is not None and self.profile[36:40] != b"acsp":
            raise InvalidValueError("The source profile is not an ICC profile.")

    def to_table(self) -> dict[str, object] | None:
        """Return the values that differ from the default, for a marker; None if there are none."""
        plain = {name: value for name, value in self.__dict__.items() if value}
        if self.profile is not None:
            plain["profile"] = sha256(self.profile).hexdigest()[:16]
        return plain or None


PLAIN = Reading()


def read_profile(path: str | Path) -> bytes:
    """Read an ICC profile from a file (.icc, .icm).

    Raises
    ------
    UnreadablePhotoError
        If it cannot be read.
    InvalidValueError
        If it is not an ICC profile.
    """
    try:
        content = read_given(Path(path), MOST_PROFILE_BYTES)
    except OSError as error:
        raise UnreadablePhotoError(f"{path}: cannot be read ({error.strerror}).") from error
    if content[36:40] != b"acsp":
        raise InvalidValueError(f"{path}: not an ICC profile (.icc or .icm).")
    return content
