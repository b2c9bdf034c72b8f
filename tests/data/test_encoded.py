"""Encoded images, whose bytes may lie anywhere."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lst_robust.data.decode import MAX_PIXELS, decode
from lst_robust.data.encoded import EncodedSource
from lst_robust.errors import DataError, UsageError
from lst_robust.geometry import centre_crop
from tests.fixtures.shards import jpeg


class InMemory(EncodedSource):
    """Bytes by index."""

    def __init__(self, contents, **options):
        images = [(f"a/{number}", 0) for number in range(len(contents))]
        super().__init__("memory", "the memory", images, ("a", "b"), 32, **options)
        self.contents = contents

    def encoded(self, index):
        return self.contents[index]

    def digest_of(self, indices, workers):
        return ""


def test_bytes_and_files_are_decoded_alike(tmp_path):
    contents = [jpeg(number) for number in range(3)]
    source = InMemory(contents, resize=34)
    for number, content in enumerate(contents):
        (tmp_path / "a.jpg").write_bytes(content)
        assert np.array_equal(source.read([number])[0], decode(tmp_path / "a.jpg", centre_crop(32, 34)))
    assert source.whole(1).shape == (36, 40, 3)
    larger = source.with_geometry(centre_crop(36))
    assert larger.read(range(3), workers=2).shape == (3, 36, 36, 3) and source.image_size == 32


def test_damaged_bytes_are_named_without_an_address_in_memory():
    source = InMemory([jpeg(0), b"damaged", jpeg(1)[:300]])
    with pytest.raises(DataError) as refused:
        source.read(range(3))
    assert "2 of 3 images of the memory cannot be read: a/1 (cannot identify the image in its 7 bytes)" in str(
        refused.value
    )
    assert "0x" not in str(refused.value)
    with pytest.raises(DataError, match=r"a/1 \(cannot identify"):
        source.whole(1)


@pytest.mark.filterwarnings("ignore:Image size")
def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path):
    side = int(MAX_PIXELS**0.5) + 1
    Image.new("1", (side, side)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="are more than the"):
        InMemory([(tmp_path / "a.png").read_bytes()]).whole(0)


def test_exact_images_keep_their_size():
    with pytest.raises(DataError, match="40 x 36 pixels instead of 32 x 32"):
        InMemory([jpeg(0)], exact=True).read([0])
    with pytest.raises(UsageError, match="--preprocess suite"):
        InMemory([jpeg(0)], exact=True).with_geometry(centre_crop(36))
    with pytest.raises(UsageError, match="resize 16 is smaller"):
        InMemory([jpeg(0)], resize=16)
