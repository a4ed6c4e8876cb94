"""Source code as a page shows it: no line is longer than the page, and the code is the same code."""

import ast

import pytest

from choreo_lib.core.tables import source_of
from choreo_lib.extensions.force_decoders import LawDecoder
from choreo_lib.extensions.style_transport import StyleTransport, gaussian_ot_map
from choreo_lib.extensions.window_translator import Decoder
from choreo_lib.systems import VAERNN, dance_nri, duet_vae, nri, solo_vae, vae_rnn

SHOWN = (solo_vae.Encoder, dance_nri.MessagePassing.forward, duet_vae.SequenceVAE,
         nri.Encoder.forward, nri.MLPDecoder.forward, nri.NRI.loss, LawDecoder.force, vae_rnn.Encoder.forward,
         vae_rnn.Decoder.forward, VAERNN.forward, VAERNN.loss_terms, VAERNN.encode, VAERNN.decode, Decoder.forward,
         gaussian_ot_map, StyleTransport.forward)  # fmt: skip


@pytest.mark.parametrize("thing", SHOWN, ids=lambda thing: thing.__qualname__)
def test_what_chapters_show_keeps_to_the_page(thing):
    code = source_of(thing).code
    assert max(map(len, code.splitlines())) <= 84 and ast.parse(code)
    assert source_of(thing)._repr_markdown_() == f"```python\n{code}\n```" and repr(source_of(thing)) == code


def test_a_long_comment_stands_above_and_a_docstring_is_wrapped_by_paragraphs():
    def example(x):
        """First, in a line that is longer than what the page has room for.

        Second, as long as the first.
        Still the second.
        """
        if x:
            x = x + 1  # "# no comment" is told from a comment, which goes above its line
        return x  # short

    assert source_of(example, width=44).code == '''def example(x):
    """First, in a line that is longer than
    what the page has room for.

    Second, as long as the first. Still the
    second. """
    if x:
        # "# no comment" is told from a
        # comment, which goes above its line
        x = x + 1
    return x  # short'''
    assert source_of(example, example).code.count("def example") == 2


def test_a_long_head_goes_without_type_hints_and_a_short_one_keeps_them():
    def example(state: list[float], *more: int, scale: float = 1.0) -> list[float]:
        # a comment of its own line that is too long for the page
        return state

    assert source_of(example, width=44).code == '''def example(state, *more, scale=1.0):
    # a comment of its own line that is too
    # long for the page
    return state'''
    assert "state: list[float]" in source_of(example).code
