import subprocess

import pytest

from tfmeta.runs.provenance import git_commit


@pytest.fixture
def checkout(tmp_path):
    """A repository with one commit of `package/a.py`, and an untracked folder."""

    def git(*arguments):
        subprocess.run(
            [
                *("git", "-C", str(tmp_path), "-c", "user.name=a"),
                *("-c", "user.email=a@b", *arguments),
            ],
            check=True,
            capture_output=True,
        )

    for name in ("package", "environment"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text("1\n")
    git("init")
    git("add", "package")
    git("commit", "-m", "one")
    return tmp_path


def test_the_commit_and_whether_files_have_changed(checkout):
    commit = git_commit(checkout / "package")
    assert commit is not None
    assert len(commit) == 40
    assert git_commit(checkout) == commit
    (checkout / "package" / "new.py").write_text("1\n")
    assert git_commit(checkout / "package") == commit
    (checkout / "package" / "a.py").write_text("2\n")
    assert git_commit(checkout / "package") == f"{commit}-dirty"


def test_what_git_does_not_track_has_no_commit(checkout):
    assert git_commit(checkout / "environment") is None


def test_outside_of_a_repository(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert git_commit() is None
