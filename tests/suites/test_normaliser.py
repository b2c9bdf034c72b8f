"""Normalisers: the published one, and files of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lst_robust.benchmark import CORRUPTIONS
from lst_robust.errors import UsageError
from lst_robust.published import pipeline_difference
from lst_robust.suites import load_normaliser, load_suite
from lst_robust.suites.normaliser import NAMED, caution, published_normaliser

MEASURED = {"name": "mine", "clean_error": 10.0, "errors": {"fog": [10, 20, 30, 40, 50.5]}, "made_with": {"n": 100}}


def normaliser_file(folder: Path, **changes: object) -> Path:
    (folder / "n.yaml").write_text(yaml.safe_dump(MEASURED | changes))
    return folder / "n.yaml"


def test_the_published_normaliser_by_name():
    assert load_suite("imagenet-c").normaliser == published_normaliser()
    assert load_suite("imagenet-c-jpeg").normaliser == published_normaliser()
    assert load_suite("imagenet-c-generated").normaliser is None, "it belongs to images that went through JPEG"


def test_the_published_errors_are_percentages_of_all_corruptions():
    published = published_normaliser()
    assert set(published.errors) == set(CORRUPTIONS) and published.clean_error == 43.45
    assert published.errors["gaussian_noise"][0] == pytest.approx(69.5, abs=1)


def test_a_file_of_ones_own_is_read(tmp_path):
    found = load_normaliser(normaliser_file(tmp_path))
    assert (found.name, found.errors) == ("mine", {"fog": (10, 20, 30, 40, 50.5)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"errors": {"fogg": [1] * 5}}, "errors: unknown corruption 'fogg': did you mean fog"),
        ({"errors": {"fog": [1] * 4}}, r"errors\.fog"),
        ({"errors": {"fog": [101] * 5}}, "percentages between 0 and 100"),
        ({"errors": {"fog": [0] * 5}}, "all five errors are 0"),
        ({"clean_error": 0.0}, "clean_error"),
        ({"clean": 1}, "clean: Extra"),
    ],
)
def test_values_that_cannot_be_meant(tmp_path, changes, message):
    path = normaliser_file(tmp_path, **changes)
    with pytest.raises(UsageError, match=message) as caught:
        load_normaliser(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_the_name_of_a_published_normaliser_is_for_its_errors_only(tmp_path):
    message = "name: 'alexnet-imagenet-c' means a published normaliser, and these errors are others"
    with pytest.raises(UsageError, match=message):
        load_normaliser(normaliser_file(tmp_path, name="alexnet-imagenet-c"))
    suite = {"extends": "digits-c", "name": "s", "description": "d"}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(suite | {"normaliser": MEASURED | {"name": "alexnet-imagenet-c"}}))
    with pytest.raises(UsageError, match=f"normaliser: {message}"):
        load_suite(tmp_path / "s.yaml")
    same = published_normaliser().model_dump(mode="json") | {"made_with": {"n": 1}}
    assert load_normaliser(normaliser_file(tmp_path, **same)).errors == published_normaliser().errors


def test_every_named_normaliser_has_its_name_and_only_the_testbeds_a_caution():
    for name, make in NAMED.items():
        assert make().name == name
        assert (caution(name) is None) == (name == "alexnet-imagenet-c")
    assert caution("mine") is None and caution(None) is None


def test_the_testbeds_alexnet_in_memory_lacks_a_corruption_and_its_caution_says_so():
    normaliser = NAMED["alexnet-testbed-in-memory"]()
    assert set(normaliser.errors) == set(CORRUPTIONS) - {"glass_blur"} and normaliser.clean_error == 43.478
    assert normaliser.errors["gaussian_noise"][1] == 79.438
    text = caution(normaliser.name)
    gain = pipeline_difference().in_memory_gain
    assert f"{gain:.1f} points lower on average" in text and "no errors of glass_blur, so there is no mCE" in text
    assert "84.26 % on gaussian_noise-2" in text and "82.54 %" in text and "\n" not in text


def test_the_testbeds_alexnet_on_disk_has_all_corruptions():
    normaliser = NAMED["alexnet-testbed-on-disk"]()
    assert set(normaliser.errors) == set(CORRUPTIONS) and normaliser.errors["gaussian_noise"][1] == 84.258
    assert "84.26 % on gaussian_noise-2" in caution(normaliser.name)


@pytest.mark.parametrize("name", NAMED)
def test_a_suite_names_its_normaliser(tmp_path, name):
    (tmp_path / "s.yaml").write_text(
        yaml.safe_dump({"extends": "digits-c", "name": "s", "description": "d", "normaliser": name})
    )
    assert load_suite(tmp_path / "s.yaml").normaliser == NAMED[name]()


def test_the_digest_depends_on_the_errors_of_a_corruption_of_ones_own(tmp_path, monkeypatch):
    """They divide a CE as well."""
    monkeypatch.setattr("lst_robust.suites.normaliser.known_corruptions", lambda: (*CORRUPTIONS, "rain"))
    fog = MEASURED["errors"]
    digests = {
        load_normaliser(normaliser_file(tmp_path, errors=errors)).digest()
        for errors in (fog, {**fog, "rain": [1, 2, 3, 4, 5]}, {**fog, "rain": [10, 20, 30, 40, 50]})
    }
    assert len(digests) == 3
