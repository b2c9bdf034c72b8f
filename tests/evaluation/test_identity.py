"""A number is never another network's or other images': what an evaluation takes over from an earlier one."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import lst_robust
from lst_robust.analysis.collect import collect_summaries
from lst_robust.data import digits as digits_module
from lst_robust.errors import CheckpointError, DataError, UsageError
from lst_robust.evaluation import runner
from lst_robust.models import save_checkpoint
from lst_robust.records.record import Run
from lst_robust.records.store import RUN_FILE, Store
from lst_robust.runtime.files import write_output
from lst_robust.runtime.progress import Silent
from lst_robust.suites import load_suite

PUBLISHED = Path(__file__).parents[2] / "results" / "published" / "digits-c"
FOG = {"corruptions": ["fog"], "severities": [3]}


class Watcher(Silent):
    """Also keeps the notes."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def evaluate(suite, tmp_path):
    """evaluate(model, folder="results", **options) -> (evaluation, notes and warnings)."""

    def call(model, folder: str = "results", suite=suite, **options):
        watcher = Watcher()
        asked = {"results_dir": tmp_path / folder, "observer": watcher, **FOG, **options}
        return lst_robust.evaluate(model, suite, **asked), watcher.notes + watcher.warnings

    return call


def errors(evaluation) -> list[float]:
    return [record.top1_error for record in evaluation.records.values()]


def classifier(activation: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    flat = [nn.AvgPool2d(4), nn.Flatten()]
    return nn.Sequential(*flat, nn.Linear(192, 64), activation, nn.Linear(64, 10))


def assert_another_run(evaluate, first, second, words: str, **options) -> None:
    """The second network is measured, has the numbers that it has alone, and a line says why it is another run."""
    before, _ = evaluate(first, **options)
    after, lines = evaluate(second, **options)
    alone, _ = evaluate(second, folder="alone", **options)
    assert after.measured == 2 and after.run != before.run
    assert errors(after) == errors(alone)
    assert [line for line in lines if words in line]
    again, lines = evaluate(first, **options)
    assert again.measured == 0 and again.run == before.run and errors(again) == errors(before)
    assert not lines


def test_the_same_weights_with_another_threshold_are_another_network(evaluate):
    options = {"checkpoint": PUBLISHED / "lst18.safetensors", "image_size": 32}
    networks = [lst_robust.create_model("lst18", 10, **options, tau=tau) for tau in (1e-4, 0.5)]
    assert_another_run(evaluate, *networks, "is another network (", name="lst18")


def test_networks_that_differ_in_an_activation_are_two(evaluate):
    assert_another_run(evaluate, classifier(nn.ReLU()), classifier(nn.Tanh()), "is another network (")


class Scaled(nn.Module):
    """Its setting is neither a weight nor in its repr."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain
        self.classify = classifier(nn.ReLU())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classify(images * self.gain)


def test_a_setting_that_no_weight_shows_makes_another_network(evaluate):
    assert_another_run(evaluate, Scaled(1.0), Scaled(1.0001), "is another network (")


CODE = """
from torch import nn

class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.linear = nn.Linear(3072, classes)
    def forward(self, x):
        return {sign}self.linear(x.flatten(1))

def build(num_classes, image_size):
    return Net(num_classes)
"""


def test_code_of_a_file_that_has_changed_makes_another_network(evaluate, tmp_path):
    file = tmp_path / "net.py"
    file.write_text(CODE.format(sign=""))
    torch.manual_seed(0)
    name = f"{file}:build"
    save_checkpoint(lst_robust.create_model(name, 10, image_size=32), tmp_path / "net.safetensors")
    options = {"checkpoint": tmp_path / "net.safetensors", "model_options": {}}
    before, _ = evaluate(name, **options)
    file.write_text(CODE.format(sign="-"))
    after, lines = evaluate(name, **options)
    assert after.measured == 2 and errors(after) != errors(before)
    assert [line for line in lines if "is another network (" in line]
    file.write_text(CODE.format(sign=""))
    assert evaluate(name, **options)[0].measured == 0


def test_code_inside_a_package_that_has_changed_shows_in_the_answers(evaluate, monkeypatch):
    model = classifier(nn.Hardtanh())
    before, _ = evaluate(model)
    with monkeypatch.context() as patch:
        patch.setattr(nn.Hardtanh, "forward", lambda self, x: torch.sin(3 * x))
        after, lines = evaluate(model)
        alone, _ = evaluate(model, folder="alone")
    assert after.measured == 2 and errors(after) == errors(alone)
    assert after.run.model.structure == before.run.model.structure
    assert [line for line in lines if "other answers to the probe images" in line]
    assert evaluate(model)[0].measured == 0


@pytest.mark.parametrize("name", ["lst18", "lst20", "resnet18"])
def test_threads_kernels_and_precision_are_no_other_network(evaluate, monkeypatch, name):
    torch.manual_seed(0)
    model = lst_robust.create_model(name, 10, image_size=32)
    assert evaluate(model, corruptions=["contrast"])[0].measured == 2
    assert evaluate(model, corruptions=["contrast"], amp=True)[0].measured == 0
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert evaluate(model, corruptions=["contrast"], workers=2)[0].measured == 0
    finally:
        torch.set_num_threads(threads)
    monkeypatch.setenv("LST_ROBUST_CORRUPTION_KERNELS", "plain")
    monkeypatch.setenv("LST_ROBUST_LST_KERNELS", "plain")
    assert evaluate(model, corruptions=["contrast"])[0].measured == 0


def test_answers_that_change_from_call_to_call_are_warned_of(evaluate):
    class Restless(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.randn(len(images), 10)

    _, lines = evaluate(Restless())
    assert [line for line in lines if "gives other answers each time" in line]


@pytest.fixture
def photographs_folder(tmp_path) -> Path:
    def draw(seed: int) -> Path:
        random = np.random.default_rng(seed)
        for number in range(12):
            place = tmp_path / "images" / "test" / ("cat", "dog")[number % 2]
            place.mkdir(parents=True, exist_ok=True)
            coarse = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(coarse).resize((40, 32)).save(place / f"{number}.png")
        return tmp_path / "images"

    return draw


def test_other_pixels_under_the_same_names_are_measured(evaluate, photographs_folder):
    suite = load_suite("imagefolder").model_copy(update={"training": None})
    torch.manual_seed(0)
    model = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(192, 2))
    options = {"suite": suite, "data_dir": photographs_folder(0)}
    before, _ = evaluate(model, **options)
    photographs_folder(1)
    after, lines = evaluate(model, **options)
    alone, _ = evaluate(model, folder="alone", **options)
    assert after.measured == 2 and errors(after) == errors(alone)
    assert after.run.protocol.images == before.run.protocol.images
    assert after.run.protocol.pixels != before.run.protocol.pixels
    assert [line for line in lines if "but other pixels" in line]
    with pytest.raises(DataError, match="pixels"):
        lst_robust.compare(before, after)
    photographs_folder(0)
    assert evaluate(model, **options)[0].measured == 0


def test_a_training_belongs_to_the_pixels_it_saw(photographs_folder, tmp_path):
    from lst_robust.training.trained import plan_training

    folder = photographs_folder(0)
    (folder / "test").rename(folder / "train")
    suite = load_suite("imagefolder")
    names = [plan_training("resnet18", suite, data_dir=folder).checkpoint]
    other = photographs_folder(1)
    (other / "train").rename(tmp_path / "old")
    (other / "test").rename(other / "train")
    names.append(plan_training("resnet18", suite, data_dir=folder).checkpoint)
    assert names[0] != names[1]


def test_records_of_earlier_releases_are_read_and_shown_and_not_gone_on_with(evaluate, model, tmp_path, suite):
    first, _ = evaluate(model, name="sum")
    store = Store(tmp_path / "old")
    for record in first.records.values():
        fields = json.loads(record.model_dump_json())
        for part, names in (("protocol", ("preprocess", "geometry", "pixels")), ("model", ("structure", "probe"))):
            for name in (*names, "code", "geometry"):
                fields[part].pop(name, None)
        del fields["pixels"]
        protocol, network = type(record.protocol)(**fields["protocol"]), type(record.model)(**fields["model"])
        folder = store.run_folder(Run(protocol, network))
        write_output(folder / f"{record.cell.name}.json", json.dumps(fields | {"schema_version": 2}).encode())
    assert folder.name.endswith("c8a174968155"), "the digest that the earlier release gave this run"
    runs = list(store.scan(None, pytest.fail))
    assert [len(records) for _, records in runs] == [2] and runs[0][0].protocol.pixels is None
    again, lines = evaluate(model, folder="old", name="sum")
    assert again.measured == 2
    assert [line for line in lines if "do not say of which pixels they are" in line]
    summaries = collect_summaries(tmp_path / "old", None, "none")
    captions = lst_robust.render(lst_robust.robustness_table(summaries), "md")
    assert len(summaries) == 2 and "pixels not hashed" in captions


def test_a_damaged_run_file_is_named_and_written_again(evaluate, model, tmp_path):
    first, _ = evaluate(model)
    path = Store(tmp_path / "results").run_folder(first.run) / RUN_FILE
    content = path.read_bytes()
    for damage in (b"", content[:100], content.replace(b'"answers": "', b'"answers": "AAAA'), b"{}"):
        path.write_bytes(damage)
        again, lines = evaluate(model)
        assert again.measured == 0 and again.run == first.run
        assert [line for line in lines if str(path) in line and "damaged" in line]
        assert path.read_bytes() == content


def test_ranks_with_different_networks_are_refused(evaluate, model, monkeypatch):
    class Two(runner.Ranks):
        def gather(self, value):
            if isinstance(value, tuple) and isinstance(value[0], Run):
                other = value[0]._replace(model=value[0].model.model_copy(update={"name": "other"}))
                return [(other, value[1]), value]
            return [value]

    monkeypatch.setattr(runner, "process_group", lambda: nullcontext(Two(1, 2)))
    with pytest.raises(UsageError, match="rank 1 evaluates another network or other images than rank 0"):
        evaluate(model)


def test_bundled_images_that_have_changed_are_other_images_too(evaluate, model, monkeypatch):
    before, _ = evaluate(model)
    pixels, labels = digits_module._digits()
    monkeypatch.setattr(digits_module, "_digits", lambda: (255 - pixels, labels))
    after, lines = evaluate(model)
    assert after.measured == 2 and after.run.protocol.pixels != before.run.protocol.pixels
    assert [line for line in lines if "but other pixels" in line]


def test_two_runs_of_one_network_have_two_names_in_a_table(evaluate, tmp_path, monkeypatch):
    model = classifier(nn.Hardtanh())
    evaluate(model, name="net")
    monkeypatch.setattr(nn.Hardtanh, "forward", lambda self, x: torch.sin(3 * x))
    evaluate(model, name="net")
    names = [summary.label for summary in collect_summaries(tmp_path / "results", None, "none")]
    assert len(set(names)) == 2 and all(name.startswith("net (") for name in names)
    for name in names:  # each of them selects its run
        selected = lst_robust.make_baseline(tmp_path / "results", models=[name])
        assert len(selected.entries) == 1


def test_the_run_says_what_it_is(evaluate, model):
    run = evaluate(model)[0].run
    assert run.protocol.preprocess == "suite" and len(run.protocol.pixels) == 32
    assert run.protocol.geometry.described() == "scaled to 32 x 32 (bicubic)"
    assert len(run.model.structure) == 64 and len(run.model.probe) == 32 and run.model.code is None


class Masked(nn.Module):
    """Most of its classes always answer -1e4, as masked ones do."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.classify = classifier(activation)
        self.register_buffer("masked", torch.arange(10) >= 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classify(images).masked_fill(self.masked, -1e4)


def test_masked_classes_do_not_hide_other_answers(evaluate, monkeypatch):
    model = Masked(nn.Hardtanh())
    evaluate(model)
    monkeypatch.setattr(nn.Hardtanh, "forward", lambda self, x: 1.01 * x)
    after, lines = evaluate(model)
    assert after.measured == 2
    assert [line for line in lines if "other answers to the probe images" in line]


def test_ranks_whose_networks_answer_otherwise_are_refused(evaluate, model, monkeypatch):
    class Two(runner.Ranks):
        def gather(self, value):
            if isinstance(value, tuple) and isinstance(value[0], Run):
                return [(value[0], value[1] + 1), value]
            return [value]

    monkeypatch.setattr(runner, "process_group", lambda: nullcontext(Two(1, 2)))
    with pytest.raises(UsageError, match="rank 1 evaluates another network"):
        evaluate(model)


def test_a_lost_run_file_is_written_again_without_a_word(evaluate, model, tmp_path):
    first, _ = evaluate(model)
    path = Store(tmp_path / "results").run_folder(first.run) / RUN_FILE
    path.unlink()
    again, lines = evaluate(model)
    assert (again.measured, again.run, lines) == (0, first.run, []) and path.is_file()


def test_wrappers_of_torch_are_the_network_inside(evaluate):
    model = classifier(nn.ReLU())
    first, _ = evaluate(model)
    again, _ = evaluate(nn.DataParallel(model))
    assert again.measured == 0 and again.run == first.run


def test_a_counter_that_an_evaluation_moves_starts_no_new_run(evaluate):
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls, self.classify = 0, classifier(nn.ReLU())

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return self.classify(images)

    model = Counting()
    assert [evaluate(model)[0].measured for _ in range(2)] == [2, 0]
    assert model.calls == 0, "it is a copy that is evaluated"


def test_a_hook_that_collects_starts_no_new_run(evaluate):
    model, seen = classifier(nn.ReLU()), []
    model[2].register_forward_hook(lambda module, inputs, output: seen.append(output.shape) or None)
    assert [evaluate(model)[0].measured for _ in range(2)] == [2, 0] and seen


def fails(images: torch.Tensor) -> torch.Tensor:
    raise AssertionError("only\ntwo images")


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (lambda: classifier(nn.ReLU()).half(), "RuntimeError: .*dtype"),
        (lambda: classifier(nn.ReLU()).to("meta"), "NotImplementedError"),
        (lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(10)), "cannot be copied to cpu|cannot classify"),
        (lambda: type("Net", (nn.Module,), {"forward": lambda self, x: fails(x)})(), "AssertionError: only two images"),
    ],
)
def test_a_network_that_cannot_be_evaluated_is_one_line(evaluate, network, words):
    with pytest.raises(UsageError, match=words) as refused:
        evaluate(network())
    assert "\n" not in str(refused.value)


def test_images_that_change_while_they_are_measured_are_noticed(evaluate, photographs_folder, tmp_path):
    class Changing(nn.Module):
        """Replaces the images behind the evaluation's back, once."""

        def __init__(self) -> None:
            super().__init__()
            self.classify = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(192, 2))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if len(images) == 12:
                photographs_folder(1)
            return self.classify(images)

    suite = load_suite("imagefolder").model_copy(update={"training": None})
    folder = photographs_folder(0)
    with pytest.raises(DataError, match="changed while clean was measured"):
        evaluate(Changing(), suite=suite, data_dir=folder)
    assert [path.name for path in (tmp_path / "results").rglob("*.json")] == [RUN_FILE]


def test_a_checkpoint_of_an_earlier_release_is_named_and_not_taken(photographs_folder, tmp_path):
    from lst_robust.training.trained import find_checkpoint, plan_training

    folder = photographs_folder(0)
    (folder / "test").rename(folder / "train")
    training = plan_training("resnet18", load_suite("imagefolder"), data_dir=folder)
    assert find_checkpoint(training, tmp_path) == tmp_path / training.checkpoint
    (tmp_path / training.earlier_checkpoint).write_text("")
    with pytest.raises(CheckpointError, match="--checkpoint, or move it away"):
        find_checkpoint(training, tmp_path)
    (tmp_path / training.checkpoint).write_text("")
    assert find_checkpoint(training, tmp_path) == tmp_path / training.checkpoint
