"""The player as text: its bytes, its precision, its words, and what it refuses to carry."""

import base64
import html
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choreo_lib.body.motion import Duet, Motion
from choreo_lib.body.skeleton import HYBRIK_29, Skeleton
from choreo_lib.body.source import OURS, Source
from choreo_lib.io import MotionFormatError
from choreo_lib.show.player import Player, describe, play, publishing, read_payload

STUDY = Source("somebody's dance", "its <makers>", "study only")
EVIL = '</script><b onmouseover="x()">\'&quot;</b>'


@pytest.fixture(autouse=True)
def not_publishing(monkeypatch):
    monkeypatch.delenv("CHOREO_PUBLISH", raising=False)


def made_up(frames=40, seed=0, shift=0.0, skeleton=HYBRIK_29, **more):
    """A body that wobbles: joints near a standing person's, moving by slow sines."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames)[:, None, None] / 30
    place = rng.uniform((-0.4, -0.4, 0.0), (0.4, 0.4, 1.7), (len(skeleton), 3))
    wave = 0.2 * np.sin(2 * np.pi * (rng.uniform(0.3, 1, (len(skeleton), 3)) * t + rng.uniform(0, 1, 3)))
    return Motion(place + wave + (shift, 0, 0), 30, skeleton, **({"source": OURS} | more))


def made_up_duet(frames=40, **more):
    return Duet(made_up(frames, 1, **more), made_up(frames, 2, shift=1.0, **more))


def test_same_motion_gives_the_same_bytes_even_in_another_process():
    duet = made_up_duet()
    assert play(duet).html == play(duet).html
    assert play(duet).html != play(duet[:39]).html
    code = (
        "import hashlib, test_player as t; from choreo_lib.show.player import play;"
        "print(hashlib.sha256(play(t.made_up_duet()).html.encode()).hexdigest())"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], cwd=__file__.rsplit("/", 1)[0], capture_output=True, text=True,
                       env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": ":".join(sys.path)}, check=True).stdout
        for seed in (1, 2)
    ]  # fmt: skip
    assert runs[0] == runs[1] != ""


def test_a_duet_of_29_joints_and_256_frames_fits_into_150_kilobytes():
    assert len(play(made_up_duet(256)).html.encode()) <= 150_000


@settings(max_examples=25, deadline=None)
@given(
    reach=st.floats(1e-3, 12),
    centre=st.floats(-50, 50),
    joints=st.integers(1, 5),
    frames=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_positions_come_back_within_a_65534th_of_their_range(reach, centre, joints, frames, seed):
    positions = centre + reach * np.random.default_rng(seed).uniform(-0.5, 0.5, (frames, joints, 3))
    skeleton = Skeleton(tuple(f"j{i}" for i in range(joints)), (-1, *range(joints - 1)))
    motion = Motion(positions, 25, skeleton, source=OURS)
    (payload,) = read_payload(play(motion).html)
    error = np.abs(payload["dancers"][0]["positions"] - motion.positions).max()
    assert error <= reach / 65534 * 0.51 + abs(centre) * 3e-7 + 1e-6
    assert payload["dancers"][0]["positions"].shape == motion.positions.shape


def test_a_typical_duet_is_kept_to_less_than_a_tenth_of_a_millimetre():
    duet = made_up_duet(256)
    (payload,) = read_payload(play(duet).html)
    for body, m in zip(payload["dancers"], duet):
        assert np.abs(body["positions"] - m.positions).max() < 1e-4
        assert body["joints"] == list(HYBRIK_29.names)


def test_one_frame_and_a_still_dancer_are_played_too():
    still = Motion(np.zeros((1, 2, 3)), 30, Skeleton(("hips", "head"), (-1, 0)), source=OURS)
    (payload,) = read_payload(play(still).html)
    assert np.abs(payload["dancers"][0]["positions"]).max() < 1e-5


def notebook(*pieces):
    cells = [
        {"cell_type": "code", "outputs": [{"data": {"text/html": piece.splitlines(keepends=True), "text/plain": "x"}}]}
        for piece in pieces
    ]
    return json.dumps({"cells": cells, "nbformat": 4})


def test_read_payload_finds_every_player_wherever_it_stands():
    first, second = play(made_up_duet(), title='one "&" <two>'), play(made_up(), ghost=made_up(seed=5))
    page = f"<html><body>{first.html}<p>&lt;b&gt; &amp;amp;</p>{second.html}</body></html>"
    places = {
        "page": page,
        "notebook": notebook(first.html, second.html),
        "escaped page": f'<iframe srcdoc="{html.escape(page)}"></iframe>',
        "saved pages": first.page + second.page,
    }
    for place, text in places.items():
        found = read_payload(text)
        assert [p["title"] for p in found] == ['one "&" <two>', ""], place
        assert [len(p["dancers"]) for p in found] == [2, 1] and len(found[1]["ghosts"]) == 1, place
        np.testing.assert_allclose(found[1]["ghosts"][0]["positions"], made_up(seed=5).positions, atol=1e-4)
    assert len(read_payload(page + first.html)) == 3, "the same player twice is two players"
    assert read_payload("<p>choreo</p>") == [] and read_payload("{not json") == []


def test_read_payload_refuses_a_player_it_cannot_read():
    text = play(made_up()).page
    data = re.search(r'"data":"([^"]{40})', text)[1]
    for broken in (text.replace(data, data[:-1] + "*"), text.replace('"dancers"', '"nobody"'), text.replace(data, "")):
        with pytest.raises(ValueError, match="cannot be read"):
            read_payload(broken)


def test_edges_travel_with_weights_and_directions():
    duet = made_up_duet()
    weights = np.linspace(0, 1, 80).reshape(40, 2)
    pairs = [("left_wrist", "head"), ("pelvis", "right_ankle")]
    (payload,) = read_payload(play(duet, edges=(pairs, weights, ["a->b", ""])).html)
    assert payload["edges"]["pairs"] == [[20, 24], [0, 8]] and payload["edges"]["ways"] == [1, 0]
    np.testing.assert_allclose(payload["edges"]["weights"], weights, atol=0.5 / 255 + 1e-9)
    for plain in ([(20, 24), (0, 8)], np.array([[20, 24], [0, 8]]), tuple(pairs)):
        (payload,) = read_payload(play(duet, edges=plain).html)
        assert payload["edges"]["pairs"] == [[20, 24], [0, 8]] and payload["edges"]["weights"].tolist() == [1, 1]
    assert read_payload(play(duet, edges=[]).html)[0]["edges"]["pairs"] == []


@pytest.mark.parametrize(
    "arguments, words",
    [
        (dict(edges=[(0, 29)]), "dancer b has joints 0 to 28"),
        (dict(edges=[("left_wing", 0)]), "left_wing"),
        (dict(edges=[(0, 1, 2)]), "edge 0"),
        (dict(edges=([(0, 1)], np.ones((39, 1)))), "must have shape"),
        (dict(edges=([(0, 1)], [1.5])), "from 0 to 1"),
        (dict(edges=([(0, 1)], [float("nan")])), "from 0 to 1"),
        (dict(edges=([(0, 1)], [1.0], ["a-b"])), "directions"),
        (dict(trails=["left_wing"]), "left_wing"),
        (dict(speed=0), "speed"),
        (dict(threshold=2), "threshold"),
        (dict(loop=(5, 40)), "loop"),
        (dict(camera=(1,)), "camera"),
        (dict(camera=(1, 2, -3)), "camera"),
        (dict(ghost=made_up(8).resampled(15)), "resampled"),
    ],
)
def test_a_wrong_argument_is_named(arguments, words):
    with pytest.raises((ValueError, KeyError), match=re.escape(words)):
        play(made_up_duet(), **arguments)


def test_edges_need_two_dancers_and_a_player_needs_motion():
    with pytest.raises(ValueError, match="one dancer"):
        play(made_up(), edges=[(0, 1)])
    with pytest.raises(TypeError, match="Motion or a Duet"):
        play(np.zeros((3, 4, 3)))


def test_the_text_alternative_says_who_how_long_how_far_and_what_moves():
    skeleton = Skeleton(("Hips", "LeftHandEnd"), (-1, 0))
    still = np.zeros((61, 2, 3))
    a, b = still.copy(), still + (2, 0, 0)
    a[:, 1, 2] = np.arange(61) * 0.05  # the hand climbs 3 m
    b[:, :, 0] += np.arange(61)[:, None] / 60  # all of b walks 1 m
    duet = Duet(Motion(a, 30, skeleton, name="Ada"), Motion(b, 30, skeleton, name="Bo"))
    text = describe(duet, ghost=duet.a, edges=3, title="A test")
    for words in ("A test.", "Ada and Bo, 2.0 seconds", "61 frames", "2.00 to 3.00 metres apart, 2.50 on average",
                  "Ada moves the left hand most (3.0 metres) and travels 0.0 metres", "Bo moves the hips most",
                  "travels 1.0 metres", "ghost", "3 edges are drawn between Ada and Bo"):  # fmt: skip
        assert words in text, (words, text)
    player = play(duet)
    bundle = player._repr_mimebundle_()
    assert bundle["text/plain"] == player.alt == repr(player) and bundle["text/html"] == player._repr_html_()
    assert "apart" not in describe(duet.a)
    for title, begins in (("Who leads?", "Who leads? Ada"), ("Look.", "Look. Ada"), ("look", "Look. Ada")):
        assert describe(duet.a, title=title).startswith(begins)
    hopping = still + (np.arange(61) % 2 * 0.5)[:, None, None] * (0, 0, 1)
    assert "travels 0.0 metres over the floor" in describe(Motion(hopping, 30, skeleton))


@pytest.mark.parametrize(
    "joint, words",
    [
        ("left_wrist", "left wrist"),
        ("LeftForeArm", "left forearm"),
        ("RightHandThumb1", "right hand thumb"),
        ("right_bigtoe", "right big toe"),
        ("left_middle", "left middle finger"),
        ("LeftUpLeg", "left hip"),
    ],
)
def test_joints_are_said_in_words(joint, words):
    positions = np.zeros((2, 2, 3))
    positions[1, 1] = 1
    text = describe(Motion(positions, 30, Skeleton(("root", joint), (-1, 0))))
    assert f"the {words} most" in text


def test_a_still_picture_and_the_words_stand_where_the_iframe_is_taken_away():
    player = play(made_up_duet())
    rest = re.sub(r"<iframe.*?</iframe>", "", player.html, flags=re.DOTALL)
    assert "<script" not in rest and "<svg" in rest and html.escape(player.alt) in rest
    assert len(rest) < 6000


def test_no_name_breaks_out_of_the_page():
    skeleton = Skeleton(("hips", EVIL), (-1, 0))
    motion = Motion(made_up().positions[:, :2], 30, skeleton, source=Source("s", EVIL, redistribute=True), name=EVIL)
    player = play(motion, title=EVIL, trails=[EVIL])
    document = html.unescape(re.search(r'srcdoc="([^"]*)"', player.html)[1])
    for text in (document, player.page):
        assert text.count("</script>") == 2 and "<b " not in text
    assert "<b " not in player.html
    (payload,) = read_payload(player.html)
    assert payload["dancers"][0]["name"] == payload["title"] == payload["dancers"][0]["joints"][1] == EVIL


def test_nothing_is_fetched_and_the_script_is_small():
    player = play(made_up_duet())
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//|fetch\(|import\(|XMLHttp|@import""", player.page)
    script = re.findall(r"<script>(.*?)</script>", player.page, re.DOTALL)[0]
    assert len(script) < 30_000 and "// ----" not in script


def test_saving_is_whole_or_nothing(tmp_path, monkeypatch):
    player = play(made_up())
    path = player.save(tmp_path / "page.html")
    assert read_payload(path.read_text(encoding="utf-8"))
    path.write_text("old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(MotionFormatError, match="disk full"):
        player.save(path)
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize("value, on", [("1", True), ("yes", True), ("0", False), ("", False), ("false", False)])
def test_publishing_is_told_by_the_environment(monkeypatch, value, on):
    monkeypatch.setenv("CHOREO_PUBLISH", value)
    assert publishing() is on


def no_film(monkeypatch, calls):
    """In place of the film maker: what it was asked for, and 10 bytes."""
    import choreo_lib.show.export

    def draw_film(motion, path, ghost, edges_at, seconds, **options):
        calls.append((motion, options | {"edges_at": edges_at, "seconds": seconds}))
        path.write_bytes(b"0123456789")

    monkeypatch.setattr(choreo_lib.show.export, "draw_film", draw_film)


def test_published_motion_that_may_not_be_passed_on_becomes_a_film(monkeypatch):
    calls = []
    no_film(monkeypatch, calls)
    monkeypatch.setenv("CHOREO_PUBLISH", "1")
    free, study, unknown = (made_up(source=s) for s in (OURS, STUDY, None))
    for motion, more in ((study, {}), (unknown, {}), (Duet(free, study), {}), (free, {"ghost": study}),
                         (free, {"ghost": unknown})):  # fmt: skip
        player = play(motion, **more)
        assert isinstance(player, Player) and not read_payload(player.html) and not read_payload(player.page)
        assert "<iframe" not in player.html and base64.b64encode(b"0123456789").decode() in player.html
        assert "run this cell to orbit" in player.html and "autoplay" not in player.html
        assert "controls muted loop playsinline" in player.html and html.escape(player.alt) in player.html
    assert "its &lt;makers&gt;" in play(study).html and "source unknown" in play(unknown).html
    assert all(options["max_bytes"] == 400_000 and options["seconds"] <= 8 for _, options in calls)
    assert read_payload(play(free, ghost=made_up(seed=3)).html)[0]["redistribute"] is True
    assert read_payload(play(study, publish=False).html)[0]["redistribute"] is False
    monkeypatch.delenv("CHOREO_PUBLISH")
    assert read_payload(play(study).html)[0]["redistribute"] is False
    assert not read_payload(play(study, publish=True).html)


def test_a_film_shows_the_edges_of_each_frame(monkeypatch):
    calls = []
    no_film(monkeypatch, calls)
    weights = np.tile([0.9, 0.5], (40, 1))
    weights[20:, 1] = 0.9
    edges = ([("head", "head"), ("pelvis", "pelvis")], weights)
    play(made_up_duet(source=STUDY), edges=edges, publish=True)
    play(made_up_duet(source=STUDY), edges=edges, publish=True, threshold=1)
    shown, none = (options["edges_at"] for _, options in calls)
    assert shown(0) == shown(19) == [[24, 24]] and shown(20) == shown(39) == [[24, 24], [0, 0]]
    assert none(0) == none(39) == []


def test_a_map_of_phrases_travels_and_its_script_only_then():
    motion = made_up()
    count = next(n for n in (2, 3, 4, 5, 7) if len(motion) % n == 0)
    places = np.arange(2 * count).reshape(count, 2)
    player = play(motion, places=places)
    (payload,) = read_payload(player.html)
    assert payload["map"]["length"] == len(motion) // count and payload["loop"] == [0, len(motion) // count - 1]
    across, down = np.transpose(payload["map"]["at"])
    assert (np.diff(across) > 0).all() and (np.diff(down) < 0).all()  # up is up, as in a plot
    assert min(across) >= 0 and max(across) <= 100
    assert "Map of phrases" in player.page and "Map of phrases" not in play(motion).page
    assert "map" not in read_payload(play(motion).html)[0]
    with pytest.raises(ValueError, match="phrases of equal length"):
        play(motion, places=np.zeros((len(motion) + 1, 2)))
    with pytest.raises(ValueError, match="phrases of equal length"):
        play(motion, places=np.zeros((count, 3)))
