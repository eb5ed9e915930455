"""How results should look: the settings that hold for many photographs."""

from dataclasses import asdict, dataclass
from typing import Any

from photochrom.errors import InvalidValueError

MOST_SATURATION = 4.0
WHITE_LIGHTNESS_RANGE = 85.0, 99.0  # L* that pure white may be lowered to


def check_white(lightness: float) -> None:
    """Refuse to lower white to a lightness outside its range.

    Raises
    ------
    InvalidValueError
    """
    least, most = WHITE_LIGHTNESS_RANGE
    if not least <= lightness <= most:
        raise InvalidValueError(
            f"white_lightness needs an L* of {least:g} to {most:g}; it is {lightness}."
        )


@dataclass(frozen=True)
class Look:
    """How the result should look; what a result's marker stands for.

    Attributes
    ----------
    vividness : float, optional
        From 0, calm, to 1, bold; the method's default if not given.
    saturation : float
        Factor on chroma, 0 to 4.
    short_side_px : int, optional
        At which the method sees the picture; its own default if not given.
    restore : bool
        Mend an old print first; see `photochrom.engine.restore`.
    white_lightness : float, optional
        L* that pure white is lowered to, 85 to 99, so that it can show colour; see
        `photochrom.engine.highlights`. White stays white if not given.
    """

    vividness: float | None = None
    saturation: float = 1.0
    short_side_px: int | None = None
    restore: bool = False
    white_lightness: float | None = None

    def __post_init__(self) -> None:
        if self.vividness is not None and not 0 <= self.vividness <= 1:
            raise InvalidValueError(
                f"vividness needs 0 (calm) to 1 (bold); it is {self.vividness}."
            )
        if not 0 <= self.saturation <= MOST_SATURATION:
            raise InvalidValueError(
                f"saturation needs 0 to {MOST_SATURATION:g}; it is {self.saturation}."
            )
        if self.short_side_px is not None and not 32 <= self.short_side_px <= 512:
            raise InvalidValueError(
                f"The working size needs a short side of 32 to 512 pixels; "
                f"it is {self.short_side_px}."
            )
        if self.white_lightness is not None:
            check_white(self.white_lightness)

    def to_table(self) -> dict[str, Any]:
        """Give plain values, for a sidecar and a marker; white only where it is lowered."""
        table = asdict(self)
        if self.white_lightness is None:
            del table["white_lightness"]
        return table
