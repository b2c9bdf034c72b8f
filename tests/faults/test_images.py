"""Images that are damaged, dangerous, odd or oddly named, and folders that do not lie as they must."""

from __future__ import annotations

import json
import os
import shutil
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lst_robust.data.decode import decode
from lst_robust.geometry import centre_crop
from tests.faults.conftest import refused
from tests.faults.tally import Snapshot, lost
from tests.fixtures.commands import parsed


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of some hundred bytes whose header promises any number of pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def saved(path: Path, photograph: np.ndarray, **options: object) -> None:
    Image.fromarray(photograph).save(path, **options)


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", bytes(10_000_000))


DAMAGED = {
    "truncated.jpg": lambda path, photo: (saved(path, photo), cut(path, 0.6)),
    "header-only.jpg": lambda path, photo: (saved(path, photo), cut(path, 0.05)),
    "truncated.png": lambda path, photo: (saved(path, photo), cut(path, 0.6)),
    "flipped.png": lambda path, photo: (saved(path, photo), flipped(path)),
    "truncated.gif": lambda path, photo: (saved(path, photo), cut(path, 0.3)),
    "truncated.webp": lambda path, photo: (saved(path, photo), cut(path, 0.6)),
    "truncated.bmp": lambda path, photo: (saved(path, photo), cut(path, 0.6)),
    "truncated.tif": lambda path, photo: (saved(path, photo), cut(path, 0.6)),
    "bomb.png": lambda path, photo: path.write_bytes(png_that_claims(10_000, 9_000)),  # where PIL only warns
    "huge-bomb.png": lambda path, photo: path.write_bytes(png_that_claims(100_000, 100_000)),  # where PIL refuses
    "absurd-bomb.png": lambda path, photo: path.write_bytes(png_that_claims(2**31 - 1, 2**31 - 1)),
    "solid-bomb.png": lambda path, photo: Image.new("1", (10_000, 9_000)).save(path),
    "thread.png": lambda path, photo: Image.new("L", (1, 200_000)).save(path),  # 32 x 6,400,000 once it is resized
    "zip-bomb.png": lambda path, photo: zipped(path),
    "no-pixel.png": lambda path, photo: path.write_bytes(png_that_claims(0, 5)),
    "empty.jpg": lambda path, photo: path.write_bytes(b""),
    "text.jpg": lambda path, photo: path.write_text("<html>404 not found</html>"),
    "noise.jpg": lambda path, photo: path.write_bytes(photo.tobytes()),
    "folder.jpg": lambda path, photo: path.mkdir(),
    "loop.jpg": lambda path, photo: path.symlink_to(path.name),
    "dangling.jpg": lambda path, photo: path.symlink_to("nowhere.jpg"),
    "pipe.jpg": lambda path, photo: os.mkfifo(path),  # which would be waited for
    "device.jpg": lambda path, photo: path.symlink_to("/dev/zero"),  # which would never end
    "float.tif": lambda path, photo: Image.fromarray(np.full((40, 40), 0.5, np.float32)).save(path),
    "integer.tif": lambda path, photo: Image.fromarray(np.full((40, 40), 100_000, np.int32)).save(path),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_image_is_refused_by_name_or_left_out_and_no_cell_is_lost(evaluate, pets, photographs, name):
    whole = parsed(evaluate())
    finished = Snapshot(Path("results"))
    DAMAGED[name](pets / "test" / "dog" / name, photographs[0])
    line = refused(evaluate(), 3, f"1 of 5 images of data/test cannot be read: dog/{name} (", "--skip-unreadable")
    assert len(line) < 400
    skipped = evaluate("--skip-unreadable")
    assert f"left out 1 unreadable images, such as dog/{name}" in skipped.stderr
    assert parsed(skipped) == whole, "the same four images, so the finished cells"
    assert not lost(finished) and Snapshot(Path("results")) == finished


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("name", ["truncated.jpg", "bomb.png", "pipe.jpg", "loop.jpg"])
@pytest.mark.parametrize("size", ["32", "keep"])
def test_a_damaged_image_is_refused_where_sets_are_made(run, pets, photographs, name, size):
    DAMAGED[name](pets / "test" / "dog" / name, photographs[0])
    asked = ("corrupt", "data", "out", "--corruptions", "contrast", "--severities", "1", "--size", size)
    refused(run(*asked), 3, f"dog/{name} (", "--skip-unreadable")
    made = parsed(run(*asked[:2], "skipped", *asked[3:], "--skip-unreadable", "--json"))
    assert made["images"] == 4 and made["skipped"] == [f"dog/{name}"]
    assert run("corrupt", "--verify", "skipped").exit_code == 0


def test_when_no_image_can_be_read_there_is_nothing_to_evaluate(evaluate, pets):
    for path in (pets / "test").rglob("*.png"):
        path.write_bytes(b"")
    refused(evaluate(), 3, "4 of 4 images", "and 1 more")
    refused(evaluate("--skip-unreadable"), 5, "none of the 4 images of data/test can be read", "check the data folder")


def sixteen_bits(photo: np.ndarray) -> Image.Image:
    return Image.fromarray(photo[..., 1].astype(np.uint16) * 257)


def frames(photo: np.ndarray) -> dict[str, object]:
    return {"save_all": True, "append_images": [Image.fromarray(255 - photo)]}


ODD = {
    "one-pixel.png": lambda path, photo: Image.new("RGB", (1, 1), (9, 99, 199)).save(path),
    "row.png": lambda path, photo: Image.new("RGB", (500, 1), (9, 99, 199)).save(path),
    "bilevel.png": lambda path, photo: Image.fromarray(photo).convert("1").save(path),
    "grey.png": lambda path, photo: Image.fromarray(photo).convert("L").save(path),
    "grey-alpha.png": lambda path, photo: Image.fromarray(photo).convert("LA").save(path),
    "palette.png": lambda path, photo: Image.fromarray(photo).convert("P").save(path),
    "palette-transparent.png": lambda path, photo: Image.fromarray(photo).convert("P").save(path, transparency=b"\0\7"),
    "rgba.png": lambda path, photo: Image.fromarray(photo).convert("RGBA").save(path),
    "cmyk.jpg": lambda path, photo: Image.fromarray(photo).convert("CMYK").save(path),
    "cmyk.tif": lambda path, photo: Image.fromarray(photo).convert("CMYK").save(path),
    "16-bit.png": lambda path, photo: sixteen_bits(photo).save(path),
    "16-bit.tif": lambda path, photo: sixteen_bits(photo).save(path),
    "animated.gif": lambda path, photo: Image.fromarray(photo).save(path, **frames(photo)),
    "animated.png": lambda path, photo: Image.fromarray(photo).save(path, **frames(photo)),
    "animated.webp": lambda path, photo: Image.fromarray(photo).save(path, lossless=True, **frames(photo)),
    "pages.tif": lambda path, photo: Image.fromarray(photo).save(path, **frames(photo)),
    "wrong-extension.jpg": lambda path, photo: Image.fromarray(photo).save(path, "PNG"),
    "upper-case.JPEG": lambda path, photo: Image.fromarray(photo).save(path, "JPEG"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_image_counts_like_the_plain_one_it_decodes_to(run, evaluate, pets, photographs, name):
    """The record is that of an 8-bit RGB PNG of the same pixels in its place."""
    folder = pets / "test" / "dog"
    ODD[name](folder / name, photographs[0])
    odd = evaluate()
    assert parsed(odd)["n"] == 5 and "warning" not in odd.stderr.lower()
    pixels = decode(folder / name, centre_crop(32))
    (folder / name).unlink()
    plain = folder / f"{Path(name).stem}.png"
    Image.fromarray(pixels).save(plain)
    again = parsed(evaluate("--results-dir", "plain"))
    assert (again["clean_error"], again["errors"]) == (parsed(odd)["clean_error"], parsed(odd)["errors"])
    bits = [sorted(record.correct for record in Snapshot(Path(folder)).values()) for folder in ("results", "plain")]
    assert bits[0] == bits[1] and len(bits[0]) == 2


@pytest.mark.parametrize("name", ODD)
def test_an_odd_image_becomes_a_plain_one_of_a_corrupted_set(run, pets, photographs, name):
    ODD[name](pets / "test" / "dog" / name, photographs[0])
    asked = ("corrupt", "data", "out", "--corruptions", "contrast", "--severities", "1", "--size", "32", "--json")
    assert parsed(run(*asked, "--image-format", "png"))["images"] == 5
    (made,) = Path("out/contrast/1/dog").glob(f"{Path(name).stem}*")
    with Image.open(made) as image:
        assert (image.size, image.mode) == ((32, 32), "RGB")


NAMES = {
    "line break": "a\nb.png",
    "escape sequence": "\x1b[31mred\x1b[0m.png",
    "markup": "[bold]b[link=x].png",
    "spaces": "  a  photo .png",
    "any script": "große Katze 猫 🐈.png",
    "right to left": "\u202egnp.exe.png",
    "not UTF-8": os.fsdecode(b"caf\xe9\xff.png"),
    "a dash": "--help.png",
    "quotes": "'\"`$(true)`.png",
    "backslashes": "a\\..\\..\\b.png",
    "long": "a" * 250 + ".png",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("of", ["file", "class"])
def test_any_name_is_read_and_told_on_one_line(evaluate, pets, run, name, of):
    if of == "file":
        place = pets / "test" / "dog" / "0.png"
        place = place.rename(place.with_name(name))
        assert parsed(evaluate())["n"] == 4
        place.write_bytes(b"damaged")
        line = refused(evaluate("--overwrite"), 3, "cannot be read: dog/", "--skip-unreadable")
    else:
        for split in ("train", "test"):
            (pets / split / "dog").rename(pets / split / name)
        line = refused(evaluate(), 3, "trained for 2 classes (cat, dog)", "another checkpoint")
    line.encode()  # no byte that is not UTF-8
    assert "\x1b" not in line
    made = run("corrupt", "data", "out", "--corruptions", "contrast", "--severities", "1", "--skip-unreadable")
    assert made.exit_code == 0, made.stderr
    assert run("corrupt", "--verify", "out").exit_code == 0


def test_brackets_that_only_a_path_puts_together_are_no_markup(run, pets):
    (pets / "test" / "dog").rename(pets / "test" / "dog[")
    (pets / "test" / "dog[" / "red].png").write_bytes(b"damaged")
    result = run("corrupt", "data", "out", "--corruptions", "contrast", "--severities", "1", "--skip-unreadable")
    assert result.exit_code == 0 and "such as dog[/red].png" in result.stderr


def flat(data: Path) -> None:
    for path in (data / "test").rglob("*.png"):
        path.rename(data / "test" / f"{path.parent.name}{path.name}")
    shutil.rmtree(data / "test" / "cat"), shutil.rmtree(data / "test" / "dog")


def replaced_by_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("")


FOLDERS = {
    "one class": (lambda data: shutil.rmtree(data / "test" / "dog"), "only one class folder (cat)"),
    "no class": (flat, "no class folder"),
    "an empty class": (lambda data: [p.unlink() for p in (data / "test" / "dog").iterdir()], "dog holds no image"),
    "another class": (lambda data: (data / "test" / "dog").rename(data / "test" / "wolf"), "lacks dog and adds wolf"),
    "one class more": (lambda data: shutil.copytree(data / "test" / "dog", data / "test" / "eel"), "it adds eel"),
    "a class that leads to itself": (lambda data: (data / "test" / "eel").symlink_to("eel"), "symbolic links"),
    "a class that leads up": (lambda data: (data / "test" / "eel").symlink_to("../.."), "adds eel"),
    "a class that is a file": (lambda data: replaced_by_file(data / "test" / "dog"), "only one class folder"),
    "no test folder": (lambda data: shutil.rmtree(data / "test"), "no folder test or val in data"),
    "a test folder that is a file": (lambda data: replaced_by_file(data / "test"), "no folder test or val in data"),
    "an empty folder": (lambda data: (shutil.rmtree(data), data.mkdir()), "no folder test or val in data"),
    "a file": (replaced_by_file, "data is no shard: give a folder"),
    "a link that leads to itself": (lambda data: (shutil.rmtree(data), data.symlink_to("data")), "no data folder data"),
    "nothing": (shutil.rmtree, "no data folder data"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_does_not_lie_as_it_must_is_one_line(evaluate, pets, name):
    break_it, words = FOLDERS[name]
    break_it(pets)
    line = refused(evaluate(), 3, words)
    assert ":" in line.removeprefix("error: "), "what to do stands behind the colon"


@pytest.mark.parametrize("name", ["a class that leads to itself", "nothing", "an empty folder", "a file", "no class"])
@pytest.mark.parametrize("command", ["corrupt", "train", "data verify"])
def test_other_commands_refuse_such_folders_too(run, pets, name, command):
    FOLDERS[name][0](pets)
    for path in (pets / "train").glob("*") if (pets / "train").is_dir() else ():  # where train looks
        shutil.rmtree(path)
    if command == "corrupt":
        refused(run("corrupt", "data", "out"), 3, ":")
        assert not Path("out").exists()
    elif command == "train":
        refused(run("train", "-m", "resnet20", "-s", "pets.yaml", "--data-dir", "data"), 3, ":")
        assert not list(Path(".").rglob("*.safetensors"))
    else:
        result = run("data", "verify", "pets.yaml", "--data-dir", "data", "--json")
        assert result.exit_code == 3 and not json.loads(result.stdout)["ok"] and "unexpected" not in result.stderr


@pytest.mark.parametrize("name", ["truncated.jpg", "bomb.png", "pipe.jpg", "empty.jpg"])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_damaged_image_of_an_official_set_cannot_be_left_out(run, pets, weights, photographs, name):
    """The clean image of that name is sound, so the advice is another than for one's own images."""
    Path("pets.yaml").write_text(Path("pets.yaml").read_text() + "protocol: official\n")
    sound = Image.fromarray(photographs[0, :32, :32])
    sound.save(pets / "test" / "dog" / name, "PNG")
    for path in (pets / "test").rglob("*.*g"):
        copy = pets / "corrupted" / "contrast" / "1" / path.relative_to(pets / "test")
        copy.parent.mkdir(parents=True, exist_ok=True)
        sound.save(copy, "PNG")
    asked = ("eval", "-m", "resnet20", "--checkpoint", str(weights), "-s", "pets.yaml", "--data-dir", "data")
    asked += ("--corruptions", "contrast", "--severities", "1", "--json")
    assert parsed(run(*asked))["n"] == 5
    place = pets / "corrupted" / "contrast" / "1" / "dog" / name
    place.unlink()
    DAMAGED[name](place, photographs[0])
    for options in ((), ("--skip-unreadable",)):
        line = refused(run(*asked, "--overwrite", *options), 3, f"dog/{name} (", "Download them again")
        assert "--skip-unreadable" not in line


def test_a_folder_that_may_not_be_read_is_named(run, pets, monkeypatch):
    """Root may read everything, so the system's answer is imitated."""
    listed = os.scandir

    def denied(folder):
        if str(folder).endswith("dog"):
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr(os, "scandir", denied)
    refused(run("eval", "-m", "resnet20", "-s", "pets.yaml", "--data-dir", "data"), 3, "test/dog", "Permission denied")
