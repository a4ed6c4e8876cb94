"""A session in the studio, and the panel over it: one thing at a time, a history, files, and trouble in plain words."""

import io
import threading
import zipfile
from contextlib import contextmanager
from datetime import UTC, datetime

import numpy as np
import pytest

import choreo_lib as cl
from choreo_lib import studio
from choreo_lib.studio import forms, reading
from choreo_lib.studio.panel import uploaded
from choreo_lib.studio.session import Busy, Session, in_words

PATIENCE = 300  # seconds: a bound on what hangs, never a measure
FAST = {"model": "duet-synthetic"}


@pytest.fixture(scope="module")
def bvh(tmp_path_factory):
    """Two seconds of one dancer, as the bytes of a BVH."""
    path = tmp_path_factory.mktemp("bvh") / "mine.bvh"
    cl.write_motion(cl.load_duet("synthetic/canon").a[:60], path)
    return path.read_bytes()


def loaded(bvh, **more) -> Session:
    session = Session(**more)
    session.upload([("mine.bvh", bvh)])
    session.wait(PATIENCE)
    assert not session.trouble
    return session


@contextmanager
def held(session):
    """While this lasts, the session's work stands still at its first step."""
    reached, go_on, usual = threading.Event(), threading.Event(), session._changed

    def changed():
        if session.doing and session.of and threading.current_thread().name == "studio":
            reached.set()
            assert go_on.wait(PATIENCE)
        return usual and usual()

    session._changed = changed
    try:
        yield reached
    finally:
        go_on.set()
        session.wait(PATIENCE)
        session._changed = usual


# ---- the session

def test_takes_edits_and_the_recording_stay_in_a_history_one_can_go_back_to(bvh):
    session = loaded(bvh)
    assert session.entry.lines and session.state()["seconds"] == 2.0
    session.trim(0.5, 1.5)
    session.wait(PATIENCE)
    session.ask("partner", takes="2", seed="3", **FAST)
    session.wait(PATIENCE)
    assert not session.trouble and len(session.entry.takes) == 2 and len(session.entry.takes[0]) == 30
    assert np.abs(session.entry.takes[0].b.positions - session.entry.takes[1].b.positions).max() > 0.01
    session.ask("Mirror", take=1)
    session.wait(PATIENCE)
    edited, = session.entry.takes
    np.testing.assert_array_equal(edited.a.positions, session.entry.recording.positions)
    assert "Mirror" in session.entry.title and session.entry.table and "mirrored" in repr(session.entry.table)
    text = session.entry.how_it_was_made()
    for fact in ("model: duet-synthetic", "seed: 3", "wish: Mirror(", "wish: take 2",
                 "credit: unknown; ask whoever danced it", "trained on synthetic: AI Choreography"):
        assert fact in text
    session.go_back(0)
    assert len(session.entry.recording) == 60 and len(session.state()["history"]) == 4
    session.ask("partner", **FAST)
    session.wait(PATIENCE)
    assert len(session.entry.takes[0]) == 60, "a verb is asked of the recording one went back to"


def test_files_of_every_kind_are_read_back_with_how_they_were_made(bvh, tmp_path):
    session = loaded(bvh)
    session.ask("partner", seed="4", **FAST)
    session.wait(PATIENCE)
    session.export([".bvh", ".npz", ".gif"], tmp_path / "out")
    session.wait(PATIENCE)
    assert not session.trouble
    names = {path.name for path in session.exported.paths}
    assert names == {"partner-seed-4_a.bvh", "partner-seed-4_b.bvh", "partner-seed-4.npz", "partner-seed-4.gif",
                     "partner-seed-4.gif.json", "partner-seed-4.txt"}
    back = cl.read_duet(tmp_path / "out" / "partner-seed-4.npz")
    np.testing.assert_allclose(back.b.positions, session.entry.takes[0].b.positions, atol=1e-4)
    assert any("seed 4" in note for note in back.b.notes)
    packed = zipfile.ZipFile(io.BytesIO(session.exported.data))
    assert names < set(packed.namelist()) and "seed: 4" in packed.read("partner-seed-4.txt").decode()
    session.export([".bvh"], tmp_path / "one", both=False)
    session.wait(PATIENCE)
    assert {path.name for path in session.exported.paths} == {"partner-seed-4.bvh", "partner-seed-4.txt"}


def test_a_second_click_is_refused_and_cancel_leaves_everything_as_it_was(bvh):
    session = loaded(bvh)
    with held(session) as reached:
        session.ask("partner", **FAST)
        assert reached.wait(PATIENCE)
        for click in (lambda: session.ask("partner", **FAST), lambda: session.load("synthetic/canon/a"),
                      lambda: session.export([".npz"]), lambda: session.go_back(0)):
            with pytest.raises(Busy, match="still a partner; wait"):
                click()
        session.cancel()
    assert session.said.startswith("cancelled") and not session.trouble
    assert list(session.entries) == [0] == [session.at] and not session.doing
    session.ask("partner", **FAST)
    session.wait(PATIENCE)
    assert session.at == 1, "and can be asked again"


def test_ten_minutes_are_cancelled_and_a_film_too(bvh):
    session = loaded(bvh)
    recording = session.entry.recording
    long = cl.Motion(np.tile(recording.positions, (300, 1, 1)), 30.0, recording.skeleton)
    session.entries[0] = studio.history.Entry.recorded("ten minutes", long)
    assert len(session.entry.player().page) < 12e6, "a player of every frame would be larger"
    for begin in (lambda: session.ask("partner", **FAST), lambda: session.export([".gif"])):
        with held(session) as reached:
            begin()
            assert reached.wait(PATIENCE)
            session.cancel()
        assert session.said.startswith("cancelled") and session.exported is None


@pytest.mark.parametrize("files, words", [
    ([("x.doc", b"?")], r"'.doc' are not read"), ([("x.bvh", b"hello")], "no BVH"), ([("x.npz", b"")], "empty"),
    ([], "load one file"), ([("a.bvh", b"1")] * 3, "two of the two dancers"), ([("x.json", b"{}")], "x.json"),
])  # fmt: skip
def test_a_wrong_file_is_said_in_plain_words(files, words):
    session = Session()
    session.upload(files)
    session.wait(PATIENCE)
    assert words in session.trouble.replace("\\", "") or pytest.fail(session.trouble)
    assert "own fault" not in session.trouble and session.at == -1


def test_what_cannot_be_asked_is_said_in_plain_words(bvh):
    with pytest.raises(ValueError, match="load a recording first"):
        Session().ask("partner")
    session = loaded(bvh)
    for ask, fields, words in (("nobody", {}, "there is no 'nobody'"), ("partner", {"speed": "1"}, "no field speed"),
                               ("Hold", {}, "hand: fill this in"),
                               ("partner", {"seed": "x"}, "seed of chance: 'x' is not a whole number"),
                               ("partner", {"model": "gpt"}, "model: choose one of"),
                               ("EndAt", {"place": "left"}, "not a place such as")):
        with pytest.raises(ValueError, match=words):
            session.ask(ask, **fields)
    with pytest.raises(ValueError, match="there is nothing: the recording lasts 2.00 s"):
        session.trim(3, 4)
    for ask, fields, words in (("vary", {"model": "solo-synthetic"}, "need 64"), ("strings", {}, "two dancers"),
                               ("partner", {"takes": "0"}, "takes must be"), ("Canon", {}, "needs a partner")):
        session.ask(ask, **fields)
        session.wait(PATIENCE)
        assert words in session.trouble and session.at == 0
    session.load("nobody/x", local=False)
    session.wait(PATIENCE)
    assert "did you mean" in session.trouble
    assert in_words(RuntimeError("mat1")) == "the studio's own fault, not yours: RuntimeError mat1"


@pytest.mark.filterwarnings("ignore::choreo_lib.MotionGuessWarning")
def test_uploads_are_limited_and_leave_nothing_behind(bvh, monkeypatch, tmp_path):
    monkeypatch.setattr(reading.tempfile, "tempdir", str(tmp_path))
    one = reading.read_upload([("../../mine.bvh", bvh)])
    two = reading.read_upload([("a.bvh", bvh), ("a.bvh", bvh)])
    assert len(one) == 60 and isinstance(two, cl.Duet) and not list(tmp_path.iterdir())
    with pytest.raises(cl.MotionFormatError):
        reading.read_upload([("x.bvh", b"hello")])
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(reading, "UPLOAD_BYTES", 1000)
    with pytest.raises(ValueError, match="more than the"):
        reading.read_upload([("mine.bvh", bvh)])


def test_whose_dance_it_is_comes_with_a_bvh_and_goes_with_every_file(tmp_path):
    dancer = cl.load_duet("synthetic/canon").a[:30]
    path = tmp_path / "mine.bvh"
    cl.write_motion(cl.Motion(dancer.positions, 30.0, dancer.skeleton, dancer.rotations, cl.Source(
        "evening", "Ada and Bo", "ask before it is shown")), path)
    session = Session()
    session.upload([(each.name, each.read_bytes()) for each in (path, path.with_name("mine.bvh.json"))])
    session.wait(PATIENCE)
    session.ask("partner", **FAST)
    session.wait(PATIENCE)
    session.export([".npz"], tmp_path / "out")
    session.wait(PATIENCE)
    assert not session.trouble
    text = (tmp_path / "out" / "partner-seed-0.txt").read_text(encoding="utf-8")
    assert "credit: Ada and Bo" in text and "terms: ask before it is shown" in text
    assert "Ada and Bo" in cl.read_duet(tmp_path / "out" / "partner-seed-0.npz").b.source.credit


def test_what_can_be_asked_is_what_the_verbs_and_wishes_take():
    assert set(forms.asks()) == {"partner", "translate", "deepfake", "vary", "strings", "Inpaint", "Hold", "EndAt",
                                 "Path", "Tempo", "Mirror", "Canon", "Loop", "Vary"}
    for ask in forms.asks().values():
        filled = {each.name: "left_wrist" for each in ask.fields if each.kind == "joint"}
        assert ask.values(filled), "what stands in the form is what may be sent"
    values = forms.asks()["Path"].values({"points": "0, 0; 1 0.5", "stop": ""})
    assert values["points"] == [(0.0, 0.0), (1.0, 0.5)] and "stop" not in values


# ---- the panel

def test_both_shapes_of_an_upload_are_read():
    seven = {"a.bvh": {"metadata": {"name": "a.bvh", "size": 2}, "content": b"hi"},
             "b.bvh": {"metadata": {"name": "b.bvh", "size": 2}, "content": b"ho"}}
    eight = tuple({"name": name, "type": "", "size": 2, "content": memoryview(content), "last_modified": None}
                  for name, content in (("a.bvh", b"hi"), ("b.bvh", b"ho")))
    assert uploaded(seven) == uploaded(eight) == [("a.bvh", b"hi"), ("b.bvh", b"ho")]
    assert uploaded({}) == uploaded(()) == []


def every(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from every(child)


def test_the_panel_from_a_file_to_files(bvh, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    panel = studio.panel()
    assert all(each._model_module.startswith("@jupyter-widgets/") for each in every(panel.widget))
    buttons = [each for each in every(panel.widget) if type(each).__name__ in ("Button", "FileUpload")]
    assert buttons and all(each.layout.height == "44px" and each.description for each in buttons)
    panel.make.click()
    assert "Could not" in panel.said.value and "load a recording first" in panel.said.value
    panel.upload.value = ({"name": "mine.bvh", "type": "", "size": len(bvh), "content": bvh,
                           "last_modified": datetime.now(UTC)},)
    panel.session.wait(PATIENCE)
    assert not panel.upload.value and len(panel.players.children) == 1 and "<iframe" in panel.players.children[0].value
    panel.fields["model"].value, panel.fields["takes"].value = "duet-synthetic", "2"
    with held(panel.session) as reached:
        panel.make.click()
        assert reached.wait(PATIENCE)
        panel.make.click()
        assert "Could not: still a partner; wait until it is done" in panel.said.value and not panel.cancel.disabled
    assert len(panel.players.children) == 3 and "done" in panel.said.value, "the recording beside two takes"
    panel.what.value = "Tempo"
    panel.take.value = 1
    panel.make.click()
    panel.session.wait(PATIENCE)
    assert "Tempo" in panel.lines.value and panel.history.value == 2
    panel.history.value = 1
    panel._back.click()
    assert len(panel.players.children) == 3
    for kind, box in panel.kinds.items():
        box.value = kind == ".npz"
    panel.every.value = False
    panel.save.click()
    panel.session.wait(PATIENCE)
    assert sorted(path.name for path in (tmp_path / "studio").iterdir()) == [
        "partner-seed-0-take-1.npz", "partner-seed-0.txt"]
    assert len(cl.read_duet("studio/partner-seed-0-take-1.npz")) == 60 and 'download="partner' in panel.link.value
