"""One palette, colour-blind safe (Okabe and Ito, 2008): a vermilion and solid, b blue and hollow or dashed."""

DANCERS = ("#c8500a", "#0b6aa8")  # a, b on light paper
DANCERS_DARK = ("#f0894a", "#62b5ea")  # the same two, legible on dark paper
DASHES = ("-", "--")  # line styles of a and b in plots
STRING, STRING_DARK = "#7a4a8c", "#c79bd6"  # what ties a to b
GHOST, GHOST_DARK = "#b9b4aa", "#5c5a57"
INK, INK_DARK = "#26221e", "#ece7df"
INK_SOFT, INK_SOFT_DARK = "#6b655d", "#a8a197"
PAPER, PAPER_DARK = "#fbf9f5", "#191817"
GRID, GRID_DARK = "#e3ddd2", "#33302d"
STYLE = {"figure.facecolor": PAPER, "axes.facecolor": PAPER, "text.color": INK, "axes.edgecolor": INK_SOFT}
"""For ``plt.rcParams.update``: figures of one's own on the same paper."""
