"""Kinds of data sets from outside: registered by hand or by an installed package."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint
from typing import Literal

import pytest
import yaml

import lst_robust
from lst_robust.data import DatasetConfig, DatasetKind, dataset_kind, dataset_kinds, open_source, registry
from lst_robust.data.checks import verify
from lst_robust.data.digits import DigitsDataset, DigitsSource
from lst_robust.errors import UsageError
from lst_robust.suites import load_suite
from tests.fixtures.networks import PixelSum


class Toys(DatasetConfig):
    """Toys, which are digits."""

    kind: Literal["toys"]
    count: int = 20


TOYS = DatasetKind(
    config=Toys,
    open=lambda config, root, split, image_size: DigitsSource(split, image_size).subset(config.count),
)
BROKEN = "not a kind"


@pytest.fixture(autouse=True)
def own_kinds(monkeypatch):
    """What a test registers is gone after it."""
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(registry, "_entry_points_loaded", False)


@pytest.fixture
def toy_suite(tmp_path):
    data = {"extends": "digits-c", "name": "toys", "description": "toys", "dataset": {"kind": "toys", "count": 30}}
    (tmp_path / "toys.yaml").write_text(yaml.safe_dump(data | {"normaliser": None}))
    return tmp_path / "toys.yaml"


def test_a_registered_kind_goes_all_the_way(toy_suite, tmp_path):
    assert lst_robust.register_dataset(TOYS) is TOYS
    suite = load_suite(toy_suite)
    assert suite.dataset == Toys(kind="toys", count=30) and suite.model_dump()["dataset"]["count"] == 30
    assert len(open_source(suite.dataset, "test", image_size=32)) == 30
    findings = list(verify(suite.dataset, image_size=32))
    assert {f.what: f.found for f in findings}["test images"] == "30" and all(f.ok for f in findings)
    measured = lst_robust.evaluate(
        PixelSum(), suite, corruptions=["contrast"], severities=[1], results_dir=tmp_path / "results"
    )
    assert measured.run.protocol.n == 30


def test_without_registration_the_nearest_names_are_offered(toy_suite):
    toy_suite.write_text(toy_suite.read_text().replace("kind: toys", "kind: digit"))
    with pytest.raises(UsageError, match=r"toys\.yaml: dataset: unknown dataset kind 'digit': did you mean digits"):
        load_suite(toy_suite)
    with pytest.raises(UsageError, match="unknown dataset kind 'toys'"):
        open_source(Toys(kind="toys"), "test", image_size=32)


def test_an_option_is_checked_by_the_kinds_own_class(toy_suite):
    lst_robust.register_dataset(TOYS)
    toy_suite.write_text(toy_suite.read_text().replace("count: 30", "count: many"))
    with pytest.raises(UsageError, match=r"toys\.yaml: dataset\.count: Input should be a valid integer"):
        load_suite(toy_suite)


def test_no_official_files_are_expected_of_it(toy_suite):
    lst_robust.register_dataset(TOYS)
    toy_suite.write_text(toy_suite.read_text() + "protocol: official\n")
    with pytest.raises(UsageError, match="there are no official files of toys: set protocol to generated"):
        load_suite(toy_suite)


def test_registered_again_the_later_one_counts():
    lst_robust.register_dataset(TOYS)
    later = DatasetKind(config=Toys, open=TOYS.open, fixed_size=True)
    lst_robust.register_dataset(later)
    assert dataset_kind("toys") is later and list(dataset_kinds())[-1] == "toys"


@pytest.mark.parametrize("kind", [None, "toys", Toys, DatasetKind])
def test_what_is_no_record_is_refused(kind):
    with pytest.raises(UsageError, match=r"kind is .*: give a DatasetKind"):
        lst_robust.register_dataset(kind)


def test_a_shipped_kind_is_not_replaced():
    with pytest.raises(UsageError, match="'digits' ships with lst-robust: choose another name"):
        lst_robust.register_dataset(DatasetKind(config=DigitsDataset, open=TOYS.open))


def test_a_shipped_kind_is_named_as_its_file():
    assert tuple(dataset_kinds()) == registry.MODULES


def offered(monkeypatch, *values: str) -> None:
    """As if installed packages offered these."""
    entries = [EntryPoint(f"entry{number}", value, registry.ENTRY_POINTS) for number, value in enumerate(values)]
    monkeypatch.setattr(registry, "entry_points", lambda group: entries if group == "lst_robust.datasets" else [])


def test_installed_packages_offer_kinds(monkeypatch, toy_suite):
    offered(monkeypatch, f"{__name__}:TOYS")
    assert load_suite(toy_suite).dataset.count == 30
    assert "toys" in dataset_kinds()


def test_a_module_registers_its_own_kinds(monkeypatch, tmp_path):
    (tmp_path / "toy_package.py").write_text(
        f"import lst_robust\nfrom lst_robust.data import dataset_kinds\nfrom {__name__} import TOYS\n"
        "assert 'toys' not in dataset_kinds()\nlst_robust.register_dataset(TOYS)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    offered(monkeypatch, "toy_package")
    assert dataset_kind("toys") is TOYS


def test_what_is_broken_in_them_costs_a_warning(monkeypatch, caplog):
    offered(monkeypatch, "no_such_package:TOYS", f"{__name__}:BROKEN", f"{__name__}:TOYS")
    with caplog.at_level(logging.WARNING):
        assert "toys" in dataset_kinds() and "toys" in dataset_kinds()
    assert [record.name for record in caplog.records] == [registry.__name__] * 2, "each once"
    assert "entry0" in caplog.messages[0] and "no_such_package" in caplog.messages[0]
    assert "entry1" in caplog.messages[1] and "give a DatasetKind" in caplog.messages[1]


def test_they_are_not_looked_at_for_a_shipped_kind(monkeypatch):
    monkeypatch.setattr(registry, "entry_points", lambda group: pytest.fail("installed packages were searched"))
    assert load_suite("digits-c").dataset.kind == "digits"
