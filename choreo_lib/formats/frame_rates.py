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
    """
    seconds = float(printed)
    if abs(1 / max(round(1 / seconds), 1) - seconds) < 1e-6 and round(1 / seconds) in range(1, 501):
        return float(round(1 / seconds))  # "0.033333", and what single precision leaves of 1/30
    try:
        exact = Decimal(printed)
        digit = float(Decimal(1).scaleb(exact.normalize().as_tuple().exponent))  # the worth of the last digit
    except (InvalidOperation, ValueError, OverflowError):
        return 1 / seconds
    for fits in (lambda off: abs(off) <= 0.5000001 * digit, lambda off: 0 <= off < digit):
        for rates in (USUAL, BROADCAST):
            near = [rate for rate in rates if fits(1 / rate - seconds) and abs(1 / rate / seconds - 1) < 0.12]
            if near:
                return float(min(near, key=lambda rate: abs(1 / rate - seconds)))
    return 1 / seconds
