"""The size at which a method sees a picture, and the tiles of a very long one."""

from dataclasses import dataclass

MOST_PIXELS = 2 * 320 * 256
LONGEST = 3.0  # pictures beyond this aspect ratio are split into tiles
MOST_TILES = 16
OVERLAP = 0.25  # of a tile's length


@dataclass(frozen=True)
class WorkingSize:
    """A method's working size for a picture.

    Attributes
    ----------
    height, width : int
        Multiples of the stride.
    tiles : tuple of (start, stop)
        Along the longer side, overlapping; a single one if the picture is not long.
    """

    height: int
    width: int
    tiles: tuple[tuple[int, int], ...]

    @property
    def is_wide(self) -> bool:
        """Whether tiles lie side by side rather than one below the other."""
        return self.width >= self.height


def working_size(height: int, width: int, short_side_px: int, stride: int) -> WorkingSize:
    """Choose the working size of a picture.

    Each side is resized, not padded, to a multiple of the stride: padding would pollute pooled
    features.

    Parameters
    ----------
    height, width : int
        The picture's size, upright, in pixels.
    short_side_px : int
        The short side wanted.
    stride : int
        The method's stride.
    """
    ratio = max(height, width) / min(height, width)
    if ratio <= LONGEST:
        scale = min(short_side_px, (MOST_PIXELS / ratio) ** 0.5) / min(height, width)
        high, wide = _multiples((height * scale, width * scale), stride)
        return WorkingSize(high, wide, ((0, max(high, wide)),))
    side = min(short_side_px, (MOST_PIXELS / LONGEST) ** 0.5)
    short = min(_multiples((side, LONGEST * side), stride))
    tile = round(LONGEST * short / stride) * stride
    step = round(tile * (1 - OVERLAP) / stride) * stride
    most = tile + (MOST_TILES - 1) * step
    long = min(most, max(tile, round(ratio * short / stride) * stride))
    count = 1 + -(-(long - tile) // step)
    gap = (long - tile) / stride / max(1, count - 1)  # at most `step`: the aspect is kept
    starts = [round(i * gap) * stride for i in range(count)]
    tiles = tuple((start, start + tile) for start in starts)
    return WorkingSize(short, long, tiles) if width >= height else WorkingSize(long, short, tiles)


def _multiples(sides: tuple[float, float], stride: int) -> tuple[int, int]:
    """Round sides to the nearest multiples of the stride, or down if those are too large."""
    nearest = [max(1, round(side / stride)) * stride for side in sides]
    if nearest[0] * nearest[1] > MOST_PIXELS:
        nearest = [max(1, int(side / stride)) * stride for side in sides]
    return nearest[0], nearest[1]
