"""The size at which a method sees a picture, and the tiles of a very long one."""

from dataclasses import dataclass

MOST_PIXELS = 2 * 256 * 256
LONGEST = 3.0  # sides beyond this ratio are cut into tiles
MOST_TILES = 16
OVERLAP = 0.25  # of a tile's length


@dataclass(frozen=True)
class WorkingSize:
    """A method's view of a picture.

    Attributes
    ----------
    height, width : int
        Multiples of the stride.
    tiles : tuple of (start, stop)
        Along the longer side, overlapping; one that covers all if the picture is not long.
    """

    height: int
    width: int
    tiles: tuple[tuple[int, int], ...]

    @property
    def is_wide(self) -> bool:
        """Whether tiles lie beside each other rather than one below the other."""
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

    Returns
    -------
    WorkingSize
    """
    ratio = max(height, width) / min(height, width)
    if ratio <= LONGEST:
        short = min(short_side_px, (MOST_PIXELS / ratio) ** 0.5)
        scale = short / min(height, width)
        sides = [max(stride, round(side * scale / stride) * stride) for side in (height, width)]
        return WorkingSize(sides[0], sides[1], ((0, max(sides)),))
    short = max(stride, round(min(short_side_px, (MOST_PIXELS / LONGEST) ** 0.5) / stride) * stride)
    tile = round(LONGEST * short / stride) * stride
    step = round(tile * (1 - OVERLAP) / stride) * stride
    count = min(MOST_TILES, max(2, 1 + -(-round(ratio * short - tile) // step)))
    long = tile + (count - 1) * step
    tiles = tuple((i * step, i * step + tile) for i in range(count))
    return WorkingSize(short, long, tiles) if width >= height else WorkingSize(long, short, tiles)
