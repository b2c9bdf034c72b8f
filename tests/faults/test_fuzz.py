"""Anything at all where images, suites and records are expected: what is meant or a clear refusal, nothing else."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lst_robust.corruptions import corrupt, corruption_names
from lst_robust.corruptions.presets import PRESETS
from lst_robust.errors import DataError, UsageError
from lst_robust.records.cell_file import to_json
from lst_robust.records.folder import read_record
from lst_robust.records.packed import packed_run
from lst_robust.records.record import Record
from lst_robust.suites import Suite, load_suite, suites_folder
from tests.faults.tally import counts
from tests.fixtures.records import RUN_FILE, record, records

FEW = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


# Images


DTYPES = (*["u1"] * 12, "i1", "u2", "i8", "f2", "f4", "f8", "?", "c8", "O", "U3", "S2", "M8[s]")
SIDES = st.one_of(st.integers(0, 40), st.sampled_from([15, 16, 17]))
SHAPES = st.one_of(
    st.tuples(SIDES, SIDES, st.just(3)),
    st.tuples(st.integers(0, 3), SIDES, SIDES, st.just(3)),
    st.tuples(st.integers(1, 3), st.integers(16, 40), st.integers(16, 40), st.just(3)),
    st.lists(st.integers(0, 20), max_size=5).map(tuple),
)


@st.composite
def images(draw: st.DrawFn) -> np.ndarray:
    """Any array: of any shape and dtype, turned, with steps, of other byte order, read-only."""
    shape, dtype = draw(SHAPES), np.dtype(draw(st.sampled_from(DTYPES)))
    rng = np.random.default_rng(draw(st.integers(0, 3)))
    image = np.asarray(rng.integers(0, 256, shape)).astype(dtype)
    view = draw(st.sampled_from(["plain", "reversed", "fortran", "steps", "swapped", "read-only"]))
    if view == "reversed" and image.ndim:
        image = image[::-1]
    elif view == "fortran":
        image = np.asfortranarray(image)
    elif view == "steps" and image.ndim > 1:
        image = np.repeat(image, 2, axis=1)[:, ::2]
    elif view == "swapped":
        image = image.astype(dtype.newbyteorder())
    elif view == "read-only":
        image.setflags(write=False)
    return image


ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just([1]))


def mostly(meant: st.SearchStrategy) -> st.SearchStrategy:
    """What is meant in four of five cases, anything in the others."""
    return st.integers(0, 4).flatmap(lambda die: meant if die else ANYTHING)


@FEW
@given(
    image=images(),
    name=mostly(st.sampled_from(corruption_names())),
    severity=mostly(st.integers(1, 5) | st.integers(1, 5).map(np.int64)),
    preset=mostly(st.sampled_from(PRESETS)),
    options=st.fixed_dictionaries(
        {},
        optional={
            "style": mostly(st.just("hendrycks")),
            "seed": mostly(st.integers()),
            "ids": ANYTHING,
            "workers": mostly(st.integers(-1, 3)),
        },
    ),
)
def test_corrupt_gives_uint8_of_the_same_shape_or_one_clear_line(image, name, severity, preset, options):
    counts["generated"] += 1
    before = image.copy()
    try:
        result = corrupt(image, name, severity, preset=preset, **_few_threads(options))
    except ValueError as error:
        assert isinstance(error, UsageError) and len(str(error).splitlines()) == 1, repr(error)
        assert len(str(error)) < 600
    else:
        assert isinstance(result, np.ndarray) and result.dtype == np.uint8 and result.shape == image.shape
        assert not np.shares_memory(result, image)
    assert image.tobytes() == before.tobytes() if image.dtype != object else image.tolist() == before.tolist()


def _few_threads(options: dict[str, Any]) -> dict[str, Any]:
    workers = options.get("workers")
    return options | {"workers": 2} if isinstance(workers, int) and workers > 2 else options


@FEW
@given(
    image=arrays.arrays(np.uint8, st.tuples(st.integers(16, 40), st.integers(16, 40), st.just(3))),
    severity=st.integers(1, 5),
)
@pytest.mark.parametrize(
    "name", ["gaussian_noise", "glass_blur", "snow", "elastic_transform", "spatter", "jpeg_compression"]
)
def test_any_picture_can_be_corrupted(name, image, severity):
    """Pictures that no camera makes: of one level, of single bright pixels."""
    counts["generated"] += 1
    before = image.copy()
    result = corrupt(image, name, severity, preset="imagenet")
    assert result.dtype == np.uint8 and result.shape == image.shape and np.array_equal(image, before)


# Suites


TEXT = (suites_folder() / "digits-c.yaml").read_text()
DATA = yaml.safe_load(TEXT)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=4),
    st.dates(), st.sampled_from(["all", "digits", "cifar", "short", "alexnet-imagenet-c", "fog", 10**40, -1, 0, ""]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6) | st.dates(), inner, max_size=3),
)


def paths(data: Any, above: tuple = ()) -> Iterator[tuple]:
    """Every place in nested dicts and lists."""
    yield above
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from paths(value, (*above, key))


def replaced(data: Any, path: tuple, value: Any) -> Any:
    """A copy with another value at a place."""
    if not path:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = replaced(data[path[0]], path[1:], value)
    return copy


@st.composite
def mutated(draw: st.DrawFn, data: Any, places: list[tuple]) -> Any:
    """Data with one to three of its values replaced, or a key added."""
    for path in draw(st.lists(st.sampled_from(places), min_size=1, max_size=3)):
        try:
            if draw(st.booleans()):
                data = replaced(data, path, draw(VALUES))
            else:
                data = {**data, draw(st.text(max_size=6)): draw(VALUES)}
        except (KeyError, IndexError, TypeError, ValueError):
            continue  # another value has taken its place
    return data


@st.composite
def spliced(draw: st.DrawFn, text: str) -> str:
    """Text with some pieces cut out, doubled or replaced."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        stop = start + draw(st.integers(0, 30))
        piece = draw(
            st.sampled_from(
                ["", text[start:stop] * 2, "\t", "\n", "*a", "&a ", "{", "[", "- ", ": ", "!!int ", "\0", "é", "'"]
            )
        )
        text = text[:start] + piece + text[stop:]
    return text


@contextmanager
def file(content: str | bytes, name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        yield path


def suite_or_refusal(content: str | bytes) -> None:
    counts["generated"] += 1
    with file(content, "s.yaml") as path:
        try:
            suite = load_suite(path)
        except UsageError as error:
            lines = str(error).split("\n")
            assert lines and all(line.startswith(str(path)) for line in lines), lines
            assert all(len(line) < 1_000 for line in lines)
        else:
            assert isinstance(suite, Suite) and len(suite.digest()) == 12
            json.dumps(suite.model_dump(mode="json"), allow_nan=False)
            with file(yaml.safe_dump(suite.model_dump(mode="json")), "t.yaml") as again:
                assert load_suite(again) == suite


@FEW
@given(st.one_of(st.text(max_size=60), st.binary(max_size=60), VALUES.map(lambda value: yaml.safe_dump(value))))
@example("a: 2024-13-45")
@example("=")
@example("a: " + "9" * 5000)
@example("a: 1:99999999999999999999:1.5")
@example("&a [*a]")
@example("[" * 5000)
def test_load_suite_of_anything_is_refused(content):
    suite_or_refusal(content)


@FEW
@given(mutated(DATA, list(paths(DATA))))
@example({**DATA, "training": {"recipe": "../digits-c"}})
@example({**DATA, "normaliser": DATA["normaliser"] | {"errors": {date(2024, 1, 1): [1] * 5}}})
@example({**DATA, "image_size": float("nan")})
@example({**DATA, "corruptions": [["fog"]]})
@example({**DATA, "training": {"recipe": "short", 3: 4}})
def test_load_suite_of_other_values_is_a_suite_or_refused(data):
    suite_or_refusal(yaml.safe_dump(data))


@FEW
@given(spliced(TEXT))
def test_load_suite_of_edited_text_is_a_suite_or_refused(text):
    suite_or_refusal(text)


# Records


SOUND = record()
VALID = to_json(SOUND).decode()
RECORD = json.loads(VALID)
RUN_JSON = RUN_FILE.model_dump_json()
PACKED_RUN = packed_run(RUN_FILE, records())


def record_or_refusal(content: str | bytes, name: str = "fog-3.json") -> Record | None:
    """What is read of a file beside a sound run.json; None where it is refused in one line."""
    counts["generated"] += 1
    with file(content, name) as path:
        path.with_name("run.json").write_text(RUN_JSON)
        try:
            found = read_record(path, "fog-3")
        except DataError as error:
            assert str(error).startswith(str(path)) and "\n" not in str(error), error
            return None
    packed = np.frombuffer(base64.b64decode(found.correct), dtype=np.uint8)
    bits = np.unpackbits(packed)[: found.protocol.n].astype(bool)
    assert len(bits) == found.protocol.n == len(found.correct_bits())
    assert found.top1_error == pytest.approx(100 * np.mean(~bits), rel=0, abs=1e-8)
    if found.calibration is not None:
        assert (sum(found.calibration.count), sum(found.calibration.correct)) == (len(bits), bits.sum())
        assert 0 <= found.calibration.ece() <= 100 and 0 <= found.calibration.brier <= 2
    if found.top5_error is not None:
        assert 0 <= found.top5_error <= found.top1_error
    for per_image in (found.predicted_classes(), found.confidences()):
        assert per_image is None or len(per_image) == len(bits)
    json.loads(to_json(found))
    return found


def test_a_sound_record_is_a_record():
    assert record_or_refusal(VALID) == record_or_refusal(PACKED_RUN, "run.parquet") == SOUND


@FEW
@given(
    st.one_of(
        st.text(max_size=60),
        st.binary(max_size=60),
        VALUES.map(lambda v: json.dumps(v, default=str, skipkeys=True)),
    ),
    st.sampled_from(["fog-3.json", "run.parquet"]),
)
@example("[" * 200_000, "fog-3.json")
@example("9" * 5000, "fog-3.json")
@example("NaN", "fog-3.json")
@example("PAR1", "run.parquet")
def test_read_record_of_anything_is_refused_in_one_line(content, name):
    assert record_or_refusal(content, name) is None


@FEW
@given(mutated(RECORD, list(paths(RECORD))))
@example(RECORD | {"top1_error": float("nan")})
@example(RECORD | {"correct": "é"})
@example(RECORD | {"correct": RECORD["correct"] + "\n"})
@example(RECORD | {"predicted": "é"})
@example(RECORD | {"confidence": RECORD["confidence"] + "\n"})
@example(RECORD | {"schema_version": 1})
@example(RECORD | {"schema_version": 3})
@example(RECORD | {"run": None})
@example(RECORD | {"a\nb": 1})
@example(RECORD | {"corruption": "clean", "severity": 3})
def test_read_record_of_other_values_never_contradicts_its_bits(data):
    record_or_refusal(json.dumps(data, default=str, skipkeys=True))


@FEW
@given(spliced(VALID))
def test_read_record_of_edited_text_never_contradicts_its_bits(text):
    record_or_refusal(text)


@FEW
@given(st.integers(0, len(VALID) - 1), st.integers(0, 7))
def test_read_record_with_one_bit_flipped_never_contradicts_its_bits(place, bit):
    content = bytearray(VALID.encode())
    content[place] ^= 1 << bit
    record_or_refusal(bytes(content))


@FEW
@given(st.integers(0, len(PACKED_RUN) - 1), st.integers(0, 7))
def test_a_packed_run_with_one_bit_flipped_is_refused(place, bit):
    content = bytearray(PACKED_RUN)
    content[place] ^= 1 << bit
    assert record_or_refusal(bytes(content), "run.parquet") is None


@FEW
@given(st.integers(0, len(PACKED_RUN) - 1), st.binary(max_size=40))
def test_a_packed_run_that_was_cut_or_ends_in_something_else_is_refused(place, tail):
    content = PACKED_RUN[:place] + tail
    assert record_or_refusal(content, "run.parquet") == (SOUND if content == PACKED_RUN else None)
