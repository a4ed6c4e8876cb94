"""The blind test in Chromium: by mouse, by keys and as a screen reader is told; offline, and keeping nothing."""

import base64
import json
import re

import numpy as np
import pytest
from browser import chromium, state, visit
from scipy.stats import beta

import choreo_lib as cl
from choreo_lib.sets import synthetic
from choreo_lib.show.blind_test import blind_test
from choreo_lib.show.payload import read_payload


@pytest.fixture(scope="module")
def clips():
    return [synthetic.duet("canon", 12, seed=seed) for seed in range(4)]


@pytest.fixture(scope="module")
def offered(clips):
    return blind_test(clips[:2], clips[2:], seed=1)


def key_of(page):
    told = json.loads(re.search('id="test">(.*?)</script>', page.page)[1])
    return [int(sign) for sign in base64.b64decode(told["key"]).decode()], told


def test_the_page_holds_every_clip_and_does_not_say_which_is_which(clips, offered):
    key, told = key_of(offered)
    assert sorted(key) == [0, 0, 1, 1] and read_payload(offered.html)
    stored = read_payload(offered.page)
    assert len(stored) == 4 and all(each["redistribute"] for each in stored)
    for each, truth in zip(stored, key):
        near = [np.abs(each["dancers"][0]["positions"] - clip.a.positions).max() < 1e-3 for clip in clips]
        assert near.index(True) // 2 == truth
        assert [body["name"] for body in each["dancers"]] == ["dancer a", "dancer b"]
    assert key_of(blind_test(clips[:2], clips[2:], seed=1)) == (key, told)
    assert len({str(key_of(blind_test(clips[:2], clips[2:], seed=seed))[0]) for seed in range(6)}) > 1
    for right, (low, high) in enumerate(told["intervals"]):  # Clopper and Pearson by their definition
        assert low == pytest.approx(beta.ppf(0.025, right, 5 - right) if right else 0, abs=1e-4)
        assert high == pytest.approx(beta.ppf(0.975, right + 1, 4 - right) if right < 4 else 1, abs=1e-4)


def test_what_may_not_be_passed_on_is_not_published(clips, monkeypatch):
    monkeypatch.setenv("CHOREO_PUBLISH", "1")
    private = cl.Duet(*(cl.Motion(each.positions, each.fps, each.skeleton) for each in clips[0]))
    with pytest.raises(ValueError, match="may not be passed on"):
        blind_test([private], clips[1:])
    monkeypatch.setenv("CHOREO_PUBLISH", "0")
    assert blind_test([private], clips[1:]).page


@pytest.mark.browser
def test_it_is_answered_by_mouse_and_keys_and_scores_itself(offered, tmp_path):
    key, told = key_of(offered)
    path = offered.save(tmp_path / "test.html")
    with chromium() as browser, visit(browser, url=path.as_uri()) as seen:
        page = seen.page
        for number in range(len(key)):
            page.wait_for_function("said => document.getElementById('status').textContent.startsWith(said)",
                                   arg=f"Clip {number + 1} of 4")
            frame = page.wait_for_selector("#stage").content_frame()
            frame.wait_for_selector("canvas[data-draws]")
            assert int(state(frame)["frame"]) >= 0
            assert page.get_by_role("status").inner_text().startswith(f"Clip {number + 1}")
            if number == 0:
                sizes = [page.get_by_role("button", name=name).bounding_box() for name in ("Danced", "Made")]
                assert all(box["height"] >= 44 and box["width"] >= 44 for box in sizes)
            wrong = number == 3
            if number % 2:  # by key, then by mouse
                page.locator("#danced").focus()
                page.keyboard.press("dm"[key[number] ^ wrong])
            else:
                page.get_by_role("button", name=("Danced", "Made")[key[number]]).click()
        score = page.locator("#score")
        score.wait_for(state="visible")
        low, high = told["intervals"][3]
        assert score.inner_text().startswith("3 of 4 right.")
        assert f"{round(100 * low)} % to {round(100 * high)} %" in score.inner_text()
        assert "cannot be told" in score.inner_text(), "of four clips nothing follows"
        assert page.evaluate("document.activeElement.id") == "score", "a screen reader goes on here"
        assert page.locator("#answers li").count() == 4
        assert page.locator("#answers li", has_text="not so").count() == 1
        page.keyboard.press("m")  # an answer after the end counts for nothing
        assert page.locator("#answers li").count() == 4
        kept = "[localStorage.length, sessionStorage.length, document.cookie]"
        assert page.evaluate(kept) == [0, 0, ""]
        page.get_by_role("button", name="Again").click()
        assert page.locator("#result").is_hidden()
        assert page.get_by_role("status").inner_text().startswith("Clip 1 of 4")
        assert not seen.trouble and seen.requests == [path.as_uri()]


@pytest.mark.browser
def test_it_stands_in_a_page_of_the_book_and_in_a_narrow_one(offered):
    html = f"<!doctype html><html><body>{offered.html}</body></html>"
    with chromium() as browser, visit(browser, html=html, viewport={"width": 360, "height": 640}) as seen:
        frame = seen.page.wait_for_selector(".choreo-blind-test iframe").content_frame()
        frame.wait_for_selector("#stage").content_frame().wait_for_selector("canvas[data-draws]")
        assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert frame.get_by_role("button", name="Made").is_visible()
        assert not seen.trouble
