"""Folders of class folders: what counts as an image, and ids that are the same on every system."""

from __future__ import annotations

import os
import shutil

import pytest

from lst_robust.data import open_source
from lst_robust.data.class_folders import class_folders, files_by_class, image_files, readable_name, require_folder
from lst_robust.errors import DataError, UsageError


def opened(root, split="test", **options):
    return open_source({"kind": "image_folder", **options}, split, image_size=32, data_dir=root)


def test_only_images_count_whatever_the_case_of_their_extension(image_tree):
    folder = image_tree / "test" / "cat"
    (folder / "0.png").rename(folder / "0.PNG")
    for name in ("Thumbs.db", "._1.png", ".hidden.jpg", "notes.txt"):
        (folder / name).write_bytes(b"no image")
    (image_tree / "test" / ".cache").mkdir()
    assert opened(image_tree).ids[:2] == ("cat/0.PNG", "cat/1.png")


def test_names_with_spaces_and_any_script_are_read(image_tree):
    shutil.move(image_tree / "test" / "cat", image_tree / "test" / "große Katze 猫")
    shutil.rmtree(image_tree / "train")
    source = opened(image_tree)
    assert source.ids[2:] == ("große Katze 猫/0.png", "große Katze 猫/1.png")
    assert source.read([3]).any()


def test_a_class_without_images_is_refused(image_tree):
    for file in (image_tree / "test" / "dog").iterdir():
        file.unlink()
    with pytest.raises(DataError, match=r"class folder .*dog holds no image"):
        opened(image_tree)


def test_a_resize_below_the_crop_is_refused(image_tree):
    with pytest.raises(UsageError, match="resize 16 is smaller than the image size 32"):
        opened(image_tree, resize=16)


def test_a_file_has_its_class_its_id_and_its_label(image_tree):
    folder = image_tree / "test"
    assert class_folders(folder) == ["cat", "dog"] and image_files(folder / "cat") == ["0.png", "1.png"]
    assert files_by_class(folder, ["dog"], ["cat", "dog"]) == [
        (os.path.join("dog", "0.png"), "dog/0.png", 1),
        (os.path.join("dog", "1.png"), "dog/1.png", 1),
    ]


def test_a_folder_that_cannot_be_listed_is_named(tmp_path):
    for listed in (class_folders, image_files):
        with pytest.raises(DataError, match="nowhere cannot be read"):
            listed(tmp_path / "nowhere")


def test_a_name_that_is_not_text_can_be_printed():
    assert readable_name("caf\udce9.png") == "caf\\xe9.png"


def test_the_data_folder_must_be_given_and_exist(tmp_path):
    assert require_folder(tmp_path, "layout") is tmp_path
    with pytest.raises(UsageError, match="--data-dir; layout"):
        require_folder(None, "layout")
    with pytest.raises(DataError, match=r"no data folder .*nowhere.*layout"):
        require_folder(tmp_path / "nowhere", "layout")
