"""Mark frames as interlaced, and with their pixel aspect, which encoders store frame by frame.

PyAV's frames cannot be told either, so FFmpeg's filters `setfield` and `setsar` do it.
"""

from typing import TYPE_CHECKING

from photochrom.photo.video import VideoFacts, pyav

if TYPE_CHECKING:
    from av.filter import Graph
    from av.video.frame import VideoFrame

BOTTOM_FIRST = (3, 5)  # of FFmpeg's field orders, by what is shown first


class FrameMarks:
    """Marks for the frames of one film.

    Parameters
    ----------
    format : str
        FFmpeg's name of the frames' format.
    facts : VideoFacts
    """

    def __init__(self, format: str, facts: VideoFacts) -> None:
        self.format, self.facts = format, facts
        self._graphs: dict[bool, Graph] = {}

    def on(self, picture: "VideoFrame", is_interlaced: bool) -> "VideoFrame":
        """Return a frame with its marks."""
        if is_interlaced not in self._graphs:
            self._graphs[is_interlaced] = self._graph(is_interlaced)
        graph = self._graphs[is_interlaced]
        graph.vpush(picture)
        return graph.vpull()

    def _graph(self, is_interlaced: bool) -> "Graph":
        facts = self.facts
        av = pyav()
        graph: Graph = av.filter.Graph()
        source = graph.add_buffer(
            width=facts.width,
            height=facts.height,
            format=av.VideoFormat(self.format),
            time_base=facts.time_base,
        )
        aspect = graph.add("setsar", str(facts.pixel_aspect))
        first = "bff" if facts.field_order in BOTTOM_FIRST else "tff"
        fields = graph.add("setfield", first if is_interlaced else "prog")
        sink = graph.add("buffersink")
        source.link_to(aspect)
        aspect.link_to(fields)
        fields.link_to(sink)
        graph.configure()
        return graph
