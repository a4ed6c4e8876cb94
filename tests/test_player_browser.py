"""The player in Chromium: it moves, it listens, it stays calm where calm is asked for, and it fetches nothing."""

import numpy as np
import pytest
from browser import TEN_FRAMES, chromium, moves, player_frame, state, until, visit
from test_player import EVIL, made_up, made_up_duet

from choreo_lib.body.motion import Motion
from choreo_lib.body.skeleton import Skeleton
from choreo_lib.body.source import OURS
from choreo_lib.show.player import play

pytestmark = pytest.mark.browser
CANVAS = "document.querySelector('canvas')"


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def opened(browser):
    """Opens players; at the end no page may have asked for anything or complained."""
    visits = []

    def show(player, body="{}", **context):
        entered = visit(browser, html=f"<!doctype html><html><body>{body.format(player.html)}</body></html>", **context)
        visits.append((entered, entered.__enter__()))
        return visits[-1][1].page

    yield show
    trouble = [what for _, seen in visits for what in seen.trouble]
    asked = [url for _, seen in visits for url in seen.requests if not url.startswith(("about:", "data:"))]
    for entered, _ in visits:
        entered.__exit__(None, None, None)
    assert not trouble and not asked


COUNT = """const c = document.querySelector('canvas');
    const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
    const want = [1, 3, 5].map(i => parseInt(colour.substr(i, 2), 16)); let n = 0;
    for (let i = 0; i < d.length; i += 4) n += want.every((w, k) => Math.abs(d[i + k] - w) < 24);"""


def pixels(frame, colour):
    """How many of the canvas's pixels are nearly of a colour."""
    return frame.evaluate(f"colour => {{ {COUNT} return n; }}", colour)


def shown(frame, colour, many):
    """Wait until so many pixels ("> 500") are nearly of a colour; a busy machine draws later."""
    frame.wait_for_function(f"colour => {{ {COUNT} return n {many}; }}", arg=colour)


def test_it_plays_by_itself_and_wraps_round(opened):
    page = opened(play(made_up_duet(20), speed=2))
    frame = player_frame(page)
    assert moves(frame)
    until(frame, "+s.frame > 10")
    until(frame, "+s.frame < 10")
    shown(frame, "#c8500a", "> 500")
    shown(frame, "#0b6aa8", "> 300")


def test_reduced_motion_starts_paused_and_a_reader_may_still_play(opened):
    frame = player_frame(opened(play(made_up_duet()), reduced_motion="reduce"))
    assert state(frame)["playing"] == "false" and not moves(frame)
    frame.get_by_role("button", name="Play").click()
    assert moves(frame)
    frame = player_frame(opened(play(made_up_duet(), autoplay=False)))
    assert not moves(frame)


def test_the_keyboard_steps_plays_loops_and_turns(opened):
    page = opened(play(made_up_duet(), autoplay=False))
    frame = player_frame(page)
    frame.locator("canvas").focus()
    press = page.keyboard.press
    for key, want in (("ArrowRight", "1"), ("ArrowRight", "2"), ("ArrowLeft", "1"), ("End", "39"), ("Home", "0")):
        press(key)
        until(frame, f"s.frame === '{want}'")
    for _ in range(3):
        press("ArrowRight")
    press("[")
    for _ in range(4):
        press("ArrowRight")
    press("]")
    until(frame, "s.loop === '3-7'")
    press("Space")
    until(frame, "s.playing === 'true'")
    drawn = f"new Promise(r => requestAnimationFrame(() => r(+{CANVAS}.dataset.frame)))"
    seen = {frame.evaluate(drawn) for _ in range(40)}
    assert seen <= {3, 4, 5, 6, 7} and len(seen) > 2
    press("Space")
    until(frame, "s.playing === 'false'")
    before = state(frame)
    press("Shift+ArrowRight")
    until(frame, f"s.turn !== '{before['turn']}'")
    press("+")
    until(frame, f"+s.away < {before['away']}")
    press("f")
    until(frame, "s.follow === 'true'")
    press("r")
    until(frame, f"s.turn === '{before['turn']}' && s.away === '{before['away']}' && s.loop === '0-39'")
    press("?")
    assert frame.get_by_role("note", name="Help").is_visible()
    press("Escape")
    assert not frame.get_by_role("note", name="Help", include_hidden=True).is_visible()


def test_dragging_orbits_shift_pans_and_only_a_clicked_player_takes_the_wheel(opened):
    page = opened(play(made_up_duet(), autoplay=False), body="{}<div style='height:3000px'></div>")
    frame = player_frame(page)
    start = state(frame)
    page.mouse.move(400, 200)
    page.mouse.wheel(0, 120)
    page.wait_for_function("scrollY > 0")
    assert state(frame)["away"] == start["away"]
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_function("scrollY === 0")
    picture = frame.evaluate(f"{CANVAS}.toDataURL()")
    page.mouse.down()
    page.mouse.move(480, 230, steps=4)
    page.mouse.up()
    until(frame, f"s.turn !== '{start['turn']}' && s.tilt !== '{start['tilt']}'")
    turned = state(frame)
    assert frame.evaluate(f"{CANVAS}.toDataURL()") != picture
    page.mouse.wheel(0, -240)
    until(frame, f"+s.away < {start['away']}")
    assert page.evaluate("scrollY") == 0
    picture = frame.evaluate(f"{CANVAS}.toDataURL()")
    page.keyboard.down("Shift")
    page.mouse.down()
    page.mouse.move(430, 250, steps=4)
    page.mouse.up()
    until(frame, f"{CANVAS}.toDataURL() !== {picture!r}")
    assert state(frame)["turn"] == turned["turn"]


def gesture(page, *moments):
    """Fingers on the glass: each moment is a list of places (x, y), and after the last all are lifted."""
    touch = page.context.new_cdp_session(page)
    for number, places in enumerate(moments):
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]
        kind = "touchMove" if number else "touchStart"
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


PHONE = {"has_touch": True, "viewport": {"width": 420, "height": 700}}


def test_two_fingers_zoom(opened):
    page = opened(play(made_up_duet(), autoplay=False), **PHONE)
    frame = player_frame(page)
    before = float(state(frame)["away"])
    gesture(page, *([(200 - apart, 200), (200 + apart, 200)] for apart in (40, 60, 80)))
    until(frame, f"+s.away < {before * 0.75}")


def test_one_finger_orbits_and_two_scroll_the_page(opened):
    page = opened(play(made_up_duet(), autoplay=False), body="{}<div style='height:3000px'></div>", **PHONE)
    frame = player_frame(page)
    start = state(frame)
    gesture(page, [(200, 300)], [(200, 270)], [(230, 220)], [(260, 180)])
    until(frame, f"s.turn !== '{start['turn']}' && s.tilt !== '{start['tilt']}'")
    assert page.evaluate("scrollY") == 0
    turned = state(frame)
    gesture(page, *([(160, y), (240, y)] for y in (300, 260, 220, 180, 140)))
    page.wait_for_function("scrollY > 80")
    assert state(frame)["turn"] == turned["turn"]
    before = page.evaluate("scrollY")
    gesture(page, *([(200, y)] for y in (600, 550, 500, 450, 400)))  # beside the player the page scrolls as ever
    page.wait_for_function(f"scrollY > {before}")
    assert state(frame)["turn"] == turned["turn"]


def test_the_slider_hides_edges_frame_by_frame(opened):
    weights = np.tile([0.3, 0.6, 0.9], (40, 1))
    weights[20:, 2] = 0.1
    duet = made_up_duet()
    edges = ([("head", "head"), ("left_wrist", "right_wrist"), ("pelvis", "pelvis")], weights, ["a->b", "b->a", ""])
    frame = player_frame(opened(play(duet, edges=edges, threshold=0.5, autoplay=False)))
    assert state(frame)["edges"] == "2"
    drawn = pixels(frame, "#7a4a8c")
    slider = frame.get_by_role("slider", name="Show edges from this weight")
    for value, shown in (("0", "3"), ("0.9", "1"), ("1.01", "0")):
        slider.fill(value)
        until(frame, f"s.edges === '{shown}'")
    assert pixels(frame, "#7a4a8c") < drawn / 4
    slider.fill("0.5")
    frame.get_by_role("slider", name="Frame").fill("30")
    until(frame, "s.edges === '1'")


def test_ghost_and_trails_come_and_go(opened):
    page = opened(play(made_up(), ghost=made_up(seed=4, shift=0.8), autoplay=False, trails=["left_wrist"]))
    frame = player_frame(page)
    frame.get_by_role("slider", name="Frame").fill("30")
    until(frame, "s.frame === '30'")
    ghost, trails = (frame.get_by_role("button", name=name) for name in ("Ghost", "Trails"))
    grey, bare = pixels(frame, "#b9b4aa"), [pixels(frame, "#fbf9f5")]
    for button in (ghost, trails):
        picture = frame.evaluate(f"{CANVAS}.toDataURL()")
        button.click()
        until(frame, f"{CANVAS}.toDataURL() !== {picture!r}")
        assert button.get_attribute("aria-pressed") == "false"
        bare.append(pixels(frame, "#fbf9f5"))
    assert pixels(frame, "#b9b4aa") < grey / 3
    assert bare[0] < bare[1] < bare[2], "what is taken away leaves paper"


def test_a_dot_of_the_map_dances_its_phrase(opened):
    motion = made_up_duet(40).a
    frame = player_frame(opened(play(motion, places=np.array([[0, 0], [1, 0], [0, 1], [1, 1]]), autoplay=False)))
    dots = frame.get_by_role("button", name="Phrase")
    assert dots.count() == 4 and state(frame)["loop"] == "0-9"
    boxes = [dots.nth(k).bounding_box() for k in range(4)]
    assert boxes[1]["x"] > boxes[0]["x"] + 40 and boxes[2]["y"] < boxes[0]["y"] - 40
    stage = frame.locator("canvas").bounding_box()
    assert all(box["x"] + box["width"] <= stage["x"] for box in boxes)  # beside the stage, not over it
    dots.nth(2).click()
    until(frame, "s.playing === 'true' && s.loop === '20-29'")
    assert moves(frame) and 20 <= int(state(frame)["frame"]) <= 29
    assert [dots.nth(k).get_attribute("aria-pressed") for k in (0, 2)] == ["false", "true"]
    dots.nth(2).focus()
    frame.page.keyboard.press("Tab")
    frame.page.keyboard.press("Enter")
    until(frame, "s.loop === '30-39'")
    frame.locator("input.scrub").fill("5")
    until(frame, "s.frame === '5'")  # the slider goes where it likes, and the map follows
    assert [dots.nth(k).get_attribute("aria-pressed") for k in (0, 3)] == ["true", "false"]


def test_light_and_dark_follow_the_page_and_else_the_system(opened):
    player = play(made_up_duet(), autoplay=False)
    for scheme in ("light", "dark"):
        frame = player_frame(opened(player, color_scheme=scheme))
        until(frame, f"s.theme === '{scheme}'")
    page = opened(player, color_scheme="light")
    frame = player_frame(page)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    until(frame, "s.theme === 'dark'")
    shown(frame, "#191817", "> 10_000")  # it is drawn a little after it is known
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    until(frame, "s.theme === 'light'")


def test_it_rests_while_out_of_sight(opened):
    page = opened(play(made_up_duet(200)), body="{}<div style='height:4000px'></div>")
    frame = player_frame(page)
    assert moves(frame)
    page.evaluate("scrollTo(0, 3000)")
    until(frame, "s.phase === 'resting'")
    page.evaluate(TEN_FRAMES)
    before = state(frame)["frame"]
    page.evaluate(TEN_FRAMES)
    assert state(frame)["frame"] == before
    page.evaluate("scrollTo(0, 0)")
    until(frame, "s.phase === 'playing'")
    assert moves(frame)


def test_names_are_shown_as_text(opened):
    skeleton = Skeleton(("hips", EVIL), (-1, 0))
    motion = Motion(made_up().positions[:, :2], 30, skeleton, source=OURS, name=EVIL)
    page = opened(play(motion, title=EVIL))
    frame = player_frame(page)
    assert frame.locator("b[onmouseover]").count() == 0 and page.locator("b").count() == 0
    assert EVIL in frame.locator(".legend").inner_text()
    assert EVIL in frame.locator("canvas").get_attribute("aria-label")


def test_every_control_has_a_name_and_the_canvas_its_words(opened):
    player = play(made_up_duet(), edges=[("head", "head")], ghost=made_up(seed=6))
    frame = player_frame(opened(player))
    unnamed = frame.evaluate(
        "[...document.querySelectorAll('button,input,select')].filter(e => !e.getAttribute('aria-label')).length"
    )
    assert unnamed == 0 and frame.locator("button").count() >= 8
    assert frame.get_by_role("img", name=player.alt).count() == 1


def test_without_script_the_still_and_the_words_can_be_seen(opened):
    player = play(made_up_duet())
    page = opened(player, java_script_enabled=False)
    assert page.get_by_text(player.alt[:40]).is_visible() and page.locator(".choreo-player > svg").is_visible()


def test_a_page_around_a_player_works_from_the_disk(browser, tmp_path):
    path = tmp_path / "around.html"
    path.write_text(f"<!doctype html><html data-theme=dark><body>{play(made_up_duet()).html}", encoding="utf-8")
    with visit(browser, url=path.as_uri()) as seen:
        frame = player_frame(seen.page)
        assert moves(frame) and state(frame)["theme"] == "dark"
    assert not seen.trouble


def test_a_saved_page_plays_from_the_disk(browser, tmp_path):
    path = play(made_up_duet(), title="A page").save(tmp_path / "page.html")
    with visit(browser, url=path.as_uri()) as seen:
        seen.page.wait_for_selector("canvas[data-draws]")
        assert moves(seen.page.main_frame)
    assert not seen.trouble
