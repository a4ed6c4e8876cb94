"""Frame times as they are printed: 0.033 is 30 frames a second, and so is 0.0333; 0.0333667 is 29.97.

Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

USUAL = (24, 25, 30, 50, 60, 90, 100, 120, 12, 15, 10, 20, 48, 72, 75, 80, 144, 150, 180, 200, 240, 250, 300, 360, 480,
         500, 1000)
BROADCAST = (24000 / 1001, 30000 / 1001, 60000 / 1001, 120000 / 1001, 23.976, 29.97, 59.94, 119.88)


def rate_of(printed: str) -> float:
    """Frames per second of a Frame Time: the usual rate whose printed time it is, else one divided by it.

    A time is rounded or cut at its last digit, so "0.0167" and "0.0166" are both 60. Of several rates that fit, whole
    ones come before broadcast's (23.976 needs five digits to be told from 24), and rounding before cutting.
    Units: ``printed`` seconds. Chapter: 1.
    """
    seconds = float(printed)
    nearest = float(max(round(1 / seconds), 1))
    whole = nearest if nearest <= 500 and abs(1 / nearest - seconds) < 1e-6 else None
    try:
        given, last = (10.0 ** int(number.as_tuple().exponent) for number in (Decimal(printed),
                                                                               Decimal(printed).normalize()))
    except (InvalidOperation, ValueError, OverflowError):
        return whole or 1 / seconds
    if whole and given <= 1e-6:
        return whole  # "0.033333", and what single precision leaves of 1/30
    for fits in (lambda off: abs(off) <= 0.5000001 * last, lambda off: 0 <= off < last):  # rounded, or cut off
        for rates in (USUAL, BROADCAST):
            near = [rate for rate in rates if fits(1 / rate - seconds) and abs(1 / rate / seconds - 1) < 0.12]
            if near:
                return float(min(near, key=lambda rate: abs(1 / rate - seconds)))
    return whole or 1 / seconds
