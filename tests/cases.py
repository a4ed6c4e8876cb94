"""Where the inputs lie that once showed a fault: CHOREO_CASES, or ../shared/cases beside the checkout, or nowhere."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACES = (os.environ.get("CHOREO_CASES"), ROOT.parent / "shared" / "cases")
CASES = next((Path(p) for p in PLACES if p and Path(p).is_dir()), None)
