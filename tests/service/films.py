"""Tiny films, drawn by code."""

import io

import av
import numpy as np

SIZE = 160, 120
RATE = 10


def drawn_film(frames: int = 30, cut: int = 15) -> bytes:
    """Return an MP4 of two shots: a disc that wanders to the right, then one that sinks."""
    down, across = np.mgrid[: SIZE[1], : SIZE[0]]
    content = io.BytesIO()
    with av.open(content, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            if number < cut:
                disc = (across - 40 - 2 * number) ** 2 + (down - 60) ** 2 < 30**2
                levels = 60 + 60 * disc + across // 4
            else:
                disc = (across - 110) ** 2 + (down - 40 - number) ** 2 < 20**2
                levels = 200 - 120 * disc - down // 2
            pixels = np.repeat(levels.astype(np.uint8)[..., None], 3, axis=2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return content.getvalue()


def frames_of(content: bytes) -> list[np.ndarray]:
    """Decode a film's frames, RGB."""
    with av.open(io.BytesIO(content)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
