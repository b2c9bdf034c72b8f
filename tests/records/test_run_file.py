"""What a run is, once for all its cells: whole, and nothing that contradicts itself."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from pydantic import ValidationError

from lst_robust.records.run_file import RunFile
from tests.fixtures.records import ANSWERS, PROBED, RUN, RUN_FILE


def test_a_run_file_comes_back_as_it_was():
    again = RunFile.model_validate_json(RUN_FILE.model_dump_json())
    assert again == RUN_FILE and again.run == PROBED
    assert again.probe_answers().dtype == np.float32
    assert again.probe_answers().tolist() == ANSWERS.tolist()


def test_the_answers_are_little_endian_and_name_the_network():
    assert base64.b64decode(RUN_FILE.answers)[:8] == b"\0\0\0\0\0\0\x80\x3f"  # 0.0, 1.0
    assert RUN_FILE.model.probe == "e2c0a71510b5394df7773b63fb5f5437"
    assert RUN_FILE.run.model.model_copy(update={"probe": None}) == RUN.model
    assert RunFile.of(RUN, ANSWERS + 1).model.probe != RUN_FILE.model.probe


def test_a_run_of_release_0_1_has_no_answers():
    earlier = RunFile(protocol=RUN.protocol, model=RUN.model)
    assert (earlier.run, earlier.probe_answers()) == (RUN, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"answers": None}, "images, classes and answers are there together, or none of them is"),
        ({"images": None}, "images, classes and answers are there together, or none of them is"),
        ({"classes": 4}, "the answers are not those of 4 classes to 2 images"),
        (
            {"answers": base64.b64encode(ANSWERS[::-1].tobytes()).decode()},
            "not those that the network's identity names",
        ),
        ({"answers": "!"}, "Value error"),
        ({"images": 0}, "greater than or equal to 1"),
        ({"classes": -1}, "greater than or equal to 1"),
        ({"schema_version": 2}, "Input should be 1"),
        ({"protocol": None}, "Input should be an object"),
        ({"surprise": 1}, "Extra inputs are not permitted"),
    ],
)
def test_what_contradicts_itself_is_no_run_file(changes, message):
    content = json.dumps(json.loads(RUN_FILE.model_dump_json()) | changes)
    with pytest.raises(ValidationError, match=message):
        RunFile.model_validate_json(content)
