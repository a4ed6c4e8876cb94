"""What a choreographer uses: a recording in, a partner, a translation, a variation or the strings of a duet out.

`verbs` does it, `command` in the shell, `panel` in a notebook, `page` in a browser. Taught in chapter 10, "The studio".
"""

from .outputs import save
from .panel import Panel, panel
from .provenance import Provenance
from .results import Found, Made
from .session import Session
from .verbs import deepfake, partner, strings, translate, vary

__all__ = ["Found", "Made", "Panel", "Provenance", "Session", "deepfake", "panel", "partner", "save", "strings",
           "translate", "vary"]  # fmt: skip
