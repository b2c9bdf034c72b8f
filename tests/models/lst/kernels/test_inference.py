"""The compiled bottleneck for inference against the trained block in plain torch."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from lst_robust.models import create_model, optimize_for_inference
from lst_robust.models.lst.blocks import LSTI, LSTII, LSTOptions
from lst_robust.models.lst.folded import InferenceChain, InferenceHandler, InferenceLSTII
from lst_robust.models.lst.kernels.inference import can_compile

torch.set_num_threads(1)
SHAPES = [
    (16, 16, 1, 1, (8, 8)),
    (64, 16, 1, 4, (9, 7)),
    (64, 32, 2, 4, (9, 7)),
    (128, 64, 2, 4, (8, 6)),
    (640, 160, 1, 4, (3, 5)),
    (32, 8, 1, 4, (4, 4)),  # a multiple of 8 and not of 16
    (16, 4, 1, 4, (5, 6)),
    (96, 24, 1, 4, (6, 5)),
    (20, 20, 2, 1, (7, 7)),
    (64, 16, 1, 4, (1, 1)),
    (64, 32, 2, 4, (1, 2)),
    (64, 16, 1, 4, (40, 33)),  # z's ring goes round
    (64, 32, 2, 4, (37, 50)),
    (288, 72, 2, 4, (3, 101)),  # more inputs than at once, rows wider than T_r takes pixels at once
]


@pytest.mark.parametrize(("inputs", "planes", "stride", "groups", "size"), SHAPES)
@pytest.mark.parametrize("options", [{}, {"tau": 0.3}, {"tau": 0.0}, {"channel_transform": "diagonal"}], ids=str)
def test_it_gives_the_blocks_output(inputs, planes, stride, groups, size, options, width, trained, assert_same) -> None:
    torch.manual_seed(0)
    block = trained(LSTII(inputs, planes, stride, LSTOptions(**options), groups))
    fast = InferenceLSTII(block)
    x = torch.randn(3, inputs, *size)
    assert fast.compiled is not None and fast.compiled.takes(x)
    with torch.no_grad():
        plain = block(x)
        assert_same(fast(x.clone(memory_format=torch.channels_last)), plain)


@pytest.mark.parametrize(("planes", "options"), [(10, {}), (16, {"a": 1}), (16, {"activation": "elu"})])
def test_other_forms_are_left_to_torch(planes: int, options: dict) -> None:
    block = InferenceLSTII(LSTII(planes, planes, 1, LSTOptions(**options)).eval())
    assert not can_compile(block)
    assert block.compiled is None


@pytest.fixture
def stages(compiled, trained) -> tuple[InferenceChain, nn.Module]:
    """Blocks of three stages, with shortcuts and without, two of stride 2: for inference, and as they were trained."""
    torch.manual_seed(0)
    blocks = [
        [LSTII(16, 16, 1, LSTOptions(), 1), LSTII(64, 16, 1, LSTOptions(), 4), LSTII(64, 16, 1, LSTOptions(), 4)],
        [LSTII(64, 32, 2, LSTOptions(), 4), LSTII(128, 32, 1, LSTOptions(), 4)],
        [LSTII(128, 32, 2, LSTOptions(), 4)],
    ]
    blocks[2][0].shortcut.source = torch.randint(128, (128,))  # any choice of channels
    blocks[2][0].shortcut.source[32:64] = blocks[2][0].shortcut.source[:32]
    model = trained(nn.Sequential(*(nn.Sequential(*stage) for stage in blocks)))
    plain = copy.deepcopy(model)
    return optimize_for_inference(nn.ModuleList([model]))[0], plain


def test_blocks_behind_each_other_run_as_one(width, stages, assert_same) -> None:
    chain, trained = stages
    x = torch.randn(2, 16, 19, 21)
    with torch.no_grad():
        plain = trained(x)
        assert type(chain) is InferenceChain and len(chain.compiled.strides) == 6
        assert_same(chain(x), plain)


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 5, 12])
def test_an_image_gives_the_same_in_every_batch_and_on_all_threads(stages, threads: int) -> None:
    chain, _ = stages
    x = torch.randn(7, 16, 37, 20)
    with torch.no_grad():
        alone = torch.cat([chain(image[None]) for image in x])
        torch.set_num_threads(threads)
        try:
            for images in (1, 2, 3, 7):
                assert torch.equal(chain(x[:images]), alone[:images])
        finally:
            torch.set_num_threads(1)


def test_the_input_stays_as_it_is(stages) -> None:
    chain, _ = stages
    x = torch.randn(2, 16, 9, 9).contiguous(memory_format=torch.channels_last)
    before = x.clone()
    with torch.no_grad():
        chain(x)
        later = torch.randn(2, 64, 9, 9).contiguous(memory_format=torch.channels_last)
        kept = later.clone()
        chain[0][1](later)
    assert torch.equal(x, before) and torch.equal(later, kept)


@pytest.mark.parametrize("other", [nn.Identity(), LSTI(64, 16, 1, LSTOptions())], ids=["identity", "lst-i"])
def test_only_blocks_of_one_kind_are_joined(compiled, other) -> None:
    model = nn.Sequential(nn.Sequential(LSTII(64, 16, 1, LSTOptions(), 4), other))
    fast = optimize_for_inference(model)
    assert type(fast[0]) is nn.Sequential and type(fast[0][0]) is InferenceLSTII


@pytest.mark.parametrize(("inputs", "outputs", "size"), [(64, 16, (5, 7)), (300, 20, (7, 7)), (16, 24, (1, 1))])
def test_the_handler_behind_them(width, trained, assert_same, inputs: int, outputs: int, size) -> None:
    handler = [nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    model = trained(nn.Sequential(nn.Sequential(LSTII(inputs, inputs, 1, LSTOptions())), nn.Sequential(*handler)))
    model[1][0] = nn.Conv2d(4 * inputs, outputs, 1, bias=False)
    fast = optimize_for_inference(model)[1]
    assert type(fast) is InferenceHandler and fast.compiled is not None
    x = torch.randn(5, 4 * inputs, *size)
    with torch.no_grad():
        assert_same(fast(x), model[1](x))
        assert torch.equal(fast(x[3:4]), fast(x)[3:4])
        assert fast(x[:0]).shape == (0, outputs, *size)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(64, 16, 3), nn.BatchNorm2d(16), nn.ReLU()],
        [nn.Conv2d(64, 16, 1), nn.BatchNorm2d(16), nn.ELU()],
        [nn.Conv2d(64, 16, 1, groups=2), nn.BatchNorm2d(16), nn.ReLU()],
    ],
    ids=["3x3", "elu", "groups"],
)
def test_other_layers_behind_them_are_left_to_torch(compiled, layers) -> None:
    model = nn.Sequential(nn.Sequential(LSTII(64, 16, 1, LSTOptions(), 4)), nn.Sequential(*layers))
    assert type(optimize_for_inference(model)[1]) is nn.Sequential


def test_no_images(compiled, trained) -> None:
    fast = InferenceLSTII(trained(LSTII(64, 16, 2, LSTOptions(), 4)))
    assert fast(torch.empty(0, 64, 8, 8)).shape == (0, 64, 4, 4)


def test_a_gradient_goes_by_torch(compiled, trained, assert_same) -> None:
    block = trained(LSTII(64, 16, 1, LSTOptions(), 4))
    results = []
    for module in (block, InferenceLSTII(block)):
        x = torch.linspace(-1, 1, 2 * 64 * 25).reshape(2, 64, 5, 5).requires_grad_()
        module(x).square().sum().backward()
        results.append(x.grad)
    assert_same(results[1], results[0])


def test_under_autocast_it_works_in_float32(compiled, trained) -> None:
    model = optimize_for_inference(trained(create_model("lst20")))
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        full = model(images)
        with torch.autocast("cpu", torch.bfloat16):
            assert model.stages(torch.zeros(1, 16, 8, 8, dtype=torch.bfloat16)).dtype is torch.float32
            half = model(images).float()
    assert (half - full).norm() <= 2e-2 * full.norm()


def test_a_network_in_halves_goes_by_torch(compiled, trained) -> None:
    model = optimize_for_inference(trained(create_model("lst20")).bfloat16())
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert model(torch.randn(4, 3, 32, 32)).isfinite().all()


def test_a_copy_computes_the_same_and_shares_nothing(compiled, trained) -> None:
    fast = InferenceLSTII(trained(LSTII(64, 16, 1, LSTOptions(), 4)))
    x = torch.randn(2, 64, 5, 5).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        expected = fast(x.clone())
        twin = copy.deepcopy(fast)
        fast.compiled.weights[0].zero_()
        assert torch.equal(twin(x.clone()), expected)
