"""The options of --slurm: what is passed on, and what cannot be meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lst_robust.distribution.slurm_options import MINUTES, minutes_of, parameters_of
from lst_robust.errors import UsageError


def test_defaults():
    assert parameters_of({}) == ({"time": MINUTES, "signal_delay_s": 90}, {"requeue": True})


def test_names_with_dashes_and_numbers():
    known, _ = parameters_of({"cpus-per-task": "8", "partition": "gpu", "comment": "5 digits", "time": "1:30:00"})
    assert known == {"cpus_per_task": 8, "partition": "gpu", "comment": "5 digits", "time": 90, "signal_delay_s": 90}


def test_leading_zeros_belong_to_a_name():
    known, _ = parameters_of({"account": "00123", "reservation": "0042", "nice": "0"})
    assert (known["account"], known["reservation"], known["nice"]) == ("00123", "0042", 0)


def test_a_number_of_too_many_digits_stays_as_it_is():
    assert parameters_of({"mem": "9" * 5000})[0]["mem"] == "9" * 5000


def test_a_short_job_hears_of_its_end_when_most_of_it_is_over():
    assert parameters_of({"time": "2"})[0]["signal_delay_s"] == 30
    assert parameters_of({"time": "2", "signal_delay_s": "10"})[0]["signal_delay_s"] == 10


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("240", 240),
        ("90:30", 91),
        ("4:00:00", 240),
        ("0:01:30", 2),
        ("1-12", 2160),
        ("1-12:30", 2190),
        ("2-0:0:1", 2881),
    ],
)
def test_times_as_sbatch_has_them(text, minutes):
    assert minutes_of(text) == minutes


@given(days=st.integers(0, 300), hours=st.integers(0, 23), minutes=st.integers(1, 59))
def test_days_hours_and_minutes_add_up(days, hours, minutes):
    assert minutes_of(f"{days}-{hours}:{minutes}") == (24 * days + hours) * 60 + minutes


@pytest.mark.parametrize(
    "text", ["abc", "0", "-5", "1.5", "1:2:3:4", "1-", "-1", "٣", "", "4h", "999999999999", "0:59"]
)
def test_times_that_cannot_be_meant(text):
    with pytest.raises(UsageError, match="give ") as raised:
        minutes_of(text)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"": "gpu"}, "give a long option of sbatch"),
        ({"partition": ""}, "give a long option of sbatch"),
        ({"-p": "gpu"}, "give a long option of sbatch"),
        ({"a b": "gpu"}, "give a long option of sbatch"),
        ({"nodes": "2"}, "each task is one process on one node"),
        ({"ntasks-per-node": "2"}, "each task is one process on one node"),
        ({"array": "0-5"}, "lst-robust sets array itself"),
        ({"array-parallelism": "4"}, "lst-robust sets array-parallelism itself"),
        ({"setup": "module load cuda"}, "setup is of submitit and no option of sbatch"),
        ({"use_srun": "false"}, "use_srun is of submitit and no option of sbatch"),
        ({"cpus-per-task": "2", "cpus_per_task": "4"}, "--slurm gives cpus_per_task two values, 2 and 4"),
        ({"comment": "a\ntouch ran"}, "give a value of one line"),
        ({"time": "abc"}, "--slurm time=abc: give minutes, such as 240"),
        ({"time": "9" * 5000}, "give minutes, such as 240"),
    ],
)
def test_options_that_cannot_be_meant(options, says):
    with pytest.raises(UsageError, match=says):
        parameters_of(options)
