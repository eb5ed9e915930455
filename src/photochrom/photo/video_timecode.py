"""Timecodes of film, hours:minutes:seconds:frames (SMPTE ST 12-1), moved to a part's start.

At 29.97 and 59.94 frames a second, those written with a semicolon drop the numbers of the first
frames of each minute but every tenth, so that they keep up with the clock.
"""

import re
from fractions import Fraction

_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")
MINUTES = 24 * 60


def later_timecode(timecode: str, seconds: Fraction, rate: Fraction) -> str:
    """Return the timecode that a film shows some seconds after another; unknown ones unchanged.

    Parameters
    ----------
    timecode : str
        Such as '01:00:00:00', or '01:00:00;00' with dropped numbers.
    seconds : Fraction
    rate : Fraction
        Frames a second.
    """
    found = _TIMECODE.fullmatch(timecode.strip())
    base = round(rate)
    if found is None or base < 1:
        return timecode
    drops = base // 15 if found[4] != ":" else 0  # 2 of 30, 4 of 60
    hours, minutes, whole, frames = (int(found[n]) for n in (1, 2, 3, 5))
    minutes += 60 * hours
    number = (60 * minutes + whole) * base + frames - drops * (minutes - minutes // 10)
    of_ten = 600 * base - 9 * drops
    number = (number + round(seconds * rate)) % (MINUTES // 10 * of_ten)
    tens, rest = divmod(number, of_ten)
    number += drops * (9 * tens + max(0, rest - drops) // (60 * base - drops))
    whole, frames = divmod(number, base)
    minutes, whole = divmod(whole, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{whole:02d}{found[4]}{frames:02d}"
