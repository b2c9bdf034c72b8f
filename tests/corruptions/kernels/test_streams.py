"""The compiled streams give the words and the normals of the plain ones, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from lst_robust.corruptions import Streams
from lst_robust.corruptions.kernels.streams import CompiledStreams, fill_normals, fill_words
from lst_robust.corruptions.streams import GROUP_WORDS

STREAMS = Streams.for_images("1", 3, "fog", 2, ["a", "b", "c"])


@pytest.mark.parametrize("count", [1, 2, 255, 257, GROUP_WORDS, GROUP_WORDS + 1, 3 * GROUP_WORDS - 5])
def test_words_and_normals(count):
    for stream in (0, 2):
        words, normals = STREAMS.words(stream, count), STREAMS.normal(stream, count)
        np.testing.assert_array_equal(CompiledStreams(STREAMS.keys).words(stream, count), words)
        for n, key in enumerate(STREAMS.keys):
            found_words, found_normals = np.empty(count, np.uint32), np.empty(count, np.float32)
            fill_words(key, stream, found_words)
            fill_normals(key, stream, found_normals)
            np.testing.assert_array_equal(found_words, words[n])
            np.testing.assert_array_equal(found_normals, normals[n])
