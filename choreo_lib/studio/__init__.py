"""What a choreographer uses: a recording in, a partner, a translation, a variation or the strings of a duet out.

`verbs` does the work and prints nothing; `command` is the same from the shell; `live` answers frame by frame.
Taught in chapter 10, "The studio".
"""

from .outputs import save
from .provenance import Provenance
from .results import Found, Made
from .verbs import deepfake, partner, strings, translate, vary

__all__ = ["Found", "Made", "Provenance", "deepfake", "partner", "save", "strings", "translate", "vary"]
