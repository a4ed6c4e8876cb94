"""Checks of exercises: ``cl.checks.ex1_1(answer)`` gives a `Verdict`, true or with a hint, never the answer."""

from .chapter_01 import ex1_1, ex1_2, ex1_3, ex1_4, line_up_1_4, puzzle_1_3
from .chapter_02 import ex2_1, ex2_2, ex2_3, ex2_4, line_up_2_3
from .chapter_03 import ex3_1, ex3_2, ex3_3, ex3_4, ex3_5, splits_3_3
from .chapter_04 import ex4_1, ex4_2, ex4_3
from .chapter_05 import ex5_1, ex5_2, ex5_3, ex5_4, film_5_4
from .chapter_06 import ex6_1, ex6_2, ex6_3
from .chapter_07 import ex7_1, ex7_2, ex7_3
from .chapter_08 import ex8_1, ex8_2, ex8_3
from .chapter_09 import ex9_1, ex9_2, ex9_3
from .chapter_10 import ex10_1, ex10_2, ex10_3
from .chapter_11 import ex11_1, ex11_2, ex11_3, ex11_4
from .verdict import Verdict

__all__ = ["Verdict", "ex1_1", "ex1_2", "ex1_3", "ex1_4", "ex2_1", "ex2_2", "ex2_3", "ex2_4",
           "ex3_1", "ex3_2", "ex3_3", "ex3_4", "ex3_5", "ex4_1", "ex4_2", "ex4_3", "ex5_1", "ex5_2", "ex5_3",
           "ex6_1", "ex6_2", "ex6_3", "ex7_1", "ex7_2", "ex7_3", "ex8_1", "ex8_2", "ex8_3",
           "ex9_1", "ex9_2", "ex9_3", "ex10_1", "ex10_2", "ex10_3", "ex11_1", "ex11_2", "ex11_3", "ex11_4",
           "ex5_4", "film_5_4", "line_up_1_4", "line_up_2_3", "puzzle_1_3", "splits_3_3"]
