"""The look of results: settings that can apply to many photographs."""

from dataclasses import asdict, dataclass

from photochrom.errors import InvalidValueError
from photochrom.options.ranges import SATURATION, VIVIDNESS, WHITE_LIGHTNESS, WORKING_PX


@dataclass(frozen=True)
class Look:
    """How results look; the marker of a result records it.

    Attributes
    ----------
    vividness : float, optional
        From 0 (calm) to 1 (bold); the method's default if not given.
    saturation : float
        Factor on chroma, 0 to 4.
    short_side_px : int, optional
        Short side of the copy that the method sees; its default if not given.
    restore : bool
        Restore an old print first; see `photochrom.engine.restore`.
    white_lightness : float, optional
        L* to which pure white is lowered, 85 to 99, so that it can show colour; see
        `photochrom.engine.highlights`. White stays white if not given.
    """

    vividness: float | None = None
    saturation: float = 1.0
    short_side_px: int | None = None
    restore: bool = False
    white_lightness: float | None = None

    def __post_init__(self) -> None:
        VIVIDNESS.check("vividness", self.vividness)
        SATURATION.check("saturation", self.saturation)
        if self.saturation is None:  # as JSON may give it
            raise InvalidValueError(f"saturation must be {SATURATION}; got None.")
        WORKING_PX.check("The short side of the working size", self.short_side_px)
        WHITE_LIGHTNESS.check("white_lightness", self.white_lightness)

    def to_table(self) -> dict[str, object]:
        """Return plain values, for a sidecar and a marker; white only where it is lowered."""
        table = asdict(self)
        if self.white_lightness is None:
            del table["white_lightness"]
        return table
