"""The player's size, how long it takes to make, and how often it draws: python benchmarks/player.py

For 2 dancers x 29 joints x 256 frames. Aims: at most 150 KB, under 20 ms, at least 50 pictures a second.
"""

import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

import numpy as np  # noqa: E402
from browser import chromium, player_frame, visit  # noqa: E402

from choreo_lib.sets import synthetic  # noqa: E402
from choreo_lib.show.player import play, read_payload  # noqa: E402

RATE = """seconds => new Promise(done => { const canvas = document.querySelector('canvas'), n = +canvas.dataset.draws;
  const start = performance.now();
  setTimeout(() => done((canvas.dataset.draws - n) / (performance.now() - start) * 1000), seconds * 1000); })"""


def main():
    duet = synthetic.duet("canon", frames=256)
    play(duet)
    spent = []
    for _ in range(20):
        start = time.perf_counter()
        player = play(duet)
        spent.append((time.perf_counter() - start) * 1000)
    (payload,) = read_payload(player.html)
    error = max(np.abs(d["positions"] - m.positions).max() for d, m in zip(payload["dancers"], duet))
    pairs = [(i, (i * 7) % 29) for i in range(29)]
    heavy = play(duet, ghost=duet, edges=(pairs, np.full((256, 29), 0.9)), trails=["left_wrist", "right_wrist"])
    print(f"bytes of HTML           {len(player.html.encode()):>10,}   (data alone {2 * 29 * 256 * 3 * 2 * 4 // 3:,})")
    print(f"made in, median of 20   {np.median(spent):>10.2f} ms (slowest {max(spent):.2f})")
    print(f"identical twice         {str(play(duet).html == player.html):>10}")
    print(f"largest error           {error * 1000:>10.4f} mm")
    with chromium() as browser:
        for name, shown in (("duet", player), ("with ghost, trails and 29 strings", heavy)):
            with visit(browser, html=shown.html) as seen:
                rate = player_frame(seen.page).evaluate(RATE, 3)
            print(f"pictures a second       {rate:>10.1f}   ({name}; headless Chromium, no GPU)")


if __name__ == "__main__":
    main()
