"""Data by name: what the registry says, what is fetched and compared, and what is said when that fails."""

from __future__ import annotations

import hashlib
import http.server
import re
import threading

import numpy as np
import pytest

import choreo_lib as cl
from choreo_lib.sets import fetching, registry, splits

BODY = bytes(range(256)) * 400


class Server:
    """A web server on this machine that serves, cuts short, or refuses, as told."""

    def __init__(self):
        self.body, self.cut, self.status, self.asked, self.sent = BODY, None, 200, 0, 0
        self.length, self.endless, self.stalls, self.packed = "as it is", False, "", None
        self.go = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked += 1
                if outer.stalls == "before the head":
                    outer.go.wait(60)
                self.send_response(outer.status)
                if outer.length is not None:
                    self.send_header("Content-Length", str(len(outer.body) if outer.length == "as it is"
                                                           else outer.length))
                if outer.packed:
                    self.send_header("Content-Encoding", outer.packed)
                self.end_headers()
                if outer.stalls:
                    self.wfile.write(outer.body[:10_000 if outer.stalls == "in the body" else 0])
                    while not outer.go.wait(0.02):  # drop by drop
                        self.wfile.write(b"x" if outer.stalls == "in the body" else b"")
                    return
                while outer.endless:
                    try:
                        self.wfile.write(bytes(100_000))
                        outer.sent += 100_000
                    except OSError:
                        return
                self.wfile.write(outer.body[:outer.cut])

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/one.bin"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, no folder of data, and no waiting between attempts."""
    monkeypatch.setenv("CHOREO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CHOREO_DATA", raising=False)
    monkeypatch.setattr(fetching, "RETRIES", 0)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    return tmp_path / "cache"


def register(monkeypatch, url, **fingerprint):
    """Make "one" a set of one file, and give the file's entry."""
    file = {"path": "sub/one.bin", "url": url, **fingerprint}
    entry = {"what": "bytes", "kind": "detections", "credit": "", "terms": "", "redistribute": False,
             "takes": {"": {"files": [file]}}}
    monkeypatch.setattr(registry, "entries", lambda: {"one": entry})
    return file


SHA = {"sha256": hashlib.sha256(BODY).hexdigest()}
BLOB = {"git_blob": hashlib.sha1(b"blob %d\0" % len(BODY) + BODY).hexdigest()}


def left(folder):
    """Every file in the cache, half ones included."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("fingerprint", [SHA, BLOB], ids=["sha256", "git blob"])
def test_fetched_once_and_compared(server, cache, monkeypatch, fingerprint):
    register(monkeypatch, server.url, **fingerprint)
    assert registry.missing("one")
    (path,) = registry.fetch("one")
    assert path.read_bytes() == BODY and left(cache) == ["sub/one.bin"]
    assert registry.fetch("one") == [path] and registry.data_path("one") == path
    assert server.asked == 1 and not registry.missing("one")


@pytest.mark.parametrize("fingerprint", [SHA, BLOB], ids=["sha256", "git blob"])
def test_wrong_content_is_thrown_away(server, cache, monkeypatch, fingerprint):
    register(monkeypatch, server.url, **fingerprint)
    server.body = BODY[:-1] + b"!"
    with pytest.raises(cl.DatasetError, match=r"sub/one\.bin was fetched .*not the file the registry knows.*again"):
        registry.fetch("one")
    assert left(cache) == []
    server.body = BODY
    assert registry.fetch("one")[0].read_bytes() == BODY


def test_interrupted_transfer(server, cache, monkeypatch):
    register(monkeypatch, server.url, **SHA)
    server.cut = 5000
    with pytest.raises(cl.DatasetError, match=r"could not be fetched: (the transfer broke off|no connection)"):
        registry.fetch("one")
    assert left(cache) == []
    server.cut = None
    assert registry.fetch("one")[0].read_bytes() == BODY


def test_a_second_attempt_is_made_by_itself(server, cache, monkeypatch):
    register(monkeypatch, server.url, **SHA)
    monkeypatch.setattr(fetching, "RETRIES", 1)
    monkeypatch.setattr("time.sleep", lambda seconds: setattr(server, "cut", None))  # the network comes back
    server.cut = 5000
    assert registry.fetch("one")[0].read_bytes() == BODY
    assert server.asked == 2


def test_stopped_by_hand(server, cache, monkeypatch):
    register(monkeypatch, server.url, **SHA)

    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fetching, "matches", stop)
        with pytest.raises(KeyboardInterrupt):
            registry.fetch("one")
    assert left(cache) == []
    assert registry.fetch("one")[0].read_bytes() == BODY


def test_no_network(server, cache, monkeypatch):
    register(monkeypatch, server.url, **SHA)
    server.close()
    with pytest.raises(cl.DatasetError, match=r"no connection to the server.*Check the network.*CHOREO_DATA"):
        registry.fetch("one")
    assert left(cache) == []


def test_gone_from_the_server(server, cache, monkeypatch):
    register(monkeypatch, server.url, **SHA)
    server.status = 404
    with pytest.raises(cl.DatasetError, match="the server answered 404"):
        registry.fetch("one")
    assert left(cache) == []


def test_full_disk(server, cache, monkeypatch):
    resource = pytest.importorskip("resource")
    register(monkeypatch, server.url, **SHA)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))  # as if no more fitted on the disk
    try:
        with pytest.raises(cl.DatasetError, match=r"disk that holds .* is full.*CHOREO_CACHE"):
            registry.fetch("one")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert left(cache) == []
    assert registry.fetch("one")[0].read_bytes() == BODY


@pytest.fixture
def impatient(monkeypatch):
    """Two more attempts than one, without waiting between them."""
    monkeypatch.setattr(fetching, "RETRIES", 2)
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def test_an_endless_body_stops_at_the_size_of_the_registry(server, cache, monkeypatch, impatient):
    """Whatever the server announces, or when it announces nothing."""
    register(monkeypatch, server.url, **SHA, bytes=len(BODY))
    for server.length in (None, 10**12, len(BODY)):
        server.asked, server.sent, server.endless = 0, 0, True
        with pytest.raises(cl.DatasetError, match="could not be fetched: .*(more than the|announces).*102,400"
                           if server.length != len(BODY) else "could not be fetched|not the file"):
            registry.fetch("one")
        assert server.asked == 1 and left(cache) == []
        assert server.sent < len(BODY) + 20_000_000  # what the sockets of this machine hold on the way


def test_of_an_unknown_size_there_is_a_most(server, cache, monkeypatch, impatient):
    register(monkeypatch, server.url, **BLOB)
    monkeypatch.setattr(fetching, "MOST_BYTES", 50_000)
    with pytest.raises(cl.DatasetError, match="announces 102,400 bytes, and the file has 50,000 at most"):
        registry.fetch("one")
    server.length = None
    with pytest.raises(cl.DatasetError, match="more than the 50,000 bytes"):
        registry.fetch("one")
    assert left(cache) == []


@pytest.mark.parametrize("where", ["before the head", "before the body", "in the body"])
def test_a_server_that_stalls_or_drips_ends_at_the_deadline(server, cache, monkeypatch, impatient, where):
    """A byte now and then keeps every timeout of a socket away; the deadline is for all of it."""
    register(monkeypatch, server.url, **SHA, bytes=len(BODY))
    monkeypatch.setattr(fetching, "DEADLINE", 0.5)
    server.stalls = where
    with pytest.raises(cl.DatasetError, match=r"could not be fetched: it was not here after .* seconds \(\d.* bytes"):
        registry.fetch("one")
    server.go.set()
    assert left(cache) == []


def test_a_file_of_another_size_is_thrown_away(server, cache, monkeypatch):
    register(monkeypatch, server.url, **SHA, bytes=len(BODY) + 1)
    with pytest.raises(cl.DatasetError, match="broke off after 102,400 of 102,401 bytes"):
        registry.fetch("one")
    assert left(cache) == []


@pytest.mark.parametrize("announced", [True, False])
def test_a_bomb_is_not_unpacked_not_once(server, cache, monkeypatch, impatient, announced):
    """50 MB packed into 50 kB: what comes is what is kept, and a wrong file is asked for once."""
    import gzip
    import zlib

    for name in ("decompress", "decompressobj"):
        monkeypatch.setattr(zlib, name, lambda *args, **more: pytest.fail("it was unpacked"))
    server.body = gzip.compress(bytes(50_000_000), 1)
    server.packed = "gzip" if announced else None
    register(monkeypatch, server.url, **SHA)
    with pytest.raises(cl.DatasetError, match="packs the file" if announced else "not the file the registry knows"):
        registry.fetch("one")
    assert server.asked == 1 and left(cache) == []


def test_what_is_fetched_has_the_permissions_of_an_ordinary_file(server, cache, monkeypatch, tmp_path):
    register(monkeypatch, server.url, **SHA)
    (path,) = registry.fetch("one")
    (tmp_path / "ordinary").write_text("")
    assert path.stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_a_folder_that_cannot_be_written(server, cache, monkeypatch, tmp_path):
    register(monkeypatch, server.url, **SHA)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CHOREO_CACHE", str(tmp_path / "file"))
    with pytest.raises(cl.DatasetError, match="CHOREO_CACHE"):
        registry.fetch("one")


def test_a_damaged_cache_is_fetched_again(server, cache, monkeypatch):
    register(monkeypatch, server.url, **SHA)
    (path,) = registry.fetch("one")
    path.write_bytes(b"cut")
    assert registry.missing("one")
    assert registry.fetch("one")[0].read_bytes() == BODY


def test_nothing_is_fetched_unless_it_can_be_compared(server, cache, monkeypatch):
    register(monkeypatch, server.url)
    with pytest.raises(cl.DatasetError, match="no fingerprint"):
        registry.fetch("one")
    assert server.asked == 0


def test_the_folder_comes_first_and_is_compared(server, cache, monkeypatch, tmp_path):
    register(monkeypatch, server.url, **SHA)
    mine = tmp_path / "mine" / "sub" / "one.bin"
    mine.parent.mkdir(parents=True)
    monkeypatch.setenv("CHOREO_DATA", str(tmp_path / "mine"))
    mine.write_bytes(BODY)
    assert registry.fetch("one") == [mine] and server.asked == 0
    mine.write_bytes(BODY[:-1])
    with pytest.raises(cl.DatasetError, match=r"one\.bin is not the file the registry knows"):
        registry.fetch("one")


@pytest.mark.parametrize("wrong, near", [("salza", "salsa"), ("salsa/Easy_1", "salsa/Easy_01"),
                                         ("ilya_hannah", "ilya-hannah"), ("synthetic/cannon", "synthetic/canon")])
def test_an_unknown_name_is_answered_with_near_ones(wrong, near):
    with pytest.raises(cl.DatasetError, match=rf"{wrong}.*did you mean .*{near}\b.*list_datasets"):
        cl.load_duet(wrong)


@pytest.mark.parametrize("name", ["", "/", "../../etc/passwd", "salsa/../salsa", "zzzz", "salsa/Easy_01/male/x"])
def test_odd_names_are_refused(name):
    with pytest.raises(cl.DatasetError, match="there is no data set"):
        registry.fetch(name)


def test_the_wrong_verb_is_told_the_right_one():
    with pytest.raises(cl.DatasetError, match=r"is a duet: use load_duet.*'salsa/Easy_01/male'"):
        cl.load_motion("salsa/Easy_01")
    with pytest.raises(cl.DatasetError, match="is one dancer: use load_motion"):
        cl.load_duet("cmu-fbx")
    for load in (cl.load_motion, cl.load_duet):
        with pytest.raises(cl.DatasetError, match="detections from video.*clean"):
            load("alphapose-raw")


def test_splits_do_not_meet():
    parts = cl.splits("salsa")
    assert parts["validation"] == ["salsa/Easy_03"] and parts["test"] == ["salsa/move_03_03"]
    assert parts["train"] == [f"salsa/{take}" for take in
                              ("Easy_01", "Easy_02", "Hard_04", "Medium_01", "Medium_02", "move_02_02")]
    assert parts["challenge"] == ["salsa/Medium_03", "salsa/Hard_05"]
    with pytest.raises(cl.DatasetError, match="not split"):
        cl.splits("ilya-hannah")


def test_the_registry_is_complete():
    for name, entry in registry.entries().items():
        assert {"what", "kind", "credit", "terms", "redistribute", "provenance"} <= set(entry), name
        assert entry["kind"] in ("duet", "motion", "detections"), name
        assert entry["redistribute"] is ("embedded" in entry), name  # only what we made may be published
        if "embedded" in entry:
            continue
        for take in entry["takes"].values():
            assert take.get("role", "train") in splits.ROLES
            for file in take["files"]:
                assert re.fullmatch(r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/[0-9a-f]{40}/.+", file["url"])
                assert re.fullmatch("[0-9a-f]{64}", file.get("sha256", "0" * 64)), file
                assert re.fullmatch("[0-9a-f]{40}", file.get("git_blob", "0" * 40)), file


def test_the_table_reads_well():
    table = cl.list_datasets()
    lines = repr(table).splitlines()
    assert len(lines) == len(table) + 1 and {row[0] for row in table} >= {"synthetic", "salsa", "ilya-hannah"}
    column = lines[0].index("terms")
    assert all(line[column - 2:column] == "  " for line in lines)
    assert table._repr_html_().count("<tr>") == len(table) + 1


def test_our_own_clips_may_be_published():
    duet = cl.load_duet("synthetic")
    assert duet.source == cl.OURS and duet.coupling is not None
    canon = cl.load_motion("synthetic/canon/a")
    assert np.array_equal(canon.positions, cl.load_duet("synthetic/canon").a.positions)


def test_salsa_knows_whose_it_is(real_data):
    real_data("salsa/Easy_01")
    duet = cl.load_duet("salsa/Easy_01")
    assert (len(duet), duet.fps, duet.a.name, duet.b.name) == (1452, 30, "male", "female")
    assert not duet.source.redistribute and "SIGGRAPH" in duet.source.credit and "never" in duet.source.terms
    assert duet[3:9].a.transformed(turn=1.0).source == duet.source
    female = cl.load_motion("salsa/Easy_01/female")
    assert np.array_equal(female.positions, duet.b.positions)


def test_every_set_here_loads_as_the_registry_says(real_data):
    for name in ("salsa", "ilya-hannah", "mariel-selected", "cmu-fbx"):
        real_data(name)
        entry = registry.entries()[name]
        for take, each in entry["takes"].items():
            if each.get("role") == "challenge":
                continue
            if name == "cmu-fbx":
                pytest.importorskip("ufbx")
            load = cl.load_duet if entry["kind"] == "duet" else cl.load_motion
            motion = load(f"{name}/{take}" if take else name)
            assert len(motion) == (each.get("frames") or len(motion)), (name, take)
            assert motion.fps == entry.get("fps", motion.fps) and motion.source.name == name
            if name == "mariel-selected":
                assert len(motion) == entry["frames"]


def test_a_source_is_had_without_reading():
    raw = registry.source("alphapose-raw")
    assert raw.name == "alphapose-raw" and raw.credit and not raw.redistribute
    assert registry.source("synthetic/canon").redistribute
    with pytest.raises(cl.DatasetError):
        registry.source("nothing")
