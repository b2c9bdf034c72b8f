"""`feature_statistics` from Python: what it measures, what it leaves alone, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from lst_robust import create_model, feature_statistics
from lst_robust.analysis.features import CORRUPTED
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import CheckpointError, DataError, NonFiniteError, UsageError
from lst_robust.evaluation.cell_images import open_cell_images
from lst_robust.evaluation.request import EvalRequest
from lst_robust.features.measures import change_scores, layer_scores
from lst_robust.models import save_checkpoint
from lst_robust.models.preprocess import Preprocess

torch.set_num_threads(1)
CONTRAST = {"corruptions": ["contrast"], "severities": [2]}


class Small(nn.Module):
    """Two convolutions, the first of which reads the image."""

    def __init__(self, scale: float = 1.0, maps: nn.Module | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.conv, self.bn = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 8, 3, bias=False), nn.BatchNorm2d(8)
        self.maps = maps or nn.Identity()
        with torch.no_grad():
            self.conv.weight *= scale
            self.bn.running_var *= scale**2
            self.bn.eps *= scale**2

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(self.maps(self.stem(x)))).mean((2, 3))


def test_scores_are_those_of_the_layers_output(suite) -> None:
    network = Small().eval()
    found = feature_statistics(network, suite, limit=5, batch_size=4, **CONTRAST)
    (measured,) = found.networks
    (layer,) = measured.layers
    assert (layer.name, layer.channels, layer.height, layer.width, layer.bands) == ("conv", 8, 28, 28, 0)
    images = open_cell_images(EvalRequest.of(network, suite, limit=5))
    as_input = Preprocess(suite.pixels.mean, suite.pixels.std, torch.device("cpu"))
    with torch.no_grad():
        clean, corrupted = (network.conv(network.stem(as_input(images.loader(cell)(range(5))))) for cell in found.cells)
    assert found.cells == (CLEAN_CELL, Cell("contrast", 2)) and found.ids == images.clean.ids
    for cell, expected in (
        (CLEAN_CELL, layer_scores(clean, 0, 0.1)),
        (Cell("contrast", 2), layer_scores(corrupted, 0, 0.1) | change_scores(clean, corrupted)),
    ):
        assert set(layer.scores[cell]) == set(expected)
        for name, values in expected.items():
            np.testing.assert_allclose(layer.scores[cell][name], values.numpy(), rtol=1e-4, atol=1e-6, err_msg=name)


def test_a_factor_that_the_bn_undoes_changes_the_paper_s_picture_but_not_the_network(suite) -> None:
    """Why "below 0.1" says nothing by itself."""
    large, small = Small().eval(), Small(scale=0.01).eval()
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(large(x), small(x), rtol=1e-4, atol=1e-5)
    tables = [
        feature_statistics(one, suite, limit=4, corruptions=[]).table(layers=False).set_index("measure")["mean"]
        for one in (large, small)
    ]
    assert tables[1]["small"] > tables[0]["small"] + 0.5
    assert tables[0]["hoyer"] == pytest.approx(tables[1]["hoyer"], abs=1e-4)
    assert tables[0]["small_relative"] == pytest.approx(tables[1]["small_relative"], abs=1e-3)


def test_a_network_stays_as_it_was(suite) -> None:
    network = Small().train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    feature_statistics(network, suite, limit=4, step="bn", **CONTRAST)
    assert network.training and not network.conv._forward_hooks and not network.bn._forward_hooks
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_batches_and_workers_change_nothing(suite) -> None:
    tables = [
        feature_statistics(Small(), suite, limit=7, batch_size=size, workers=workers).table()
        for size, workers in ((3, 1), (64, 2))
    ]
    np.testing.assert_allclose(tables[0]["mean"], tables[1]["mean"], rtol=1e-5)
    assert {"contrast-2", CORRUPTED}.isdisjoint(tables[0]["cell"]) is False
    assert set(tables[0]["cell"]) == {
        "clean", "gaussian_noise-3", "defocus_blur-3", "fog-3", "jpeg_compression-3", CORRUPTED,
    }  # fmt: skip


@pytest.fixture
def checkpoints(tmp_path, suite):
    """Two checkpoints of one structure that say which seed they are of."""
    paths = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        network = create_model("lst20", 10, image_size=32)
        paths.append(save_checkpoint(network, tmp_path / f"{seed}.safetensors", train_seed=seed))
    return paths


def test_trainings_of_one_network_are_told_apart_and_taken_together(checkpoints, suite) -> None:
    found = feature_statistics(
        ["lst20", "lst20"], suite, checkpoints=checkpoints, limit=4, layers=["1", "18"], untrained=True, corruptions=[]
    )
    labels = [network.label for network in found.networks]
    assert labels == ["lst20@seed0", "lst20@seed1", "lst20@seed0 untrained", "lst20@seed1 untrained"]
    assert [layer.name for layer in found.networks[0].layers] == ["stages.0.0.t_s", "stages.2.5.t_s"]
    together = found.over_seeds()
    assert [network.label for network in together.networks] == ["lst20", "lst20 untrained"]
    scores = [network.layers[0].scores[CLEAN_CELL]["hoyer"] for network in found.networks]
    np.testing.assert_allclose(together.networks[0].layers[0].scores[CLEAN_CELL]["hoyer"], (scores[0] + scores[1]) / 2)
    assert not np.allclose(scores[0], scores[1]) and not np.allclose(scores[2], scores[3])


def test_networks_of_one_class_or_with_other_options_are_not_taken_together(suite, tmp_path) -> None:
    with torch.random.fork_rng(devices=[]):
        first, second = Small(), Small(scale=2.0)
    found = feature_statistics([first, second], suite, limit=4, corruptions=[])
    assert [one.label for one in found.over_seeds().networks] == [one.label for one in found.networks]
    paths = [
        save_checkpoint(
            create_model("lst20", 10, image_size=32, **options), tmp_path / f"{seed}.safetensors", train_seed=seed
        )
        for seed, options in enumerate(({}, {}, {"init": "random"}, {"tau": 0.01}))
    ]
    found = feature_statistics(["lst20"] * 4, suite, checkpoints=paths, limit=4, layers=["1"], corruptions=[])
    labels = [one.label for one in found.over_seeds().networks]
    assert labels == ["lst20@seed0 + lst20@seed1", "lst20@seed2", "lst20@seed3"]


def test_untrained_networks_have_outputs_of_the_scale_of_a_first_step(checkpoints, suite) -> None:
    """Behind each BN the mean square is about 1, because its statistics are those of the images."""
    found = feature_statistics(
        "lst20", suite, checkpoints=checkpoints[:1], limit=40, untrained=True, corruptions=[], step="bn"
    )
    assert [network.trained for network in found.networks] == [True, False]
    amplitudes = [layer.scores[CLEAN_CELL]["amplitude"].mean() for layer in found.networks[1].layers]
    assert min(amplitudes) > 0.4 and max(amplitudes) < 1.1


def test_image_files_in_place_of_test_images(checkpoints, suite, tmp_path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    found = feature_statistics(
        "lst20", suite, checkpoints=checkpoints[:1], images=[tmp_path / "photo.png"], layers=["1"]
    )
    assert found.ids == ("photo.png",) and found.n == 1
    assert found.table()["low"].isna().all() and found.to_dict()["rows"][0]["low"] is None
    assert found.networks[0].picture.columns.shape == (32 * 32, 16)


def test_the_picture_has_the_bands_of_a_feature_side_by_side(checkpoints, suite) -> None:
    """Channel k·c + j is band k of feature j; the paper's figure has feature 1 with its bands, then feature 2."""
    found = feature_statistics("lst20", suite, checkpoints=checkpoints[:1], limit=2, layers=["1"], corruptions=[])
    network = create_model("lst20", checkpoint=checkpoints[0]).eval()
    images = open_cell_images(EvalRequest.of("lst20", suite, limit=2, checkpoint=checkpoints[0])).clean.read([0])
    taken = []
    network.stages[0][0].t_s.register_forward_hook(lambda module, inputs, output: taken.append(output))
    with torch.no_grad():
        network(Preprocess(suite.pixels.mean, suite.pixels.std, torch.device("cpu"))(images))
    by_band = taken[0][0].reshape(4, 16, -1)
    picture = found.networks[0].picture
    for feature in range(4):
        for band in range(4):
            column = picture.columns[:, 4 * feature + band]
            np.testing.assert_allclose(column, by_band[band, feature].numpy(), rtol=1e-4, atol=1e-5)
    assert picture.bands == 4 and picture.rms == pytest.approx(taken[0].square().mean().sqrt().item(), rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (["lst20"], {"checkpoints": ["a", "b"]}, "2 checkpoints for 1 models"),
        (["lst*"], {}, "'lst\\*' may mean several networks"),
        (["@all.txt"], {}, "may mean several networks"),
        ([[]], {}, "models is empty"),
        ([Small()], {"step": "outputs"}, "unknown step 'outputs'"),
        ([Small()], {"threshold": -1}, "threshold is -1"),
        ([Small()], {"layers": ["3"]}, "no layer of Small is meant by 3"),
        ([Small()], {"corruptions": ["fogg"]}, "unknown corruption 'fogg'"),
        ([Small()], {"severities": [6]}, "severities"),
        ([Small()], {"images": ["x.png"], "limit": 3}, "limit is 3: leave it out"),
        ([Small()], {"untrained": True}, "Small cannot be built untrained"),
        ([[Small(), Small()]], {}, "Small@.* is named 2 times"),
    ],
    ids=str,
)
def test_what_cannot_be_meant(suite, arguments, options, message) -> None:
    with pytest.raises(UsageError, match=message):
        feature_statistics(*arguments, suite, **{"limit": 4, **options} if "images" not in options else options)


def test_an_unknown_option_is_a_type_error(suite) -> None:
    with pytest.raises(TypeError, match="has no option 'amp'"):
        feature_statistics(Small(), suite, amp=True)


def test_missing_files_and_weights(suite, tmp_path) -> None:
    with pytest.raises(DataError, match="no image file"):
        feature_statistics(Small(), suite, images=[tmp_path / "nothing.png"])
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"broken\.png"):
        feature_statistics(Small(), suite, images=[tmp_path / "broken.png"])
    with pytest.raises(CheckpointError, match="--checkpoint"):
        feature_statistics("alexnet", "digits-c", limit=4, results_dir=tmp_path)


def test_layers_that_give_nothing(suite) -> None:
    class Unused(Small):
        def forward(self, x: Tensor) -> Tensor:
            return self.stem(x).mean((2, 3))

    with pytest.raises(UsageError, match="layer conv of Unused takes no part in the computation"):
        feature_statistics(Unused(), suite, limit=4)
    network = Small()
    network.bn = nn.Identity()
    with pytest.raises(UsageError, match="layer conv of Small is followed by no BN: take --step output"):
        feature_statistics(network, suite, limit=4, step="bn")


def test_features_that_are_no_numbers(suite) -> None:
    network = Small()
    nn.init.constant_(network.conv.weight, float("nan"))
    with pytest.raises(NonFiniteError, match="layer conv of Small gives NaN or infinite features"):
        feature_statistics(network, suite, limit=4)
