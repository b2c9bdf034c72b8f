"""Places of weights: folders, repositories in the cache, and repositories that are not there."""

from __future__ import annotations

import logging

import pytest

from lst_robust.errors import CheckpointError, UsageError
from lst_robust.models.external.hub import Place, folder_place, quiet_hub, repository_place, require_safetensors

pytest.importorskip("huggingface_hub")


@pytest.fixture
def cached(tmp_path):
    """cached(*files) -> the place of a repository that has these files in the cache."""

    def make(*files):
        repository, commit = tmp_path / "hub" / "models--owner--name", "0" * 40
        snapshot = repository / "snapshots" / commit
        snapshot.mkdir(parents=True)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(commit)
        for file in files:
            (snapshot / file).write_text("")
        return repository_place("net", "owner/name")

    return make


def test_a_repository_may_have_a_revision():
    assert repository_place("net", "owner/name") == Place("owner/name")
    assert repository_place("net", "own.er/na-me_1@v1.0") == Place("own.er/na-me_1", "v1.0")


@pytest.mark.parametrize("text", ["", "name", "a/b/c", "/name", "owner/", "owner/name@", "owner/na me", "../name/x"])
def test_other_texts_are_no_repository(text):
    with pytest.raises(UsageError, match="give OWNER/NAME, or a folder"):
        repository_place("net", text)


@pytest.mark.parametrize("file", ["model.safetensors", "model.safetensors.index.json"])
def test_safetensors_are_found_in_a_folder_and_in_the_cache(tmp_path, cached, file):
    require_safetensors("net", cached("config.json", file))
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / file).write_text("")
    require_safetensors("net", folder_place("net", str(tmp_path)))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["pytorch_model.bin"], "has only pytorch_model.bin, which may hold code"),
        (["tf_model.h5"], "has only tf_model.h5"),
        ([], "has no model.safetensors"),
    ],
)
def test_other_weights_are_refused_in_a_folder(tmp_path, files, words):
    for file in ["config.json", *files]:
        (tmp_path / file).write_text("{}")
    with pytest.raises(CheckpointError, match=words):
        require_safetensors("net", folder_place("net", str(tmp_path)))


def test_a_repository_without_safetensors_is_refused(monkeypatch):
    """The hub says so when it is asked."""
    from huggingface_hub.errors import EntryNotFoundError

    def answer(*_, **__):
        raise EntryNotFoundError("404")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", answer)
    with pytest.raises(CheckpointError, match=r"net has no model.safetensors: take another version of it"):
        require_safetensors("net", Place("owner/name"))


def test_the_hubs_client_is_only_quiet_while_it_is_asked(capsys):
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    with quiet_hub():
        assert not logger.isEnabledFor(logging.WARNING)
        print("progress")
    assert logger.level == before
    assert capsys.readouterr() == ("", "progress\n")


def test_without_a_network_a_line_says_how_to_fetch_it(cached):
    for place in (Place("other/name"), cached("config.json")):
        with pytest.raises(
            CheckpointError, match=f"run `hf download {place.where}` and copy the folder of HF_HOME"
        ) as error:
            require_safetensors("net", place)
        assert "\n" not in str(error.value)
