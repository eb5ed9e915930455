"""How results should look: the settings that hold for many photographs."""

from dataclasses import dataclass

from photochrom.errors import InvalidValueError

MOST_SATURATION = 4.0


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
    """

    vividness: float | None = None
    saturation: float = 1.0
    short_side_px: int | None = None
    restore: bool = False

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
