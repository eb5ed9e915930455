"""Timecodes count frames, and drop numbers where they say so."""

from fractions import Fraction

import pytest

from photochrom.photo.video_timecode import later_timecode

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("timecode", "frames", "rate", "later"),
    [
        ("01:00:00:00", 12, Fraction(24), "01:00:00:12"),
        ("01:00:00:23", 1, Fraction(24), "01:00:01:00"),
        ("01:00:00:00", 3, Fraction(1, 3), "01:00:00:00"),
        ("23:59:59:24", 1, Fraction(25), "00:00:00:00"),
        ("00:00:59:29", 1, NTSC, "00:01:00:00"),
        ("00:00:59;29", 1, NTSC, "00:01:00;02"),  # SMPTE ST 12-1: 0 and 1 are dropped
        ("00:09:59;29", 1, NTSC, "00:10:00;00"),  # but not in every tenth minute
        ("00:00:00;00", 17982, NTSC, "00:10:00;00"),
        ("00:00:00;00", 107892, NTSC, "01:00:00;00"),
        ("00:00:59;59", 1, 2 * NTSC, "00:01:00;04"),
        ("23:59:59;29", 1, NTSC, "00:00:00;00"),
        ("reel 2", 9, NTSC, "reel 2"),
    ],
)
def test_frames_later(timecode, frames, rate, later):
    assert later_timecode(timecode, frames / rate, rate) == later
    assert later_timecode(timecode, Fraction(0), rate) == timecode
