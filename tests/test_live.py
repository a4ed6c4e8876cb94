"""A partner live: what comes over OSC is answered, in order, at the model's rate; whatever else comes is counted."""

import json
import runpy
import socket
import struct
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from choreo_lib.__main__ import main
from choreo_lib.body.skeleton import HYBRIK_29, Skeleton
from choreo_lib.extensions import DuetForecaster
from choreo_lib.sets import synthetic, windows

pytest.importorskip("pythonosc", reason="needs the extra [live]")

from choreo_lib.studio import live, osc_messages  # noqa: E402
from choreo_lib.studio.live_partner import LivePartner  # noqa: E402
from choreo_lib.studio.osc_messages import (  # noqa: E402
    Body,
    Ignored,
    Joints,
    decode,
    encode,
    encode_body,
)
from choreo_lib.studio.receive import Datagrams, Take  # noqa: E402

ROOT = Path(__file__).parents[1]
PAST, STEP = 6, 1 / 30


@pytest.fixture(scope="module")
def duet():
    return synthetic.duet("canon", 120, seed=3)


@pytest.fixture(scope="module")
def model(duet):
    torch.manual_seed(0)
    model = DuetForecaster(duet.a.skeleton, past=PAST, ahead=10, features=16, heads=2, latent=8, hidden=16,
                           residual_components=8)
    model.fit_statistics(windows.cut([duet], PAST + 10, stride=2).batches(64))
    return model.eval()


def reason(datagram, now=0.0):
    """Why the one message in it is ignored."""
    said, = decode(datagram, now)
    assert isinstance(said, Ignored)
    return str(said)


def encode_rotations(who, number, seconds, root, rotations):
    numbers = np.concatenate([np.ravel(root), np.ravel(rotations)]).astype(np.float32)
    return encode(f"/choreo/rotations/{who}", number, seconds, *numbers.tolist())


def encode_skeleton(who, skeleton):
    """Without rest bones, all offsets are 0."""
    offsets = np.zeros((len(skeleton), 3)) if skeleton.offsets is None else skeleton.offsets
    return encode(f"/choreo/skeleton/{who}", *(value for name, parent, offset in zip(
        skeleton.names, skeleton.parents, offsets.tolist()) for value in (name, parent, *offset)))


def bundle(*contents, seconds=0, fraction=1):
    parts = (struct.pack(">I", len(part)) + part for part in contents)
    return b"#bundle\0" + struct.pack(">II", seconds, fraction) + b"".join(parts)


def frame(number, pose, who="a", seconds=None):
    """A body as it is heard."""
    return Body(who, number, 1 + number * STEP if seconds is None else seconds, np.float64(pose).ravel())


def along(partner, poses, begin=0, now=100.0):
    """A partner's answers to poses that come when they should."""
    found = []
    for k, pose in enumerate(poses):
        partner.take(frame(begin + k, pose), now + k * STEP)
        found.append(partner.answer())
        partner.prepare()
    return found


# what is written is read

def test_positions_rotations_and_a_skeleton_come_back(duet):
    pose = duet.a.positions[5]
    said, = decode(encode_body("a", 7, 1.25, pose), 0)
    assert (said.who, said.frame, said.time, said.rotated) == ("a", 7, 1.25, False)
    np.testing.assert_array_equal(said.numbers.reshape(-1, 3), pose)
    said, = decode(encode_rotations("b", 8, 2.5, pose[0], duet.a.rotations[5]), 0)
    assert said.rotated and said.who == "b"
    np.testing.assert_array_equal(said.numbers[3:].reshape(-1, 4), duet.a.rotations[5])
    said, = decode(encode_skeleton("a", duet.a.skeleton), 0)
    assert isinstance(said, Joints) and said.skeleton.names == duet.a.skeleton.names
    np.testing.assert_allclose(said.skeleton.offsets, duet.a.skeleton.offsets, atol=1e-6)


def test_a_frame_fits_one_ethernet_frame_and_is_as_long_as_stated(duet):
    pose, turned = duet.a.positions[0], duet.a.rotations[0]
    sizes = [len(encode_body("a", 1, 1.0, pose)), len(encode_rotations("a", 1, 1.0, pose[0], turned))]
    assert sizes == [464, 628] and max(sizes) < 1472
    for size in sizes:
        assert f"{size}" in osc_messages.__doc__
    assert len(encode_skeleton("a", HYBRIK_29)) < osc_messages.MAX_BYTES


def test_numbers_of_numpy_and_doubles_of_others_are_read(duet):
    pose = duet.a.positions[0].astype(np.float64)
    said, = decode(encode_body("a", np.int64(3), np.float32(1.5), pose), 0)
    assert said.frame == 3
    doubles = b"/choreo/body/a\0\0,hd" + b"d" * 87 + b"\0\0" + struct.pack(">qd87d", 3, 1.5, *pose.ravel())
    other, = decode(doubles, 0)
    assert (other.frame, other.time) == (3, 1.5)
    np.testing.assert_array_equal(other.numbers, pose.ravel())


def test_a_bundle_is_opened_also_one_in_one(duet):
    one, other = (encode_body(who, 1, 1.0, duet.a.positions[0]) for who in "ab")
    for packet in (bundle(one, other), bundle(bundle(one), other)):
        assert [said.who for said in decode(packet, 0)] == ["a", "b"]
    assert reason(bundle(bundle(bundle(bundle(one))))) == "nested"


def test_a_bundle_of_the_future_is_not_kept_and_nobody_waits_for_it(duet):
    now, one = 1_900_000_000.0, encode_body("a", 1, 1.0, duet.a.positions[0])
    ntp = int(now) + osc_messages.NTP_TO_UNIX
    began = time.monotonic()
    assert reason(bundle(one, seconds=ntp + 5), now) == "future"
    for seconds in (ntp, ntp - 1000, 0):
        assert next(decode(bundle(one, seconds=seconds), now)).who == "a"
    assert time.monotonic() - began < 4


def bad(duet):
    """Packets that are wrong in one way each, and why."""
    pose = duet.a.positions[0]
    good = encode_body("a", 1, 1.0, pose)
    numbers = pose.ravel().tolist()
    return {
        b"": "malformed", b"\xff" * 40: "malformed", good[:-3]: "malformed", good[:232]: "malformed",
        b"/choreo/body/a": "malformed", good + b"\0" * 9000: "oversized", bundle(good)[:-4]: "malformed",
        encode("/other/body/a", 1, 1.0, *numbers): "unknown address", encode("/choreo/status", 1): "unknown address",
        encode("/choreo/body/c", 1, 1.0, *numbers): "unknown body", encode("/choreo/body", 1): "unknown body",
        encode("/choreo/body/a", "x", 1.0, *numbers): "wrong arguments", encode("/choreo/body/a"): "wrong arguments",
        encode("/choreo/body/a", 1, -1.0, *numbers): "wrong arguments",
        encode("/choreo/body/a", -1, 1.0, *numbers): "wrong arguments",
        encode("/choreo/body/a", 1, 1.0, float("nan"), *numbers[1:]): "not finite",
        encode("/choreo/body/a", 1, float("inf"), *numbers): "not finite",
        encode("/choreo/body/a", 1, 1.0, *(1000 * x for x in numbers)): "far away",  # in millimetres
        encode("/choreo/skeleton/a", "hips", 0, 0.0, 0.0, 0.0): "wrong arguments",
        encode("/choreo/skeleton/a", "hips", -1, 0.0, 0.0): "wrong arguments",
        b"/choreo/body/a\0\0,b\0\0\0\0\0\4abcd": "wrong arguments",
    }


def test_what_is_wrong_is_named(duet):
    for packet, why in bad(duet).items():
        assert reason(packet) == why and why in osc_messages.REASONS


def test_no_bytes_raise(duet):
    """Every truncation, every byte spoiled, and bytes of chance: each is a message or has a reason."""
    good = bundle(encode_body("a", 1, 1.0, duet.a.positions[0]), encode_skeleton("a", Skeleton(("hips", "x"), (-1, 0))))
    random = np.random.default_rng(0)
    packets = [good[:k] for k in range(0, len(good), 3)]
    for at in range(0, len(good), 2):
        packets.append(good[:at] + bytes([random.integers(256)]) + good[at + 1 :])
    packets += [start + random.bytes(int(random.integers(200))) for _ in range(500)
                for start in (b"", b"#bundle\0", b"/choreo/body/a\0\0,iff")]
    seen = set()
    for packet in packets:
        for said in decode(packet, 0):
            assert isinstance(said, Body | Joints | Ignored)
            if isinstance(said, Ignored):
                seen.add(str(said))
    assert "malformed" in seen and seen <= set(osc_messages.REASONS)


# the partner: order, rate, silence

def test_a_partner_is_the_models_stream(model, duet):
    poses = duet.a.positions[:25]
    found = along(LivePartner(model), poses)
    stream = model.stream(model.starting_pose(torch.from_numpy(poses[:1]), "b").expand(PAST, -1, -1, -1))
    for answer, pose in zip(found, poses):
        np.testing.assert_allclose(answer.pose, stream(pose).numpy(), atol=1e-4)
    assert [answer.frame for answer in found] == list(range(25))
    np.testing.assert_allclose([answer.time for answer in found], 1 + np.arange(25) * STEP)


def test_a_pair_begins_where_both_stand(model, duet):
    partner = LivePartner(model, pair=True)
    for k in range(PAST):
        assert partner.answer() is None and partner.state == "waiting"
        for who, pose in zip("ba", (duet.b.positions[k], duet.a.positions[k])):
            partner.take(frame(k, pose, who), 100 + k * STEP)
    found = along(partner, duet.a.positions[PAST:20], PAST, 100 + PAST * STEP)
    stream = model.stream(duet.positions[:PAST])
    for answer, pose in zip(found, duet.a.positions[PAST:20]):
        np.testing.assert_allclose(answer.pose, stream(pose).numpy(), atol=1e-4)
    partner.take(frame(20, duet.b.positions[20], "b"), 100 + 20 * STEP)
    assert partner.answer() is None and partner.ignored == {"the partner's": 1}


def test_late_doubled_and_far_frames_are_left_out(model, duet):
    poses = duet.a.positions
    partner, other = LivePartner(model), LivePartner(model)
    expected = along(other, poses[:30])
    along(partner, poses[:20])
    now = 100 + 19.5 * STEP
    for number, why in ((19, "doubled"), (5, "late"), (5000, "future")):
        partner.take(frame(number, poses[19] + 1), now)
        assert partner.answer() is None and partner.ignored[why] == 1
    partner.take(frame(20, poses[19] + 1, seconds=500.0), now)
    partner.take(frame(20, poses[19] + 1, seconds=1.0), now)
    assert partner.ignored == {"doubled": 1, "late": 2, "future": 2}
    for answer, wanted in zip(along(partner, poses[20:30], 20, 100 + 20 * STEP), expected[20:]):
        np.testing.assert_array_equal(answer.pose, wanted.pose)


def test_a_frame_that_never_came_is_held_when_the_next_one_comes(model, duet):
    poses = duet.a.positions
    partner, stream = LivePartner(model), None
    along(partner, poses[:10])
    stream = partner.stream
    partner.take(frame(12, poses[12]), 100 + 12 * STEP)
    assert partner.answer() is not None
    assert stream.held_frames == 2 and stream.frame_number == 13
    np.testing.assert_array_equal(stream.last_pose[0].numpy(), poses[12])


@pytest.mark.parametrize("rate, asked, held", ((60, 31, 0), (120, 31, 0), (25, 31, 5), (29.97, 31, 0), (30.2, 31, 0)))
def test_a_source_of_another_rate(model, duet, rate, asked, held):
    """A second of it makes a second of the partner: frames between are left out, gaps are held."""
    partner, t = LivePartner(model), 0
    while t / rate <= 1.001:
        partner.take(frame(t, duet.a.positions[t % 100], seconds=1 + t / rate), 100 + t / rate)
        partner.answer()
        t += 1
    assert abs(partner.stream.frame_number - asked) <= 1
    assert abs(partner.stream.held_frames - held) <= 1
    assert partner.ignored["between frames"] + partner.stream.frame_number == t + partner.stream.held_frames


def test_a_source_without_a_clock_goes_by_when_it_comes(model, duet):
    partner = LivePartner(model)
    for k in range(20):
        partner.take(frame(k, duet.a.positions[k], seconds=0.0), 100 + k * STEP)
        assert partner.answer() is not None
    assert partner.stream.held_frames == 0 and not partner.ignored


def test_silence_holds_the_partner_and_says_so(model, duet):
    poses = duet.a.positions
    partner = LivePartner(model)
    along(partner, poses[:10])
    last = 100 + 9 * STEP
    assert partner.state == "dancing" and partner.hold(last + 2 * STEP) is None
    found = []
    for k in range(90):  # three seconds
        found.append(partner.hold(last + (2.51 + k) * STEP))
    assert None not in found and partner.state == "holding" and partner.held == 90
    assert [answer.frame for answer in found] == list(range(10, 100))
    assert np.diff([answer.time for answer in found]).min() > 0
    assert partner.stream.held_frames == 30  # a second: then the partner stands
    for answer in found[30:]:
        np.testing.assert_array_equal(answer.pose, found[29].pose)
    # somebody comes again, who counts from 0
    partner.take(frame(0, poses[10]), last + 95 * STEP)
    assert partner.answer() is not None and partner.state == "dancing" and partner.held == 0 and not partner.ignored


def test_who_is_behind_answers_the_newest(model, duet):
    partner = LivePartner(model)
    along(partner, duet.a.positions[:5])
    for k in (5, 6, 7):
        partner.take(frame(k, duet.a.positions[k]), 100 + 7 * STEP)
    assert partner.answer() is not None and partner.answer() is None
    assert partner.ignored == {"overtaken": 2} and partner.stream.held_frames == 0
    np.testing.assert_array_equal(partner.stream.last_pose[0].numpy(), duet.a.positions[7])


def test_a_body_that_lies_or_of_other_units_is_no_dancer(model, duet):
    partner = LivePartner(model)
    for k, pose in enumerate((duet.a.positions[0][:, [0, 2, 1]], duet.a.positions[0] / 10)):
        partner.take(frame(k, pose), 100 + k * STEP)
        assert partner.answer() is None and partner.note
    assert partner.ignored == {"no dancer": 2} and partner.state == "waiting"
    partner.take(frame(2, duet.a.positions[2]), 100 + 2 * STEP)
    assert partner.answer() is not None


def test_joints_in_another_order_and_spelling_are_found_by_name(model, duet):
    order = [0, *range(len(HYBRIK_29) - 1, 0, -1)]
    names = HYBRIK_29.names

    def spelt(name):
        side, _, part = name.partition("_")
        return f"{side.title()}{part.title()}" if part else name.title()

    other = Skeleton(tuple(spelt(names[j]) for j in order) + ("prop",), (-1, *[0] * len(names[1:]), 0))
    partner, plain = LivePartner(model), LivePartner(model)
    partner.take(Joints("a", other), 99.0)
    for k in range(8):
        pose = duet.a.positions[k]
        partner.take(frame(k, np.concatenate([pose[order], pose[:1]])), 100 + k * STEP)
        plain.take(frame(k, pose), 100 + k * STEP)
        np.testing.assert_array_equal(partner.answer().pose, plain.answer().pose)


def test_rotations_are_the_positions_they_stand_for(model, duet):
    partner, plain = LivePartner(model), LivePartner(model)
    take = duet.a
    partner.take(frame(0, np.zeros(3 + 4 * 29)), 99)  # no rest bones are known yet
    partner.take(replace(frame(0, np.zeros(3 + 4 * 29)), rotated=True), 99)
    assert partner.ignored == {"other joints": 1, "wrong arguments": 1}
    partner.take(Joints("a", take.skeleton), 99)
    for k in range(8):
        numbers = np.concatenate([take.positions[k, 0], take.rotations[k].ravel()])
        partner.take(replace(frame(k, numbers), rotated=True), 100 + k * STEP)
        plain.take(frame(k, take.positions[k]), 100 + k * STEP)
        np.testing.assert_allclose(partner.answer().pose, plain.answer().pose, atol=1e-3)


def test_a_skeleton_that_lacks_joints_is_refused_in_words(model):
    partner = LivePartner(model)
    partner.take(Joints("a", Skeleton(("hips", "spine"), (-1, 0))), 0)
    assert partner.ignored == {"other joints": 1} and "left_hip" in partner.note


# the whole of it, over UDP on this computer

@pytest.fixture
def receiver():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        own.settimeout(20)
        yield own


@pytest.fixture
def running(model, receiver):
    """A live set at a port of this computer, in a thread; it ends with the test."""
    source = Datagrams("127.0.0.1", 0)
    page = live.LivePage(model.skeleton, 0)
    this = live.Live(LivePartner(model), source, [receiver.getsockname()], page, both=True)
    stop = threading.Event()
    thread = threading.Thread(target=this.run, kwargs={"stop": stop})
    thread.start()
    yield this
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
    this.close()


def until(true):
    """Wait for what another thread does; a slow computer has half a minute."""
    ends = time.monotonic() + 30
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.002)


def heard(receiver, who="b"):
    """The next body of that name that is sent."""
    while True:
        for said in decode(receiver.recv(9000), 0):
            if isinstance(said, Body) and said.who == who:
                return said


def test_frames_in_frames_out_and_whatever_else_comes_is_counted(running, receiver, duet):
    address = ("127.0.0.1", running.source.port)
    wrong = list(bad(duet))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for k in range(15):
            for packet in wrong:
                sender.sendto(packet, address)
            sender.sendto(encode_body("a", k, 1 + k * STEP, duet.a.positions[k]), address)
            until(lambda k=k: running.latencies.count == k + 1)
    partner, pose = running.partner, heard(receiver)
    assert partner.answered >= 15 and not partner.ignored["overtaken"]
    assert pose.frame == 0 and pose.numbers.shape == (87,)
    whys = set(bad(duet).values())
    assert len(whys) == 7
    for why in whys:
        assert partner.ignored[why] == 15 * list(bad(duet).values()).count(why)
    p50, p99 = running.latencies.percentiles()
    assert 0 < p50 <= p99 <= running.latencies.most
    said = running.report()
    assert "p99" in said and "malformed" in said


def test_silence_is_said_to_receivers_and_in_the_page(running, receiver, duet):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(encode_body("a", 0, 1.0, duet.a.positions[0]), ("127.0.0.1", running.source.port))
    states, ends = [], time.monotonic() + 20
    while "holding" not in states and time.monotonic() < ends:
        packet = receiver.recv(9000)
        if packet.startswith(b"/choreo/status\0"):
            states.append(next(word for word in ("waiting", "dancing", "holding") if word.encode() in packet))
    assert "holding" in states
    with urllib.request.urlopen(f"http://127.0.0.1:{running.page.port}/events", timeout=20) as events:
        while True:
            line = events.readline().decode()
            if line.startswith("data: ") and (told := json.loads(line[6:]))["state"] == "holding":
                break
    assert told["held"] >= 1 and set(told["bodies"]) == {"a", "b"} and np.shape(told["bodies"]["b"]) == (29, 3)
    with urllib.request.urlopen(f"http://127.0.0.1:{running.page.port}/", timeout=20) as page:
        text = page.read().decode()
    assert "EventSource" in text and "{{" not in text


def test_the_page_answers_only_who_asks_for_this_computer(running):
    url = f"http://127.0.0.1:{running.page.port}/events"
    asked = urllib.request.Request(url, headers={"Host": "elsewhere.example"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(asked, timeout=20)


def test_a_receiver_that_is_not_there_stops_nobody(model, duet):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        address = closed.getsockname()
    this = live.Live(LivePartner(model), Take(duet.a[:12]), [address])
    this.run()
    this.close()
    assert this.partner.answered >= 1 and this.source.ended


def test_a_take_is_given_at_its_own_rate(duet):
    take = Take(duet.a[:10])
    found = []
    while not take.ended:
        found += take.wait(1.0)
    assert len(found) == 10 and time.monotonic() - take.began > 9 * STEP - 0.001
    np.testing.assert_allclose(np.diff([when for when, _ in found]), STEP, atol=1e-6)
    assert [next(decode(packet, 0)).frame for _, packet in found] == list(range(10))


def test_latencies_keep_the_newest_in_fixed_memory():
    kept = live.Latencies(100)
    assert kept.percentiles() == (0.0, 0.0)
    for k in range(1000):
        kept.add(float(k))
    assert kept.percentiles() == (pytest.approx(949.5), pytest.approx(998.01)) and kept.most == 999


# the command

@pytest.mark.parametrize("words, said", (
    (["--in", "osc:x"], "--in must be osc:PORT"), (["--out", "9001"], "--out must be osc:PORT"),
    (["--in", "osc:70000"], "--in must be"), (["--model", "nobody"], "no weights"),
    (["--model", "solo-synthetic"], "does something else"), (["--in", "no_such_take"], "no_such_take")))  # fmt: skip
def test_what_cannot_be_done_is_said_in_a_line(words, said, capsys):
    assert main(["live", *words, "--seconds", "0"]) == 1
    assert said in capsys.readouterr().err


def test_a_file_to_a_receiver_by_the_command(receiver, capsys, tmp_path, duet):
    from choreo_lib.io import write_motion

    path = tmp_path / "dance.npz"
    write_motion(duet.a[:20], path)
    port = receiver.getsockname()[1]
    assert main(["live", "--in", str(path), "--out", f"osc:{port}", "--seconds", "20"]) == 0
    answer = heard(receiver)
    assert answer.numbers.shape == (87,) and answer.frame == 0
    assert "frames danced" in capsys.readouterr().out


def test_what_blender_reads_is_what_was_sent(duet):
    read = runpy.run_path(str(ROOT / "examples" / "live" / "blender_receiver.py"))["read"]
    address, numbers = read(encode_body("b", 4, 1.5, duet.b.positions[4]))
    assert (address, numbers[:2]) == ("/choreo/body/b", [4, 1.5])
    np.testing.assert_array_equal(np.reshape(numbers[2:], (-1, 3)), duet.b.positions[4])
    assert read(encode("/choreo/status", "dancing", 1)) == ("/choreo/status", [])
    assert read(b"") == read(b"/choreo") == read(encode_body("b", 4, 1.5, duet.b.positions[4])[:99]) == ("", [])


def test_the_page_of_the_book_states_the_sizes_and_reasons_that_there_are():
    page = (ROOT / "book" / "live.md").read_text(encoding="utf-8")
    for address in ("/choreo/body/a", "/choreo/rotations/a", "/choreo/skeleton/a", "/choreo/status"):
        assert address in page and address in osc_messages.__doc__
    assert "464 bytes, rotations 628" in page and f"{osc_messages.MAX_BYTES:,} bytes" in page
