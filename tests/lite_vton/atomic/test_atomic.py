from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lite_vton.atomic import claim, claim_inside, complete, is_vacant, placing, whole_file, whole_folder, write_text
from lite_vton.errors import UserError

pytestmark = pytest.mark.slow

KILLER = Path(__file__).with_name("killed_at_each_line.py")

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs fork, signals and POSIX permissions")


def is_ours(folder: Path) -> bool:
    return (folder / "mark").is_file()


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def fill(folder: Path, content: str = "new") -> None:
    with whole_folder(folder, is_ours) as draft:
        (draft / "mark").write_text(content)


@posix
@pytest.mark.parametrize(("kind", "exists"), [("file", "new"), ("file", "existing"), ("folder", "new")])
def test_a_kill_at_any_line_leaves_the_old_or_the_new_and_the_next_command_works(
    kind: str, exists: str, tmp_path: Path
) -> None:
    assert kills(tmp_path, kind, exists, "exchange") > 20


@posix
@pytest.mark.parametrize("how", ["exchange", "journal"])
def test_a_kill_at_any_line_of_an_exchange_leaves_one_whole_folder_under_the_name(how: str, tmp_path: Path) -> None:
    assert kills(tmp_path, "folder", "existing", how) > 40


def kills(folder: Path, *how: str) -> int:
    done = subprocess.run(
        [sys.executable, str(KILLER), str(folder), *how, "4"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_failure_keeps_the_old_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    fill(tmp_path / "folder", "old")
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "a.txt") as draft:
        draft.rename(tmp_path / "no folder/a.txt")
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "folder", is_ours) as draft:
        (draft / "mark").write_text(str(1 / 0))
    assert (tmp_path / "a.txt").read_text() == "old"
    assert (tmp_path / "folder/mark").read_text() == "old"
    assert names(tmp_path) == ["a.txt", "folder"]


def test_folders_above_are_made_and_go_again_if_nothing_came(tmp_path: Path) -> None:
    write_text(tmp_path / "a/b/c.txt", "text")
    assert (tmp_path / "a/b/c.txt").read_text() == "text"
    with pytest.raises(RuntimeError), whole_file(tmp_path / "d/e/f.txt"):
        raise RuntimeError
    assert not (tmp_path / "d").exists()


def test_only_what_is_ours_or_vacant_is_replaced(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    fill(theirs)
    (theirs / "mark").rename(theirs / "thesis.doc")
    with pytest.raises(UserError, match="holds something else"):
        fill(theirs)
    assert (theirs / "thesis.doc").read_text() == "new"
    (tmp_path / "link").symlink_to(theirs)
    with pytest.raises(UserError, match="is a link"):
        fill(tmp_path / "link")


def test_a_folder_that_stopped_being_ours_during_the_work_is_kept(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds something else"), whole_folder(tmp_path / "x", is_ours):
        write_text(tmp_path / "x/thesis.doc", "theirs")
    assert names(tmp_path / "x") == ["thesis.doc"]


def test_a_second_writer_is_told_that_another_is_at_work(tmp_path: Path) -> None:
    second = f"""
from lite_vton.atomic import *
for taken in (claim({str(tmp_path / "out.png")!r}), whole_folder({str(tmp_path / "folder")!r}, lambda f: True)):
    try:
        with taken:
            print("written")
    except AtWorkError as error:
        print(error)
with claim({str(tmp_path / "third")!r}):
    print("free")
"""
    with claim(tmp_path / "out.png"), claim(tmp_path / "folder"):
        done = subprocess.run([sys.executable, "-c", second], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("another lite-vton is writing ") for line in lines[:2])
    assert lines[2] == "free"
    assert not names(tmp_path)


def test_a_claim_may_be_taken_again_by_its_own_process(tmp_path: Path) -> None:
    with claim(tmp_path / "a.txt"):
        write_text(tmp_path / "a.txt", "1")
        write_text(tmp_path / "a.txt", "2")
        assert len(names(tmp_path)) == 2
    assert names(tmp_path) == ["a.txt"]


def test_in_a_claimed_folder_drafts_lie_in_one_place(tmp_path: Path) -> None:
    with claim_inside(tmp_path / "run") as mine:
        with whole_file(tmp_path / "run/log.csv") as draft:
            assert draft.parent == mine.workspace
            draft.write_text("1")
        fill(tmp_path / "run/checkpoint")
        fill(tmp_path / "run/checkpoint")
        assert not is_vacant(tmp_path / "run")
    assert names(tmp_path / "run") == ["checkpoint", "log.csv"]


def test_a_claimed_folder_that_stays_empty_goes_again(tmp_path: Path) -> None:
    with claim_inside(tmp_path / "run"):
        assert is_vacant(tmp_path / "run")
    assert not names(tmp_path)


def test_threads_of_one_process_write_one_file_whole(tmp_path: Path) -> None:
    def write(text: str) -> None:
        for _ in range(20):
            write_text(tmp_path / "a.txt", text)

    threads = [threading.Thread(target=write, args=(letter * 1000,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "a.txt").read_text() in {letter * 1000 for letter in "abcd"}
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("letter", ["a", "ü", "服"])
def test_names_as_long_as_the_file_system_takes_are_written_and_longer_ones_refused(
    letter: str, tmp_path: Path
) -> None:
    longest = letter * ((255 - 4) // len(letter.encode())) + ".png"
    write_text(tmp_path / longest, "text")
    fill(tmp_path / longest.replace(".png", ".dir"))
    assert len(names(tmp_path)) == 2
    for name in (letter + longest, f"{letter * 300}/a.png"):
        with pytest.raises(UserError, match="choose a shorter one"), claim(tmp_path / name):
            pass


def test_a_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="too long"), claim(tmp_path.joinpath(*["a" * 200] * 30)):
        pass
    assert not names(tmp_path)


def test_what_cannot_be_written_to_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for name in ("file/a.png", "file/b/a.png", "folder", "/proc/a.png", "/dev/null"):
        with pytest.raises(UserError), whole_file(tmp_path / name):
            pytest.fail(f"{name} was begun")
    with pytest.raises(UserError, match="mounted"), whole_folder("/proc", is_ours):
        pytest.fail("begun")


@posix
def test_files_and_folders_get_the_mode_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with whole_file(tmp_path / "a") as draft:
            draft.write_text("text")
            draft.chmod(0o600)
        fill(tmp_path / "folder")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "folder/mark").stat().st_mode & 0o777 == 0o640


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "elsewhere/real.txt")
    write_text(tmp_path / "link.txt", "text")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "elsewhere/real.txt").read_text() == "text"


@posix
def test_a_full_disk_keeps_the_old_and_is_told_in_words(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    code = f"""
import resource, signal
from lite_vton.atomic import write_text
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
write_text({str(tmp_path / "a.txt")!r}, "new" * 1000)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "UserError: cannot write" in done.stderr
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_an_error_about_another_file_passes_unchanged(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), whole_file(tmp_path / "a.txt"):
        raise PermissionError(errno.EACCES, "denied", "/somewhere/else")


def test_leftovers_of_other_outputs_are_swept_but_for_living_ones(tmp_path: Path) -> None:
    with claim(tmp_path / "living") as living:
        draft = living.draft()
        draft.touch()
        for digest in ("0", "1"):
            (tmp_path / f".lite-vton-{digest}").mkdir()
        (tmp_path / ".lite-vton-0/lock").touch()
        (tmp_path / ".lite-vton-0/draft").mkdir()
        (tmp_path / ".lite-vton-0/draft/file").touch()
        code = f"from lite_vton.atomic import write_text; write_text({str(tmp_path / 'other')!r}, '')"
        subprocess.run([sys.executable, "-c", code], check=True)
        assert draft.exists()
        assert names(tmp_path) == [living.workspace.name, "other"]


def test_a_reader_completes_what_a_kill_left_between_two_renames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "exchange", lambda *_: False)
    fill(tmp_path / "folder", "old")
    code = f"""
import os, pathlib, signal
from lite_vton.atomic import placing, whole_folder
placing.exchange = lambda *_: False
rename = pathlib.Path.rename
def killed(self, target):
    rename(self, target)
    if str(target).endswith(".old"):
        os.kill(os.getpid(), signal.SIGKILL)
pathlib.Path.rename = killed
with whole_folder({str(tmp_path / "folder")!r}, lambda _: True) as draft:
    (draft / "mark").write_text("new")
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert not (tmp_path / "folder").exists()
    complete(tmp_path / "folder")
    assert (tmp_path / "folder/mark").read_text() == "new"
    assert names(tmp_path) == ["folder"]


@pytest.mark.parametrize("target", ["../outside", "/tmp/lite-vton-outside", "link/outside", ".", "..", "a/../../b"])
def test_a_strangers_journal_moves_nothing_out_of_its_folder(target: str, tmp_path: Path) -> None:
    place, outside = tmp_path / "in/place", tmp_path / "elsewhere"
    workspace = place / ".lite-vton-0"
    workspace.mkdir(parents=True)
    outside.mkdir()
    (place / "link").symlink_to(outside)
    (workspace / "bad").write_text("theirs")
    (workspace / "0.journal").write_text(f'{{"target": "{target}", "new": "bad", "old": "../../x"}}')
    write_text(place / "a.txt", "")
    assert names(place) == ["a.txt", "link"]
    assert not names(outside)
    assert names(tmp_path) == ["elsewhere", "in"]


@given(content=st.binary(max_size=200))
def test_damaged_journals_are_passed_over(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("place")
    (place / ".lite-vton-0").mkdir()
    (place / ".lite-vton-0/0.journal").write_bytes(content)
    write_text(place / "a.txt", "")
    assert names(place) == ["a.txt"]


def test_a_replaced_folder_may_be_read_only(tmp_path: Path) -> None:
    fill(tmp_path / "folder", "old")
    (tmp_path / "folder/sub").mkdir()
    (tmp_path / "folder/sub/file").touch()
    (tmp_path / "folder/sub").chmod(0o500)
    fill(tmp_path / "folder")
    assert names(tmp_path / "folder") == ["mark"]
    assert names(tmp_path) == ["folder"]


@posix
def test_journals_that_are_no_short_files_are_passed_over(tmp_path: Path) -> None:
    workspace = tmp_path / ".lite-vton-0"
    workspace.mkdir()
    os.mkfifo(workspace / "pipe.journal")  # nobody will ever write to it
    (workspace / "folder.journal").mkdir()
    (workspace / "deep.journal").write_text("[" * 60_000)
    (workspace / "long.journal").write_text(" " * 100_000 + "{}")
    fill(tmp_path / "out")
    assert names(tmp_path) == ["out"]
