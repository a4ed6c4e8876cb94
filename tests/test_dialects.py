"""Every pose estimator's own way to write, made here from a dance that is known: read where 3-D, else named."""

import json
import pickle
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from cases import CASES

import choreo_lib as cl
from choreo_lib.body.skeleton import HYBRIK_29
from choreo_lib.io import landmarks, read_detections
from choreo_lib.io.joint_sets import BODY_25, BODY_25_ORDER, H36M_17
from choreo_lib.io.landmarks import _MIX

FRAMES, SIZE, FOCAL = 30, (1280, 720), 1400.0
DUET = cl.load_duet("synthetic/mirror")[:FRAMES]
H36M_FROM = ("pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine2",
             "neck", "jaw", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow",
             "right_wrist")  # fmt: skip
OPEN_FROM = {"mid_hip": "pelvis", "nose": "jaw", "right_eye": "head", "left_eye": "head", "right_ear": "head",
             "left_ear": "head", "left_smalltoe": "left_bigtoe", "right_smalltoe": "right_bigtoe",
             "left_heel": "left_ankle", "right_heel": "right_ankle"}  # fmt: skip


def world():
    """Both dancers, metres, Z up, [T, 2, 29, 3]."""
    return DUET.positions.astype(float)


def picked(names):
    return world()[:, :, [HYBRIK_29.index(name) for name in names]]


def camera(x):
    """The same in a camera's frame, X right, Y down, Z away, and its pixels; the camera stands 5 m away, 1 m high."""
    there = np.stack([x[..., 0], 1.0 - x[..., 2], x[..., 1] + 5.0], axis=-1)
    return there, FOCAL * there[..., :2] / there[..., 2:] + np.array(SIZE) / 2


def flat(joints, score=0.9):
    """Pixels of as many joints as asked for, each with a score, as one row of numbers a person: [T][2][3 * joints]."""
    pixels = camera(np.resize(world().transpose(2, 0, 1, 3), (joints, FRAMES, 2, 3)).transpose(1, 2, 0, 3))[1]
    rows = np.concatenate([pixels, np.full((*pixels.shape[:3], 1), score)], axis=-1)
    return rows.round(2).reshape(FRAMES, 2, -1).tolist()


def alphapose(joints=17, **more):
    return [{"image_id": f"{t}.jpg", "category_id": 1, "keypoints": row, "score": 2.9, "box": [1, 2, 3, 4],
             "idx": [1.0], **more} for t, rows in enumerate(flat(joints)) for row in rows]  # fmt: skip


def hybrik(**change):
    joints, pixels = camera(world())
    made = []
    for t in range(FRAMES):
        for k in range(2):
            low, high = pixels[t, k].min(axis=0), pixels[t, k].max(axis=0)
            made.append({"image_id": f"{t}.jpg", "score": 2.9, "box": [*low, *(high - low)], "idx": k + 1,
                         "keypoints": np.column_stack([pixels[t, k], np.ones(29)]).ravel().tolist(),
                         "pred_xyz_jts": (joints[t, k] - joints[t, k, 0])[:24].ravel().tolist(), **change})  # fmt: skip
    return made


def openpose(rows, key="pose_keypoints_2d"):
    return [{"version": 1.3, "people": [{"person_id": [-1], key: row} for row in people]} for people in rows]


def mmpose(points, meta=None, first=1):
    """The demo's form: frames count from 1; a box stands in a list of its own, as `split_instances` leaves it."""
    frames = [{"frame_id": t, "instances": [{"keypoints": person.tolist(), "keypoint_scores": [0.9] * len(person),
                                             "bbox": [[1, 2, 3, 4]], "bbox_score": 0.9} for person in people]}
              for t, people in enumerate(points, first)]  # fmt: skip
    return {"meta_info": meta or {}, "instance_info": frames}


def body25():
    """The dance as OpenPose's 25 joints, in OpenPose's order, [T, 2, 25, 3]."""
    return picked([OPEN_FROM.get(name, name) for name in BODY_25.names])[:, :, np.argsort(BODY_25_ORDER)]


def phalp(ghosts=False):
    joints, pixels = camera(body25())
    side, (width, height) = max(SIZE), SIZE
    shares = (pixels + ((side - width) // 2, (side - height) // 2)) / side
    more = np.zeros((FRAMES, 2, 20, 3))
    solid = np.concatenate([joints - joints[:, :, 8:9], more], axis=2)
    shares = np.concatenate([shares, more[..., :2] + 0.5], axis=2)
    tree = {f"vid/{t:06d}.jpg": {"3d_joints": solid[t].tolist(), "2d_joints": shares[t].reshape(2, 90).tolist(),
                                 "size": [[height, width]] * 2, "tid": [3, 7], "tracked_time": [0, 0],
                                 "conf": [0.9, 0.8], "bbox": [[1, 2, 3, 4]] * 2} for t in range(FRAMES)}  # fmt: skip
    if ghosts:
        for frame in list(tree.values())[10:15]:
            frame["3d_joints"][1], frame["tracked_time"][1] = (9 + np.zeros((45, 3))).tolist(), 4
    return tree


def shares_of(t):
    """33 landmarks whose mixtures are HybrIK's joints as nearly as can be: in the image (shares) and about the hips."""
    joints, pixels = camera(world()[t])
    back = np.linalg.pinv(_MIX)
    return back @ (pixels / SIZE), back @ (joints - joints[:, :1])


def mediapipe(kind="python", people=2):
    made = []
    for t in range(FRAMES):
        uv, xyz = (each[:people] for each in shares_of(t))
        flats = [[{"x": u, "y": v, "z": 0.0, "visibility": 0.9} for u, v in person] for person in uv.tolist()]
        solids = [[{"x": x, "y": y, "z": z, "visibility": 0.9} for x, y, z in person] for person in xyz.tolist()]
        names = {"python": ("pose_landmarks", "pose_world_landmarks"), "js": ("landmarks", "worldLandmarks"),
                 "old js": ("poseLandmarks", "poseWorldLandmarks"),
                 "old": ("pose_landmarks", "pose_world_landmarks")}.get(kind)  # fmt: skip
        if kind == "tensorflow":
            made.append([{"keypoints": [{**p, "x": p["x"] * SIZE[0], "y": p["y"] * SIZE[1], "score": 0.9} for p in f],
                          "keypoints3D": s} for f, s in zip(flats, solids)])  # fmt: skip
        elif kind == "old":  # one person: a list in an object
            made.append({names[0]: {"landmark": flats[0]}, names[1]: {"landmark": solids[0]}})
        elif kind == "old js":
            made.append({names[0]: flats[0], names[1]: solids[0]})
        else:
            made.append({names[0]: flats, names[1]: solids})
    return made


def saved(tmp_path, tree, name="found.json"):
    path = tmp_path / name
    path.write_text(json.dumps(tree))
    return path


def a_folder(tmp_path, frames):
    folder = tmp_path / "frames"
    folder.mkdir()
    for t, frame in enumerate(frames):
        (folder / f"clip_{t:012d}_keypoints.json").write_text(json.dumps(frame))
    return folder


def off(duet, names):
    """How far a duet's joints are from the truth, metres, at best over where the floor and the camera may be."""
    true = picked(names)
    there = duet.positions
    return np.linalg.norm((there - there.mean((0, 1, 2))) - (true - true.mean((0, 1, 2))), axis=-1).mean()


# ---- 2-D: named, with the way on

FLAT = {
    "AlphaPose": lambda: alphapose(17), "AlphaPose, 26": lambda: alphapose(26),
    "AlphaPose, 136": lambda: alphapose(136),
    "AlphaPose (--format cmu)": lambda: {f"{t}.jpg": {"version": "AlphaPose v0.3", "bodies": [{"joints": row}
                                                                                             for row in rows]}
                                         for t, rows in enumerate(flat(18))},
    "AlphaPose (--format open)": lambda: {f"{t}.jpg": {"version": "AlphaPose v0.3", "people": [
        {"pose_keypoints_2d": row} for row in rows]} for t, rows in enumerate(flat(18))},
    "OpenPose": lambda: openpose(flat(25))[0], "OpenPose, a list": lambda: openpose(flat(25)),
    "OpenPose, of old": lambda: openpose(flat(18), "pose_keypoints")[0],
    "OpenPose, nobody first": lambda: [{"version": 1.3, "people": []}, *openpose(flat(25))],
    "MMPose": lambda: mmpose(camera(world())[1]),
    "MMPose, a video": lambda: mmpose(camera(world())[1])["instance_info"],
    "MMPose, an image": lambda: mmpose(camera(world())[1])["instance_info"][0]["instances"],
    "a COCO results file": lambda: [{"image_id": t, "category_id": 1, "keypoints": row, "score": 0.9}
                                    for t, rows in enumerate(flat(17)) for row in rows],
    "COCO annotations": lambda: {"images": [], "annotations": [{"image_id": 1, "keypoints": flat(17)[0][0]}]},
    "Ultralytics YOLO": lambda: [{"name": "person", "class": 0, "confidence": 0.9, "box": {"x1": 1, "y1": 2},
                                  "keypoints": {"x": [1.0] * 17, "y": [2.0] * 17, "visible": [1.0] * 17}}],
    "TensorFlow.js": lambda: [[{"score": 0.9, "keypoints": [{"x": 1, "y": 2, "score": 0.5, "name": "nose"}] * 17}]] * 9,
}  # fmt: skip


@pytest.mark.parametrize("read", [cl.read_motion, cl.read_duet, read_detections, lambda path: cl.clean(path, 30)],
                         ids=["motion", "duet", "detections", "clean"])  # fmt: skip
@pytest.mark.parametrize("kind", FLAT)
def test_key_points_in_2d_are_named_and_the_way_on_is_told(tmp_path, kind, read):
    with pytest.raises(cl.MotionFormatError) as caught:
        read(saved(tmp_path, FLAT[kind]()))
    said = str(caught.value)
    assert said.startswith("found.json: ") and f"of {kind.partition(',')[0]}" in said and "2-D only" in said
    assert "3-D estimator" in said and "HybrIK" in said and "choreo_lib.clean(path, fps)" in said


@pytest.mark.parametrize("joints, name", [(17, "17 joints a person, COCO"), (26, "26 joints a person, Halpe")])
def test_the_joint_set_is_named(tmp_path, joints, name):
    with pytest.raises(cl.MotionFormatError, match=name):
        read_detections(saved(tmp_path, alphapose(joints)))


@pytest.mark.parametrize("read", [cl.read_motion, cl.read_duet, read_detections, lambda path: cl.clean(path, 30)])
def test_a_folder_with_a_file_a_frame_is_told_too(tmp_path, read):
    with pytest.raises(cl.MotionFormatError, match="OpenPose in 2-D only .25 joints.*choreo_lib.clean"):
        read(a_folder(tmp_path, openpose(flat(25))))


def test_a_folder_that_holds_no_detections_is_a_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(cl.MotionFormatError, match="expected a file, and .*empty is a folder"):
        cl.read_motion(tmp_path / "empty")
    with pytest.raises(cl.MotionFormatError, match="one .json file a frame"):
        cl.clean(tmp_path / "empty", 30)


@pytest.mark.parametrize("tree", [{"a": 1}, [{"joint": 1}], [{}], [[]], [[[]]], "word", 5, [None], {"people": 3},
                                  {"instance_info": 5}, {"instance_info": [4]}, [{"pred_xyz_jts": 4}, 3],
                                  {"x.jpg": {"3d_joints": 5}}, {"instance_info": [{"instances": [{"keypoints": []}]}]},
                                  [{"pose_landmarks": 4, "pose_world_landmarks": "abc"}]])  # fmt: skip
@pytest.mark.parametrize("read", [cl.read_motion, cl.read_duet, read_detections,
                                  lambda path: cl.clean(path, 30, image_size=SIZE)])  # fmt: skip
def test_what_is_none_of_these_is_refused_in_words(tmp_path, tree, read):
    with pytest.raises(cl.MotionFormatError, match="found.json: "):
        read(saved(tmp_path, tree))


# ---- 3-D: read

@pytest.mark.parametrize("idx", [None, [], [[]], [1.0], [[1.0], [1.0]], [[[2]]]])
def test_a_trackers_number_may_be_missing_or_nested(tmp_path, idx):
    told = hybrik(idx=idx)
    for record in told if idx is None else ():
        del record["idx"]
    found = read_detections(saved(tmp_path, told))
    one = [1, 2] if idx in (None, [], [[]]) else [2, 2] if idx == [[[2]]] else [1, 1]
    assert found.person.tolist() == one * FRAMES
    plain = cl.clean(saved(tmp_path, hybrik(), "plain.json"), 30, FOCAL and None, FOCAL, SIZE)[0]
    duet, _ = cl.clean(found, 30, focal=FOCAL, image_size=SIZE)
    np.testing.assert_array_equal(duet.positions, plain.positions)
    assert off(duet, HYBRIK_29.names[:24]) < 0.02


def lifted(mirror=True, hips=False):
    """What MMPose's inferencer writes: axes exchanged as there, a mirror image; feet on the floor."""
    points = picked(H36M_FROM)
    points = points - (points[:, :, :1] * (1, 1, 0) if hips else 0)
    return points * (-1, 1, 1) if mirror else points


META = {"dataset_name": "h36m", "keypoint_id2name": {str(j): f"named_{name}" if j > 6 else name
                                                     for j, name in enumerate(H36M_17.names)},
        "skeleton_links": [[p, j] for p, j in H36M_17.bones]}  # fmt: skip


@pytest.mark.parametrize("meta", [None, META])
@pytest.mark.parametrize("mirror", [True, False])
def test_mmpose_3d_is_read_and_its_mirror_image_turned_back(tmp_path, mirror, meta):
    found = read_detections(saved(tmp_path, mmpose(lifted(mirror), meta)))
    assert found.tool == "MMPose" and found.skeleton.parents == H36M_17.parents
    assert found.skeleton.names[8] == ("thorax" if meta is None else "named_thorax")
    np.testing.assert_allclose(found.pred_xyz_jts, lifted(False).reshape(-1, 17, 3))
    assert any("mirror" in note for note in found.notes) == mirror
    duet, report = cl.clean(saved(tmp_path, mmpose(lifted(mirror), meta)), 30)
    assert off(duet, H36M_FROM) < 0.02 and report.up == "z" and len(duet) == FRAMES
    assert any("mirror" in note for note in duet.a.notes) == mirror


@pytest.mark.parametrize("mirror", [True, False])
def test_a_mirror_image_is_known_by_joints_in_any_spelling(tmp_path, mirror):
    spelt = {j: name.title().replace("_", "") for j, name in META["keypoint_id2name"].items()}
    found = read_detections(saved(tmp_path, mmpose(lifted(mirror), META | {"keypoint_id2name": spelt})))
    assert "LeftFoot" in found.skeleton.names and any("mirror" in note for note in found.notes) == mirror
    np.testing.assert_allclose(found.pred_xyz_jts, lifted(False).reshape(-1, 17, 3))


def test_mmpose_leaves_nobody_a_place_and_that_is_told(tmp_path):
    with pytest.raises(cl.MotionFormatError, match="one and the same place.*AlphaPose/HybrIK"):
        cl.clean(saved(tmp_path, mmpose(lifted(hips=True))), 30)
    alone = mmpose(lifted(hips=True)[:, :1])
    for tree in (alone, alone["instance_info"]):
        motion = cl.read_motion(saved(tmp_path, tree), fps=30, scale=1)
        np.testing.assert_allclose(motion.positions, lifted(False, hips=True)[:, 0], atol=1e-6)
    with pytest.raises(cl.MotionFormatError, match="several people .MMPose.*choreo_lib.clean"):
        cl.read_motion(saved(tmp_path, mmpose(lifted())))
    alone["instance_info"][7]["instances"] = []
    with pytest.raises(cl.MotionFormatError, match="after frame 7 comes 9"):
        cl.read_motion(saved(tmp_path, alone))


def test_a_folder_of_mmpose_images_is_read(tmp_path):
    folder = a_folder(tmp_path, [frame["instances"] for frame in mmpose(lifted())["instance_info"]])
    assert off(cl.clean(folder, 30)[0], H36M_FROM) < 0.02


def test_openposes_3d_module_is_read(tmp_path):
    there = camera(body25())[0]
    rows = np.concatenate([there, np.ones((FRAMES, 2, 25, 1))], axis=-1).reshape(FRAMES, 2, 100).tolist()
    rows[5][1][:4] = [0, 0, 0, 0]  # a joint that was not found
    frames = openpose(rows, "pose_keypoints_3d")
    for path in (a_folder(tmp_path, frames), saved(tmp_path, frames)):
        found = read_detections(path)
        assert len(found) == 2 * FRAMES - 1 and found.skeleton is BODY_25 and found.keypoints is None
        duet, report = cl.clean(path, 30)
        assert off(duet, [OPEN_FROM.get(name, name) for name in BODY_25.names]) < 0.02
        assert report.up == "-y" and not report.up_stated and report.filled.sum() == 1


def test_phalps_tracks_saved_as_json_are_read_without_their_ghosts(tmp_path):
    for ghosts in (False, True):
        path = saved(tmp_path, phalp(ghosts))
        found = read_detections(path)
        assert len(found) == 2 * FRAMES - 5 * ghosts and set(found.person) == {3, 7}
        duet, report = cl.clean(path, 30, focal=FOCAL, image_size=SIZE)
        assert off(duet, [OPEN_FROM.get(name, name) for name in BODY_25.names]) < 0.03
        assert report.filled.sum() == 5 * ghosts


@pytest.mark.parametrize("suffix", [".pkl", ".pk", ".joblib"])
def test_a_pickle_is_not_opened_and_the_lines_that_help_are_told(tmp_path, suffix):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("it was opened",))

    data = pickle.dumps({"3d_joints": [1.0], "trap": Trap()})
    for written in (data, zlib.compress(data)):
        (tmp_path / f"tracks{suffix}").write_bytes(written)
        for read in (cl.read_motion, cl.read_duet, read_detections, lambda path: cl.clean(path, 30)):
            with pytest.raises(cl.MotionFormatError, match="tracks of 4DHumans/PHALP.*joblib.load.*clean"):
                read(tmp_path / f"tracks{suffix}")


def test_the_lines_that_help_make_what_is_read(tmp_path):
    """The advice on pickles is run as it stands, on tracks as PHALP keeps them, in arrays."""
    (tmp_path / "tracks.pkl").write_bytes(b"3d_joints")
    with pytest.raises(cl.MotionFormatError) as caught:
        cl.clean(tmp_path / "tracks.pkl", 30)
    lines = str(caught.value).partition("run: ")[2].partition("; then ")[0]
    tracks = {name: {key: [np.array(x) for x in value] for key, value in frame.items()} | {"shot": 0, "mask": [{}] * 2}
              for name, frame in phalp().items()}  # fmt: skip
    lines = lines.replace("import json, joblib, numpy; ", "").replace("'tracks.json'", "where")
    exec(lines, {"json": json, "numpy": np, "where": tmp_path / "tracks.json",
                 "joblib": SimpleNamespace(load=lambda _: tracks)})  # fmt: skip
    assert len(read_detections(tmp_path / "tracks.json")) == 2 * FRAMES


@pytest.mark.parametrize("kind", ["python", "js", "tensorflow"])
def test_mediapipes_results_saved_as_json_are_read(tmp_path, kind):
    path = saved(tmp_path, mediapipe(kind))
    duet, report = cl.clean(path, 30, focal=FOCAL, image_size=SIZE)
    true = [landmarks.records(frame, t, SIZE) for t, frame in enumerate(mediapipe())]
    again, _ = cl.clean(saved(tmp_path, [row for rows in true for row in rows], "rows.json"), 30, focal=FOCAL,
                        image_size=SIZE)  # fmt: skip
    np.testing.assert_allclose(duet.positions, again.positions, atol=1e-3)
    with pytest.raises(cl.MotionFormatError, match=r"image_size=\(width, height\)"):
        cl.clean(path, 30)


@pytest.mark.parametrize("kind", ["python", "js", "old", "old js", "tensorflow"])
def test_records_take_every_form_of_mediapipe(kind):
    def as_object(x):
        return SimpleNamespace(**{k: as_object(v) for k, v in x.items()}) if isinstance(x, dict) else (
            [as_object(v) for v in x] if isinstance(x, list) else x)

    wanted = landmarks.records(mediapipe(people=1)[3], 3, SIZE)
    got = mediapipe(kind, people=1)[3]
    forms = [got] if kind == "tensorflow" else [got, as_object(got)]
    if kind in ("old js", "js"):
        forms = forms[:1]  # JavaScript knows only the one
    for form in forms:
        for row, true in zip(landmarks.records(form, 3, SIZE), wanted, strict=True):
            assert row["image_id"] == true["image_id"] and row["idx"] == 1
            np.testing.assert_allclose(row["pred_xyz_jts"], true["pred_xyz_jts"], atol=1e-6)
            np.testing.assert_allclose(row["keypoints"], true["keypoints"], atol=0.011)
    nobody = {"old": {"pose_landmarks": None, "pose_world_landmarks": None}, "tensorflow": []}.get(
        kind, {"pose_landmarks": [], "pose_world_landmarks": []})  # fmt: skip
    assert kind == "tensorflow" or landmarks.records(nobody, 0, SIZE) == []


def test_records_are_in_pixels_of_the_image_and_metres_about_the_pelvis():
    point = {"x": 0.25, "y": 0.5, "z": 0.0, "visibility": 0.9}
    solid = [{"x": 0.01 * k, "y": 1.0, "z": 2.0, "visibility": 0.9} for k in range(33)]
    (record,) = landmarks.records({"pose_landmarks": [[point] * 33], "pose_world_landmarks": [solid]}, 0, SIZE)
    np.testing.assert_allclose(np.reshape(record["keypoints"], (29, 3)), [[320, 360, 0.9]] * 29)
    hips = np.reshape(record["pred_xyz_jts"], (24, 3))[:3]  # landmarks 23 and 24, and between them the pelvis
    np.testing.assert_allclose(hips, [[0, 0, 0], [-0.005, 0, 0], [0.005, 0, 0]], atol=1e-6)


def test_records_say_what_they_take():
    for wrong in (None, 5, "abc", {}, {"pose_landmarks": [[]]}):
        with pytest.raises(cl.MotionFormatError, match="pose_world_landmarks"):
            landmarks.records(wrong, 0, SIZE)
    for size in (None, 5, (1,), (0, 5), ("a", "b"), (np.nan, 5)):
        with pytest.raises(cl.MotionFormatError, match="size"):
            landmarks.records(mediapipe()[0], 0, size)


def test_a_list_of_results_needs_no_file():
    results = [SimpleNamespace(**frame) for frame in mediapipe()]
    wanted = cl.clean([row for t, r in enumerate(results) for row in landmarks.records(r, t, SIZE)], 30)[0]
    np.testing.assert_array_equal(cl.clean(results, 30, image_size=SIZE)[0].positions, wanted.positions)


# ---- spoiled on purpose

ODD = (None, True, -1, 0, 2.5, 1e300, 10**400, "", "x", [], {}, [[]], [1, 2, 3], {"x": 1}, [None], ["a"] * 3)


def places(tree, path=()):
    """Where something stands in a tree, as paths; of long lists the first two and the last."""
    keys = list(tree)[:6] if isinstance(tree, dict) else sorted({0, 1, len(tree) - 1}) if isinstance(tree, list) else ()
    for key in keys:
        if isinstance(tree, dict) or 0 <= key < len(tree):
            yield (*path, key)
            yield from places(tree[key], (*path, key))


@pytest.mark.parametrize("kind", ["hybrik", "mmpose", "phalp", "mediapipe", "openpose", *FLAT])
def test_spoiled_trees_are_refused_in_words(kind):
    rng = np.random.default_rng(len(kind))
    made = {"hybrik": hybrik, "mmpose": lambda: mmpose(lifted(), META), "phalp": phalp, "mediapipe": mediapipe,
            "openpose": lambda: openpose(np.ones((FRAMES, 2, 100)).tolist(), "pose_keypoints_3d")} | FLAT  # fmt: skip
    text, read = json.dumps(made[kind]()), 0
    for _ in range(15):
        tree = json.loads(text)
        for _ in range(rng.integers(1, 4)):
            where = list(places(tree))
            *way, last = where[rng.integers(len(where))] if where else (None,)
            inner = tree
            for key in way:
                inner = inner[key]
            if last is None or not isinstance(inner, (dict, list)):
                break
            inner[last] = json.loads(json.dumps(ODD[rng.integers(len(ODD))]))
        try:
            read += bool(read_detections(tree, SIZE))
        except cl.MotionFormatError:
            pass
    assert read < 15


# ---- inputs that showed a fault

@pytest.mark.skipif(CASES is None, reason="../shared/cases is not here")
@pytest.mark.parametrize("name, said", [
    ("j_alphapose_coco17.json", "AlphaPose in 2-D only .17 joints"), ("ap_2d_only.json", "AlphaPose in 2-D only"),
    ("ap_format_cmu.json", "AlphaPose .--format cmu. in 2-D only"), ("j_openpose", "OpenPose in 2-D only .25 joints")])
def test_cases_in_2d(name, said):
    for read in (cl.read_motion, read_detections, lambda path: cl.clean(path, 30)):
        with pytest.raises(cl.MotionFormatError, match=f"{said}.*HybrIK.*choreo_lib.clean"):
            read(CASES / name)


@pytest.mark.skipif(CASES is None, reason="../shared/cases is not here")
def test_records_in_a_box_are_read_as_without(tmp_path):
    told = json.loads(saved(tmp_path, hybrik()).read_text())
    want = read_detections(told)
    for boxed in ({"frames": told}, {"predictions": told},
                  {row["image_id"]: [r for r in told if r["image_id"] == row["image_id"]] for row in told}):
        found = read_detections(boxed)
        assert found.tool == want.tool and found.image_id == want.image_id
        np.testing.assert_array_equal(found.pred_xyz_jts, want.pred_xyz_jts)


def test_mediapipes_landmarks_without_the_world_are_called_so():
    points = [{"x": 0.5, "y": 0.5, "z": 0.0, "visibility": 1.0}] * 33
    for tree, word in (([{"pose_landmarks": [points]}] * 9, "pose_landmarks without"), ([points] * 9, "bare lists")):
        with pytest.raises(cl.MotionFormatError, match=f"{word}.*pose_world_landmarks.*landmarks.records"):
            read_detections(tree)


@pytest.mark.skipif(CASES is None, reason="../shared/cases is not here")
def test_case_of_nested_idx(tmp_path):
    nested = json.loads((CASES / "j_idx_nested.json").read_text())
    plain = saved(tmp_path, [{**row, "idx": 1} for row in nested])
    np.testing.assert_array_equal(cl.clean(CASES / "j_idx_nested.json", 30)[0].positions,
                                  cl.clean(plain, 30)[0].positions)  # fmt: skip
