"""Image files of every mode and fault, and torchvision's own resize and crop as the reference."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from torchvision import transforms

from lst_robust.data.decode import MAX_PIXELS, decode
from lst_robust.geometry import Geometry, centre_crop


@pytest.mark.parametrize("shape", [(48, 64), (64, 48), (33, 61), (32, 32), (20, 40), (64, 64)])
@pytest.mark.parametrize("resize", [None, 32, 37])
def test_resize_and_crop_are_torchvisions(tmp_path, photographs, shape, resize):
    image = Image.fromarray(photographs[0, : shape[0], : shape[1]])
    image.save(tmp_path / "a.png")
    reference = transforms.Compose([transforms.Resize(resize or 32), transforms.CenterCrop(32)])
    assert np.array_equal(decode(tmp_path / "a.png", centre_crop(32, resize)), np.asarray(reference(image)))


@pytest.mark.parametrize("crop", ["center", "squash"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos", "nearest"])
@pytest.mark.parametrize("shape", [(48, 64), (61, 33), (64, 64)])
def test_a_networks_own_geometry_is_what_timm_does(tmp_path, photographs, shape, interpolation, crop):
    create_transform = pytest.importorskip("timm.data").create_transform
    image = Image.fromarray(photographs[0, : shape[0], : shape[1]])
    image.save(tmp_path / "a.png")
    theirs = create_transform((3, 32, 32), interpolation=interpolation, crop_pct=0.9, crop_mode=crop, normalize=False)
    ours = decode(tmp_path / "a.png", Geometry(size=32, resize=35, interpolation=interpolation, crop=crop))
    assert np.array_equal(ours, np.asarray(theirs(image)).transpose(1, 2, 0))


def test_a_square_of_the_right_size_is_untouched(tmp_path, photographs):
    Image.fromarray(photographs[0]).save(tmp_path / "a.png")
    assert np.array_equal(decode(tmp_path / "a.png", centre_crop(64)), photographs[0])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr"])
def test_every_mode_becomes_rgb_as_pil_converts_it(tmp_path, photographs, mode):
    image = Image.fromarray(photographs[0]).convert(mode)
    path = tmp_path / ("a.jpg" if mode in ("CMYK", "YCbCr") else "a.png")
    image.save(path)
    assert np.array_equal(decode(path, centre_crop(64)), np.asarray(Image.open(path).convert("RGB")))


@pytest.mark.parametrize("extension", ["png", "tif", "pgm"])
def test_16_bits_are_scaled_not_clipped(tmp_path, extension):
    levels = np.linspace(0, 65535, 32 * 32).astype(np.uint16).reshape(32, 32)
    path = tmp_path / f"a.{extension}"
    if extension == "pgm":  # which old releases of Pillow read and do not write
        path.write_bytes(b"P5 32 32 65535\n" + levels.astype(">u2").tobytes())
    else:
        Image.fromarray(levels).save(path)
    expected = np.rint(levels / 257)
    assert np.array_equal(decode(path, centre_crop(32))[..., 1], expected) and expected.max() == 255


def test_the_first_frame_of_an_animation_counts(tmp_path):
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert decode(tmp_path / "a.gif", centre_crop(32))[0, 0].tolist() == [255, 0, 0]


def test_one_pixel_is_an_even_square(tmp_path):
    Image.new("RGB", (1, 1), (10, 20, 30)).save(tmp_path / "a.png")
    assert np.array_equal(decode(tmp_path / "a.png", centre_crop(32)), np.full((32, 32, 3), (10, 20, 30)))


def test_exif_orientation_is_ignored(tmp_path, photographs):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees when shown
    Image.fromarray(photographs[0]).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(decode(tmp_path / "a.png", centre_crop(64)), photographs[0])


def damaged_files(folder, photograph):
    image = Image.fromarray(photograph)
    image.save(folder / "whole.jpg")
    content = (folder / "whole.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(content[: len(content) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("not an image")
    image.save(folder / "whole.png")
    content = bytearray((folder / "whole.png").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (folder / "flipped.png").write_bytes(content)
    (folder / "folder.jpg").mkdir()
    Image.fromarray(np.full((4, 4), 0.5, np.float32)).save(folder / "float.tif")
    Image.fromarray(np.full((4, 4), 100_000, np.int32)).save(folder / "integer.tif")
    Image.new("L", (1, 40_000)).save(folder / "thread.png")  # 32 x 1,280,000 after the resize to 32: refused at 224
    Image.new("1", (10_000, 9_000)).save(folder / "bomb.png")  # 90 million pixels in a few kilobytes


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_files_that_cannot_be_read_raise(tmp_path, photographs):
    damaged_files(tmp_path, photographs[0])
    for name in ("truncated", "empty", "text", "folder"):
        with pytest.raises(OSError):
            decode(tmp_path / f"{name}.jpg", centre_crop(32))
    with pytest.raises((OSError, SyntaxError)):
        decode(tmp_path / "flipped.png", centre_crop(32))
    with pytest.raises(ValueError, match="float pixels have no known range"):
        decode(tmp_path / "float.tif", centre_crop(32))
    with pytest.raises(ValueError, match="outside 0"):
        decode(tmp_path / "integer.tif", centre_crop(32))
    for name in ("thread", "bomb"):
        with pytest.raises(ValueError, match=f"more than the {MAX_PIXELS:,}"):
            decode(tmp_path / f"{name}.png", centre_crop(224))
