"""From uint8 images to the network's input, as torchvision's transforms do it."""

from __future__ import annotations

import numpy as np
import torch
from torchvision import transforms

from lst_robust.models.preprocess import Preprocess

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)


def test_it_is_torchvisions_to_tensor_and_normalize(photographs) -> None:
    reference = transforms.Compose([transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
    expected = torch.stack([reference(image) for image in photographs])
    before = photographs.copy()
    result = Preprocess(MEAN, STD, torch.device("cpu"))(photographs)
    assert result.dtype is torch.float32
    torch.testing.assert_close(result, expected, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(photographs, before)


def test_an_images_input_does_not_depend_on_its_batch(photographs) -> None:
    preprocess = Preprocess(MEAN, STD, torch.device("cpu"))
    assert torch.equal(preprocess(photographs)[2:3], preprocess(photographs[2:3]))
