"""Wrong calls of every public verb are refused by the argument's name: nothing raw from torch, NumPy or Python."""

import contextlib
import importlib
import inspect
import re
import warnings
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
import wrong_calls
from wrong_calls import BATCH, BODY, DUET, MOTION, PARTNER, PUBLISHED, SOLO, STRINGS, TRANSLATOR, WINDOWS

import choreo_lib as cl
from choreo_lib import checks, cleaning, io, training
from choreo_lib.body import bones
from choreo_lib.body.rotations import rotate_z, slerp
from choreo_lib.core.arguments import count, each, number, shown, takes, text
from choreo_lib.core.shapes import array, tensor
from choreo_lib.evaluation import metrics
from choreo_lib.sets import augmentation, particles, synthetic, windows
from choreo_lib.show import captions, payload, plots
from choreo_lib.show.drawable import label

matplotlib.use("Agg")

NOT_TRIED = {  # public, and not called wrongly here, each with the reason
    "list_models": "takes nothing", "list_datasets": "takes nothing", "DatasetError": "an error",
    "TrainingError": "an error", "MotionFormatError": "an error", "MotionGuessWarning": "a warning",
    "Markers": "what read_markers gives; nobody makes one", "ConformReport": "what conform gives; nobody makes one",
    "Player": "what play gives; nobody makes one", "RepairReport": "what clean gives; nobody makes one",
}  # fmt: skip
EXERCISES = [name for name in checks.__all__ if name.startswith("ex")]
REFUSED_ANYWAY = {  # what even the right call answers here, since the whole thing would take minutes
    "fit": "", "read_markers": "", "model.evaluate": "there is no recipe",
    **dict.fromkeys(("train", "ablate", "evaluate_long", "refit"), "there is no recipe"),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def elsewhere():
    """A word that is taken for a path leaves its file where all that is made here lies."""
    with contextlib.chdir(wrong_calls.FOLDER):
        yield


@pytest.fixture(scope="module")
def told():
    """Every call with its outcome, once: (verb, argument, what is wrong, outcome, words)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [(name, argument, wrong, *wrong_calls.answer(name, verb, argument, given, right))
                for name, verb, argument, wrong, given, right in wrong_calls.calls()]


def test_no_wrong_call_gives_a_raw_error(told):
    counted = Counter(outcome for *_, outcome, _ in told)
    print(f"{len(told):,} wrong calls of {len({name for name, *_ in told})} verbs: {dict(counted)}")
    raw = [f"{name}({argument}={wrong}): {words}" for name, argument, wrong, outcome, words in told if outcome == "raw"]
    assert not raw, f"{len(raw)} raw errors:\n" + "\n".join(raw[:40])
    assert len(told) > 10_000 and counted["refused"] > 9 * counted["accepted"]


def test_the_right_calls_are_right(told):
    """Or a refusal above would say nothing of the argument that was changed."""
    wrong = {name: said for name, said in wrong_calls.BASES.items() if said and name not in REFUSED_ANYWAY}
    assert not wrong
    assert all(wrong_calls.BASES[name].startswith(said) for name, said in REFUSED_ANYWAY.items())


def test_no_check_passes_on_a_wrong_answer():
    passed = []
    for name in EXERCISES:
        for wrong, value in wrong_calls.WRONG.items():
            if (name, wrong) == ("ex1_3", "motion"):
                continue  # she stands, and is as tall as the answer
            verdict = getattr(checks, name)(value)
            assert isinstance(verdict, checks.Verdict) and len(verdict.message) > 20
            passed += [(name, wrong)] if verdict else []
    assert not passed


def tried():
    """Every function that is called wrongly here."""
    return {inspect.unwrap(getattr(verb, "__func__", verb)) for verb in wrong_calls.verbs().values()}


def test_every_public_name_is_tried():
    names = {name: getattr(cl, name) for name in dir(cl) if name[0] != "_" and callable(getattr(cl, name))}
    missed = {name for name, value in names.items() if inspect.unwrap(value) not in tried()} - set(NOT_TRIED)
    assert not missed
    for module in (metrics, plots, cleaning, cl.baselines, windows, augmentation):
        for name, value in vars(module).items():
            public = name in module.__all__ if hasattr(module, "__all__") else name[0] != "_"
            if public and inspect.isfunction(value) and value.__module__.startswith(module.__name__):
                assert inspect.unwrap(value) in tried(), f"{module.__name__}.{name} is not tried"


PAGES = re.compile(r"\.\. auto(\w+):: choreo_lib\.([\w.]+)\n((?:   .*\n)*)")
LEFT_OUT = {  # of the reference's pages, by the beginning of their names, with the reason
    **dict.fromkeys(("evaluation.evaluate", "evaluation.predicted_positions", "evaluation.couplings",
                     "evaluation.endurance"),
                    "measure a model on windows that its recipe made"),
    **dict.fromkeys(("evaluation.listening", "evaluation.scorecard", "evaluation.cheats", "evaluation.isomorphism",
                     "show.blind_test"), "need dances of many seconds; their own tests try the wrong ones"),
    "studio.panel": "takes nothing",
    "core.files": "how a file is put in place", "training.fingerprints": "what data is",
    "training.cards": "what a model says of itself",
    "core.precision": "how a network computes, which its layers ask",
    **dict.fromkeys(("extensions.coupling_signals", "systems.edges", "systems.graph_convolution", "systems.layers"),
                    "steps inside a network, on tensors that it made"),
    "extensions.": "a network's parts and the steps of its training, which the loop calls; its verbs are tried",
    "training.checkpoints": "files, of which test_training tries the wrong ones",
}  # fmt: skip


def test_every_function_of_the_reference_is_tried():
    known, missed = tried(), []
    for page in sorted((Path(cl.__file__).parents[1] / "book").glob("api_*.md")):
        for kind, name, options in PAGES.findall(page.read_text(encoding="utf-8")):
            if name.startswith(tuple(LEFT_OUT)) or kind not in ("function", "module"):
                continue
            module, _, verb = name.rpartition(".") if kind == "function" else (name, "", "")
            home = importlib.import_module(f"choreo_lib.{module}".rstrip("."))
            members = [verb] if verb else re.findall(r"\w+", options.partition(":members:")[2])
            found = {one: getattr(home, one) for one in members or vars(home)}
            missed += [f"{module}.{one}" for one, value in found.items()
                       if inspect.isfunction(value) and one not in NOT_TRIED and one[0] != "_"
                       and value.__module__.startswith(home.__name__) and inspect.unwrap(value) not in known]
    assert not missed


FAR = replace(MOTION, positions=MOTION.positions + np.float32([1e6, 0, 0]))
LONG = cl.Motion(np.zeros((100_000, 29, 3), np.float32), 30, BODY)


@pytest.mark.parametrize(("argument", "call"), [
    ("fps", lambda: MOTION.resampled(1e6)),
    ("fps", lambda: cl.Motion(MOTION.positions, None, BODY)),
    ("fps", lambda: cl.Motion(MOTION.positions, True, BODY)),
    ("fps", lambda: cl.Motion(MOTION.positions, "30", BODY)),
    ("notes", lambda: cl.Motion(MOTION.positions, 30, BODY, notes="abc")),
    ("a", lambda: cl.Duet(MOTION.positions, MOTION.positions)),
    ("shift", lambda: MOTION.transformed([1, 2])),
    ("motion", lambda: cl.play(LONG)),
    ("motion", lambda: cl.play(FAR)),
    ("motion", lambda: plots.seq(FAR)),
    ("duet", lambda: plots.distance(cl.Duet(MOTION, FAR))),
    ("motion", lambda: cl.animate(FAR, "far.gif")),
    ("loop", lambda: cl.play(DUET, loop=5)),
    ("speed", lambda: cl.play(DUET, speed="x")),
    ("camera", lambda: cl.play(DUET, camera=5)),
    ("title", lambda: cl.play(DUET, title=5)),
    ("height", lambda: cl.play(DUET, height=-5)),
    ("edges", lambda: cl.play(DUET, edges=[(0.9, 0.2)])),
    ("edges", lambda: cl.play(DUET, edges=[(True, 1)])),
    ("edges", lambda: cl.play(DUET, edges="ab")),
    ("motion", lambda: cl.animate(None, "x.gif")),
    ("edges", lambda: cl.animate(DUET, "x.gif", edges=[(0, 99)])),
    ("edges", lambda: cl.animate(MOTION, "x.gif", edges=[(0, 1)])),
    ("fps", lambda: cl.animate(DUET, "x.gif", fps=0)),
    ("seconds", lambda: cl.animate(DUET, "x.gif", seconds=-1)),
    ("root", lambda: cl.forward_kinematics(BODY, MOTION.rotations, MOTION.positions[:5, 0])),
    ("takes", lambda: windows.cut(None)),
    ("takes", lambda: windows.cut(MOTION.positions)),
    ("length", lambda: windows.cut(MOTION, length=1.5)),
    ("begin", lambda: next(WINDOWS.batches(2, begin=-3))),
    ("fps", lambda: synthetic.duet(fps=0)),
    ("frames", lambda: synthetic.duet(frames=10**9)),
    ("count", lambda: particles.simulate("springs", 10**12)),
    ("count", lambda: particles.simulate("springs", 1_000_000, bodies=100, frames=10_000)),
    ("count", lambda: SOLO.sample_latents(-1)),
    ("count", lambda: SOLO.sample_latents(10**9)),
    ("count", lambda: plots.seq(MOTION, count=10**6)),
    ("frame", lambda: plots.ghost(MOTION, MOTION, frame=len(MOTION))),
    ("steps", lambda: PARTNER.rollout(MOTION, steps=0)),
    ("count", lambda: PARTNER.rollout(MOTION, count=0)),
    ("who", lambda: PARTNER.rollout(MOTION, who="c")),
    ("temperature", lambda: PARTNER.rollout(MOTION, temperature=-1)),
    ("every", lambda: PARTNER.stream(DUET.positions[:14], every=2.5)),
    ("past", lambda: PARTNER.stream(DUET.positions[:14, :, :20])),
    ("motion", lambda: TRANSLATOR.translate(None)),
    ("size", lambda: STRINGS.find(DUET, size=0)),
    ("partner", lambda: PARTNER.predict(BATCH[:, :14], BATCH[:, 14:, 0, :5], (1,))),
    ("predicted", lambda: metrics.mpjpe(np.zeros((300, 29, 3)), np.zeros((1, 29, 3)))),
    ("predicted", lambda: metrics.mpjpe(np.zeros((5, 300, 29, 3)), np.zeros((5, 1, 29, 3)))),
    ("up", lambda: cl.read_motion(wrong_calls.FOLDER / "a.bvh", up=["y"])),
    ("fps", lambda: cl.read_motion(wrong_calls.FOLDER / "a.bvh", fps=True)),
    ("scale", lambda: cl.read_motion(wrong_calls.FOLDER / "a.bvh", scale=True)),
    ("smoothing", lambda: cleaning.clean(wrong_calls.PEOPLE, 30, smoothing="x")),
    ("fps", lambda: cleaning.clean(wrong_calls.PEOPLE, True)),
])  # fmt: skip
def test_nonsense_is_refused_by_name(argument, call):
    with pytest.raises((TypeError, ValueError), match=rf"\b{argument}\b"):
        call()


def test_what_is_right_is_taken_as_it_comes():
    assert cl.Motion(MOTION.positions.tolist(), np.float32(30), BODY, notes=["a", "b"]).notes == ("a", "b")
    assert len(windows.cut(MOTION, length=np.int64(20), stride=30.0)) == len(windows.cut(MOTION, length=20, stride=30))
    assert cl.play(DUET, edges=np.array([[0, 1], [2, 3]]), loop=np.array([0, 5]), height=np.int32(300)).html
    assert metrics.mpjpe(np.zeros((4, 7, 29, 3)), np.ones((7, 29, 3))).shape == (4, 7)
    assert cl.forward_kinematics(BODY, [[[0, 0, 0, 1]] * 29], [[0, 0, 0]])[0].shape == (1, 29, 3)
    assert synthetic.duet(frames=torch.tensor(5), seed=np.int64(3)).fps == 30


def test_a_motion_keeps_its_own_numbers():
    mine, turns = MOTION.positions.copy(), MOTION.rotations.copy()
    motion = cl.Motion(mine, 30, BODY, turns)
    mine[:], turns[:] = 7.0, 7.0
    np.testing.assert_array_equal(motion.positions, MOTION.positions)
    np.testing.assert_array_equal(motion.rotations, MOTION.rotations)
    part = motion[10:20]
    part.positions[:] = 0.0
    np.testing.assert_array_equal(motion.positions, MOTION.positions)


# The mechanism


@takes(size=count(1, 9), share=number(0, 1), names=each(cl.core.arguments.text), x=array("n", 3), y=tensor("n"))
def verb(size, share=0.5, names=None, *, x=None, y=None):
    """What it does."""
    return size, share, names, x, y


def test_a_verb_keeps_its_name_its_words_and_its_signature():
    assert verb.__name__ == "verb" and verb.__doc__ == "What it does."
    assert str(inspect.signature(verb)) == "(size, share=0.5, names=None, *, x=None, y=None)"
    assert str(inspect.signature(cl.Source)).startswith("(name: 'str', credit: 'str' = ''")
    with pytest.raises(TypeError, match="no argument nobody"):
        takes(nobody=count())(test_a_motion_keeps_its_own_numbers)


@pytest.mark.parametrize(("given", "says"), [
    (dict(size=0), "size must be a whole number of at least 1 and at most 9; got 0 (int)"),
    (dict(size=True), "got True"), (dict(size=10**400), "got a huge one (int)"), (dict(size=None), "size must be"),
    (dict(size=1, share=float("nan")), "share must be a number of at least 0 and at most 1; got nan (float)"),
    (dict(size=1, names="ab"), "names must be a list, each text; got 'ab' (str)"),
    (dict(size=1, names=["a", 3]), "got 3 (int) at place 1"),
    (dict(size=1, x=np.zeros((2, 4))), "x must be numbers of shape [n, 3]; got an array of shape (2, 4), float64"),
    (dict(size=1, x=np.full((2, 3), np.inf)), "not finite"), (dict(size=1, x=[[1, 2, 3], [1, 2]]), "x must be numbers"),
    (dict(size=1, x=np.zeros((2, 3)), y=torch.zeros(4)), "where the same n are 2"),
    (dict(size=1, y=np.zeros(2)), "y must be a tensor"),
])  # fmt: skip
def test_a_message_names_the_argument_what_it_must_be_and_what_it_got(given, says):
    with pytest.raises((TypeError, ValueError)) as caught:
        verb(**given)
    assert says in str(caught.value)


@takes(sizes=count(1, 9), name=text)
def several(*sizes, name="nobody"):
    return sizes, name


def test_rules_of_many_and_of_what_comes_by_name_only():
    assert several(1, 2.0, 3) == ((1, 2, 3), "nobody") and several(4, name="me") == ((4,), "me")
    for call, words in ((lambda: several(1, 2, 10), "sizes must be"), (lambda: several(1, name=2), "name must be")):
        with pytest.raises((TypeError, ValueError), match=words):
            call()


def test_of_two_rules_the_one_out_of_bounds_speaks():
    rule = number(0, 1) | text
    assert rule("x", 0.5) == 0.5 and rule("x", "word") == "word"
    with pytest.raises(ValueError, match="x must be a number .*, or text; got 2"):
        rule("x", 2)
    with pytest.raises(ValueError):
        (text | number(0, 1))("x", 2)
    with pytest.raises(TypeError):
        rule("x", [])


class Hostile:
    """Raises whatever it is asked."""

    def __getattribute__(self, name):
        raise RuntimeError("no")

    def _no(self, *_):
        raise RuntimeError("no")

    __repr__ = __eq__ = __len__ = __iter__ = __array__ = __bool__ = __hash__ = __float__ = __int__ = __index__ = _no
    __getitem__ = __contains__ = __call__ = _no


def test_what_is_shown_is_short_and_harmless():
    assert shown("x" * 500) == "'" + "x" * 56 + "... (str)" and "\n" not in shown("a\nb")
    assert shown(Hostile()) == "something that cannot be printed (Hostile)"
    shown("half \ud800").encode()


@pytest.mark.parametrize("name", EXERCISES)
def test_a_check_forgives_whatever_it_is_handed(name):
    def exits(*_, **__):
        raise SystemExit

    def breaks(*_, **__):
        return {}["nothing here"]

    def deep(*given):
        return deep(*given)

    strange = [Hostile(), 10**400, -(10**400), (10**400, 1), float("nan"), (float("nan"),) * 3, "", b"", set(), {},
               range(9), (n for n in (1, 2, 3)), object(), torch.full((3,), torch.nan), np.array(["a", None], object)]
    given = [Hostile(), "7", 10**400, np.nan, torch.zeros(0), np.array(["a", None], object), (n for n in (1, 2, 3))]
    functions = [type, exits, breaks, deep, lambda *given: given[0], *(lambda *_, one=one: one for one in given)]
    for answer in strange + functions:
        verdict = getattr(checks, name)(answer)
        assert isinstance(verdict, checks.Verdict) and not verdict and repr(verdict).startswith("Not yet. ")
        repr(verdict).encode()


def test_a_hint_quotes_the_exception_and_its_line():
    def mine(*given):
        missing = given[0]
        return missing["here"] / 0

    line = inspect.getsourcelines(mine)[1] + 2
    for name in ("ex1_2", "ex2_2", "ex4_1", "ex5_1", "ex6_1", "ex6_3", "ex7_1", "ex8_1", "ex8_3", "ex9_1", "ex9_3",
                 "ex11_1", "ex11_3"):
        message = getattr(checks, name)(mine).message
        assert f'on line {line} (`return missing["here"] / 0`)' in message and "Error" in message


# Names


NAMES = ("$x^2$", "_root", "a_b^c", "\\frac{1}{2}", "half \ud800", "two\nlines", "</script>&\"'", "$")


@pytest.fixture(scope="module")
def oddly_named():
    skeleton = cl.Skeleton(NAMES, (-1, *range(len(NAMES) - 1)), offsets=np.tile([0, 0, 0.2], (len(NAMES), 1)))
    turns = np.tile([0.0, 0, 0, 1], (5, len(NAMES), 1))
    place = np.ones((5, 3))
    return [cl.Motion.from_rotations(turns, k * place, 30, skeleton, name=name) for k, name in enumerate(NAMES)]


def test_a_label_is_shown_as_it_is_spelled():
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    for name in NAMES:
        ax.plot([0, 1], [0, 1], label=label(name))
    shown_names = [text.get_text() for text in ax.legend().get_texts()]
    assert len(shown_names) == len(NAMES), "a name with an underscore before it is left out"
    ax.set_ylabel(label(NAMES[0]))
    figure.canvas.draw()  # half a formula would stop it here
    assert label("$x$") == r"\$x\$" and label("_root").strip() == "_root" and "\n" not in label("two\nlines")
    plt.close(figure)


def test_names_of_every_kind_can_be_drawn_played_printed_and_written(oddly_named, tmp_path):
    for k, motion in enumerate(oddly_named):
        duet = cl.Duet(motion, oddly_named[k - 1])
        for figure in (plots.paths(duet), plots.paths(motion, joint=motion.skeleton.names[k]),
                       plots.traces({motion.name: np.arange(5.0)}, 30, unit=motion.name), plots.seq(duet, count=2)):
            figure.canvas.draw()
        assert len(plots.paths(duet).axes[0].get_legend().get_texts()) == 2
        shown_player = cl.play(duet, title=NAMES[k], trails=[motion.skeleton.names[k]])
        shown_player.save(tmp_path / "page.html")
        (read,) = payload.read_payload((tmp_path / "page.html").read_text(encoding="utf-8"))
        assert read["dancers"][0]["joints"] == list(motion.skeleton.names)
        for words in (repr(motion), repr(duet), str(motion.skeleton.names), captions.describe(duet, title=NAMES[k])):
            words.encode("utf-8")
        with pytest.raises(ValueError) as caught:
            motion.skeleton.index(NAMES[k] + "?")
        str(caught.value).encode("utf-8")
    cl.write_motion(oddly_named[0], tmp_path / "odd.bvh")
    assert len(cl.read_motion(tmp_path / "odd.bvh", up="z", scale=1.0).skeleton) == len(NAMES)
    cl.write_motion(oddly_named[0], tmp_path / "odd.npz")
    assert cl.read_motion(tmp_path / "odd.npz").skeleton.names == oddly_named[0].skeleton.names


def test_sources_and_notes_can_be_printed():
    source = cl.Source("half \ud800", credit="\udfff", terms="t", url="u")
    motion = replace(MOTION, source=source, notes=("half \ud800",))
    repr(source).encode(), motion.notes[0].encode(), cl.play(motion, publish=False).page.encode()


def test_pairs_and_weights_of_edges_are_refused_by_name():
    for edges in (5, [5], ["ab"], [(0, 1, 2)], ([(0, 1)], "x"), ([(0, 1)], [1.0], 5), [(None, 1)], [(0, -1)]):
        with pytest.raises((TypeError, ValueError, KeyError), match="edge"):
            cl.play(DUET, edges=edges)


def test_two_files_can_be_matched_only_as_motions():
    with pytest.raises(TypeError, match="^b must be a Motion; got 3"):
        io.match_skeletons(MOTION, 3)


def test_any_number_of_arguments_are_looked_at_one_by_one():
    @takes(names=text, ax=count())
    def verb(*names, ax=None):
        return names, ax

    assert verb("a", "b", "c", ax=3) == (("a", "b", "c"), 3) and verb() == ((), None)
    for given, named in ((("a", 5), {}), ((), {"ax": 0})):
        with pytest.raises((TypeError, ValueError), match="names must be" if given else "ax must be"):
            verb(*given, **named)


class Unwilling(list):
    """A foreign thing that raises whatever it is asked."""

    def __len__(self):
        raise RuntimeError("never")

    __repr__ = __fspath__ = __array__ = __len__


GROWING = torch.ones(3, requires_grad=True)


@pytest.mark.parametrize(("argument", "call"), [
    ("trails", lambda: cl.play(DUET, trails=Unwilling())),
    ("trails", lambda: cl.play(DUET, trails=np.array(1.0))),
    ("trails", lambda: cl.play(DUET, trails=torch.eye(3).to_sparse())),
    ("places", lambda: cl.play(DUET, places=torch.eye(3).to_sparse())),
    ("count", lambda: particles.simulate("springs", Fraction(10**400), bodies=4, frames=12)),
    ("fps", lambda: metrics.speed(MOTION.positions, np.timedelta64(3, "s"))),
    ("speed", lambda: cl.play(DUET, speed=torch.empty((), device="meta"))),
    ("shift", lambda: MOTION.transformed(torch.empty(3, device="meta"))),
    ("places", lambda: cl.play(DUET, places=torch.empty(1, 2, device="meta"))),
    ("lengths", lambda: bones.project_bone_lengths(BODY, torch.tensor(MOTION.positions), torch.ones(3))),
    ("share", lambda: slerp(torch.ones(2, 4) / 2, torch.ones(2, 4) / 2, torch.zeros(3))),
    ("angle", lambda: rotate_z(torch.zeros(7), torch.ones(2, 4) / 2)),
    ("horizons", lambda: PARTNER.predict(BATCH[:, :14], BATCH[:, 14:, 0], (1000,))),
    ("latents", lambda: SOLO.decode_motion(torch.zeros(3))),
    ("joints", lambda: cl.baselines.evaluate(
        {"still": cl.baselines.ZeroVelocity()}, WINDOWS, (1, 3), slice("a", None))),
    ("order", lambda: cl.baselines.granger_coupling(wrong_calls.LONG, order=200)),
    ("whiten", lambda: cl.baselines.ridge_coupling(wrong_calls.LONG, whiten=200)),
    ("focal", lambda: cl.clean(wrong_calls.PEOPLE, 30.0, focal="wide")),
    ("image_size", lambda: cl.clean(wrong_calls.PEOPLE, 30.0, image_size=(-1, 5))),
    ("fps", lambda: cl.read_motion(wrong_calls.FOLDER / "a.bvh", fps=np.True_)),
    ("fps", lambda: cl.read_motion(wrong_calls.FOLDER / "a.bvh", fps=Unwilling())),
    ("path", lambda: cl.write_motion(MOTION, Unwilling())),
    ("path", lambda: io.read_pairs("a\0b")),
    ("weights", lambda: cl.load_model("x" * 1000)),
    ("page", lambda: cl.play(DUET).save("x" * 1000)),
    ("windows", lambda: PUBLISHED.loss(BATCH, 0)),
    ("train", lambda: training.fit(PUBLISHED, [1], training.TrainConfig(), wrong_calls.FOLDER / "none",
                                   progress=False)),
    ("frame", lambda: PARTNER.stream(BATCH[0, :14], every=3)(BATCH[0, 0, 0] * 1j)),
    ("frame", lambda: PARTNER.stream(BATCH[0, :14], every=3)(np.full((29, 3), "2020", "M8[D]"))),
])  # fmt: skip
def test_strange_things_are_refused_in_words(argument, call):
    with pytest.raises((TypeError, ValueError, cl.TrainingError)) as caught:
        call()
    assert argument in str(caught.value) or argument == "page" and "too long" in str(caught.value)
    assert "choreo_lib" in caught.traceback[-1].path.parts and len(str(caught.value)) < 3000


@pytest.mark.parametrize("call", [
    lambda: cl.play(DUET, speed=Fraction(1, 2)),
    lambda: cl.play(DUET, places=torch.zeros(1, 2, requires_grad=True)),
    lambda: MOTION.transformed(torch.ones(3, dtype=torch.bfloat16)),
    lambda: MOTION.transformed(GROWING),
    lambda: cl.Motion(torch.tensor(MOTION.positions, requires_grad=True), np.float32(30), BODY),
    lambda: cl.Motion(torch.tensor(MOTION.positions).bfloat16(), 30, BODY),
    lambda: cl.forward_kinematics(BODY, MOTION.rotations.astype(">f4"), MOTION.positions[:, 0].astype(">f4")),
    lambda: metrics.auc(torch.tensor([0.1, 0.9], dtype=torch.bfloat16), [0, 1]),
    lambda: cl.baselines.evaluate({"still": cl.baselines.ZeroVelocity()}, WINDOWS, torch.tensor([1.0, 3.0])),
    lambda: cl.clean(wrong_calls.PEOPLE, np.int64(30), smoothing=torch.tensor(8.0)),
    lambda: WINDOWS.subset(-1)[:],
    lambda: MOTION.resampled(Fraction(30000, 1001)),
])  # fmt: skip
def test_what_holds_the_right_numbers_is_taken_in_any_dress(call):
    call()


def test_a_joint_is_found_by_the_name_it_was_given():
    body = cl.Skeleton(("\ud800", "left"), (-1, 0))
    assert body.index("\ud800") == 0
    plots.paths(cl.Motion(np.zeros((5, 2, 3)), 30, body), "\ud800")


def test_a_check_takes_no_text_for_a_number():
    assert not checks.ex4_3("1")
