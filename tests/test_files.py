"""Files on disk: the old file or the new one whatever happens, and one writer a folder."""

import errno
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from choreo_lib.core import files

ROOT = Path(__file__).parents[1]


class Trouble(Exception):
    """The error of whoever writes."""


def put(path, text="new"):
    with files.atomic_write(path, Trouble) as half:
        half.write_text(text)


def names(folder):
    return sorted(os.listdir(folder))


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_are_what_the_umask_says(tmp_path, mask):
    before = os.umask(mask)
    try:
        put(tmp_path / "a.txt")
        with open(tmp_path / "b.txt", "w"):
            pass
    finally:
        os.umask(before)
    a, b = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a.txt", "b.txt"))
    assert a == b == 0o666 & ~mask


def test_the_umask_is_never_touched(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask is the whole process's, threads and all"))
    put(tmp_path / "a.txt")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, ValueError, OSError, MemoryError])
def test_any_stop_leaves_the_old_file_and_no_half_one(tmp_path, stop):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(Trouble if stop is OSError else stop):
        with files.atomic_write(tmp_path / "a.txt", Trouble) as half:
            half.write_text("ne")
            raise stop
    assert names(tmp_path) == ["a.txt"] and (tmp_path / "a.txt").read_text() == "old"


def test_a_link_stays_a_link_and_its_file_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real" / "a.txt")
    put(tmp_path / "link.txt")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "real" / "a.txt").read_text() == "new"
    (tmp_path / "dangling.txt").symlink_to(tmp_path / "real" / "b.txt")
    put(tmp_path / "dangling.txt")
    assert names(tmp_path / "real") == ["a.txt", "b.txt"]


def test_a_folder_or_a_device_is_not_replaced(tmp_path):
    with pytest.raises(Trouble, match="folder or a device"):
        put(tmp_path)
    with pytest.raises(Trouble, match="folder or a device"):
        put(os.devnull)
    with pytest.raises(Trouble, match="cannot write into"):
        put(tmp_path / "nowhere" / "a.txt")
    assert not stat.S_ISREG(os.stat(os.devnull).st_mode)


def test_a_long_name_has_room_for_its_half(tmp_path):
    put(tmp_path / ("n" * 251 + ".txt"))
    assert len(names(tmp_path)) == 1


def test_it_is_on_the_disk_before_it_has_the_name(tmp_path, monkeypatch):
    seen = []
    real, move = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (seen.append("fsync"), real(handle)))
    monkeypatch.setattr(os, "replace", lambda a, b: (seen.append("replace"), move(a, b)))
    put(tmp_path / "a.txt")
    assert seen[:2] == ["fsync", "replace"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_a_disk_that_fails_at_the_very_end_is_a_failure(tmp_path, monkeypatch, number):
    (tmp_path / "a.txt").write_text("old")

    def fails(handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fails)
    full = "disk that holds .* is full.*Make room" if number != errno.EIO else os.strerror(errno.EIO)
    with pytest.raises(Trouble, match=f"{full}.*what was there before is untouched"):
        put(tmp_path / "a.txt")
    assert names(tmp_path) == ["a.txt"] and (tmp_path / "a.txt").read_text() == "old"


def test_two_writers_of_one_name_do_not_meet(tmp_path):
    with files.atomic_write(tmp_path / "a.txt") as one, files.atomic_write(tmp_path / "a.txt") as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "a.txt").read_text() == "one" and names(tmp_path) == ["a.txt"]


WRITES = textwrap.dedent("""
    import sys
    sys.path[:0] = [{root!r}]
    from choreo_lib.core import files
    for k in range(10 ** 9):
        with files.atomic_write(sys.argv[1], OSError) as half, half.open("wb") as file:
            for part in range(200):
                file.write(bytes([k % 256]) * 5000)
""")


@pytest.mark.skipif(files.fcntl is None, reason="needs the locks of a POSIX system")
def test_twenty_kills_leave_an_old_or_a_new_file_and_the_next_write_clears_up(tmp_path, monkeypatch):
    """A process that does nothing but write is killed at twenty moments, most of them in the middle of a file."""
    script, folder = tmp_path / "run.py", tmp_path / "out"
    script.write_text(WRITES.format(root=alone(tmp_path)))
    folder.mkdir()
    target, left, chance = folder / "a.bin", 0, np.random.default_rng(0)
    for kill in range(20):
        before = set(folder.glob(".writing-*"))
        run = subprocess.Popen([sys.executable, str(script), str(target)])
        wait_for(lambda before=before: set(folder.glob(".writing-*")) - before)
        time.sleep(chance.uniform(0, 0.03))
        run.send_signal(signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL
        if target.exists():
            content = target.read_bytes()
            assert len(content) == 1_000_000 and len(set(content)) == 1, f"kill {kill} left half a file"
        left = max(left, len(list(folder.glob(".writing-*"))))
    assert left, "no kill met a writer at work"
    monkeypatch.setattr(files, "STALE_AFTER", -1.0)
    with files.atomic_write(target) as half:  # a half file in use is nobody's to clear away
        half.write_bytes(b"x")
        put(target, "other")
        assert half.exists()
    assert names(folder) == ["a.bin"] and target.read_bytes() == b"x"


def wait_for(what, seconds=60):
    """Until something is so; the bound is only there so that a broken test ends."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.001)


HOLDS = textwrap.dedent("""
    import sys
    sys.path[:0] = [{root!r}]
    from choreo_lib.core import files
    with files.folder_lock(sys.argv[1]):
        print("held", flush=True)
        sys.stdin.read()
""")


def alone(folder):
    """The module without the library around it, whose import takes seconds; gives what to put first on the path."""
    module = folder / "alone" / "choreo_lib" / "core" / "files.py"
    module.parent.mkdir(parents=True)
    (module.parent / "__init__.py").touch()
    (module.parents[1] / "__init__.py").touch()
    module.write_text((ROOT / "choreo_lib" / "core" / "files.py").read_text(encoding="utf-8"), encoding="utf-8")
    return str(folder / "alone")


@pytest.fixture
def other_process(tmp_path):
    """A process that holds ``tmp_path / "out"``."""
    process = subprocess.Popen([sys.executable, "-c", HOLDS.format(root=alone(tmp_path)), str(tmp_path / "out")],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_folder_in_use_is_refused_with_the_process_and_free_when_that_dies(tmp_path, other_process):
    folder = tmp_path / "out"
    with pytest.raises(Trouble, match=f"out is in use by process {other_process.pid} on .*another folder"):
        with files.folder_lock(folder, Trouble):
            pytest.fail("two at once")
    other_process.kill()
    other_process.wait()
    assert names(folder) == [".lock"]  # what a crash leaves holds nobody up
    with files.folder_lock(folder, Trouble), files.folder_lock(folder, Trouble):
        assert names(folder) == [".lock"]
    assert names(folder) == []


def test_without_locks_of_the_system_the_file_names_who_holds_it(tmp_path, other_process, monkeypatch):
    """As on a network disk that has none: the process is looked for, and a dead one holds nobody up."""
    monkeypatch.setattr(files, "_lock", lambda handle: None)
    with pytest.raises(Trouble, match=f"in use by process {other_process.pid}.*something else, delete .*lock"):
        with files.folder_lock(tmp_path / "out", Trouble):
            pytest.fail("two at once")
    other_process.kill()
    other_process.wait()
    with files.folder_lock(tmp_path / "out", Trouble):
        pass
    (tmp_path / "out" / ".lock").write_text('{"pid": 1, "host": "a machine that was given back"}')
    with files.folder_lock(tmp_path / "out", Trouble):
        pass


@pytest.mark.parametrize("words", ["", "{", "[]", '{"pid": "x"}', '{"pid": -1, "host": 3}', '{"pid": 1e400}'])
def test_a_lock_file_of_nonsense_holds_nobody_up(tmp_path, words, monkeypatch):
    (tmp_path / ".lock").write_text(words)
    with files.folder_lock(tmp_path, Trouble):
        pass
    (tmp_path / ".lock").write_text(words)
    monkeypatch.setattr(files, "_lock", lambda handle: None)
    with files.folder_lock(tmp_path, Trouble):
        pass


@pytest.mark.skipif(files.fcntl is None, reason="Windows deletes no file that is open")
def test_a_lock_that_is_given_back_is_the_next_ones(tmp_path, monkeypatch):
    """Between the two there is a moment; whoever makes the file in it keeps it."""
    close = files.os.close

    def close_and_somebody_comes(handle):
        close(handle)
        (tmp_path / ".lock").write_text("somebody's")

    with files.folder_lock(tmp_path, Trouble):
        monkeypatch.setattr(files.os, "close", close_and_somebody_comes)
    monkeypatch.undo()
    assert (tmp_path / ".lock").read_text() == "somebody's"


def test_another_thread_is_another_writer(tmp_path):
    import threading

    said = []

    def second():
        try:
            with files.folder_lock(tmp_path, Trouble):
                said.append("in")
        except Trouble as trouble:
            said.append(str(trouble))

    with files.folder_lock(tmp_path, Trouble):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert said[0].startswith(f"{tmp_path} is in use by process {os.getpid()}")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Trouble, match="cannot write into"):
        with files.folder_lock(tmp_path / "file" / "out", Trouble):
            pass
