"""The vocabulary: the frozen words of the papers, and further corruptions beside them."""

from __future__ import annotations

import logging
import sys
import threading
from importlib.metadata import EntryPoint

import pytest

from lst_robust import benchmark
from lst_robust.benchmark import (
    CORRUPTIONS,
    GROUPS,
    LABELS,
    SEVERITIES,
    STANDARD_15,
    Cell,
    add_corruption,
    corruption_sets,
    group_of,
    groups,
    known_corruptions,
    label_of,
    own_corruptions,
)
from lst_robust.errors import UsageError

pytestmark = pytest.mark.usefixtures("no_plugins")


def test_the_names_are_those_of_table_4_in_its_order():
    assert " ".join(GROUPS) == "noise blur weather digital extra"
    assert " ".join(STANDARD_15) == (
        "gaussian_noise shot_noise impulse_noise defocus_blur glass_blur motion_blur zoom_blur snow frost fog "
        "brightness contrast elastic_transform pixelate jpeg_compression"
    )
    assert (*STANDARD_15, "saturate", "spatter", "gaussian_blur", "speckle_noise") == CORRUPTIONS
    assert set(LABELS) == set(CORRUPTIONS) and SEVERITIES == (1, 2, 3, 4, 5)


@pytest.mark.parametrize("name", ["fog-3", "my_blur-5", "clean"])
def test_a_cell_is_found_by_its_name(name):
    assert Cell.from_name(name).name == name


@pytest.mark.parametrize("name", ["fog", "fog-0", "fog-6", "Fog-1", "-1", "fog-1-1", "clean-1 "])
def test_what_names_no_cell(name):
    with pytest.raises(ValueError, match="no such cell"):
        Cell.from_name(name)


def test_a_further_corruption_comes_last_and_changes_no_set_of_the_papers():
    add_corruption("my_fog", "weather", "My fog")
    add_corruption("dust", "own", "Dust")
    add_corruption("rain", "storms", "Rain")
    assert list(groups()) == [*GROUPS, "own", "storms"]
    assert groups()["weather"] == (*GROUPS["weather"], "my_fog")
    assert known_corruptions() == (*CORRUPTIONS, "my_fog", "dust", "rain")
    assert own_corruptions() == ("my_fog", "dust", "rain")
    assert (group_of("my_fog"), label_of("my_fog")) == ("weather", "My fog")
    sets = corruption_sets()
    assert sets["weather"] == GROUPS["weather"] and sets["all"] == CORRUPTIONS and sets["standard"] == STANDARD_15
    assert sets["own"] == ("my_fog", "dust", "rain") and sets["storms"] == ("rain",)


def test_a_corruption_that_is_added_again_moves():
    add_corruption("dust", "storms", "Dust")
    add_corruption("dust", "weather", "Dusty")
    assert own_corruptions() == ("dust",)
    assert (group_of("dust"), label_of("dust")) == ("weather", "Dusty")
    assert "storms" not in groups()


def test_a_corruption_that_is_not_known_has_a_group_and_a_label_all_the_same():
    assert (group_of("other_blur"), label_of("other_blur")) == ("own", "Other blur")
    assert "own" not in groups() and "own" not in corruption_sets()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fog", "own", "Fog"), "fog is a corruption of the papers"),
        (("My Blur", "own", "x"), "the corruption's name is 'My Blur': give up to 50 characters"),
        (("a" * 51, "own", "x"), "give up to 50 characters"),
        (("_x", "own", "x"), "the first of them a-z"),
        ((3, "own", "x"), "the corruption's name is 3"),
        (("noise", "own", "x"), "'noise' cannot be the name of a corruption"),
        (("clean", "own", "x"), "'clean' cannot be the name"),
        (("all", "own", "x"), "'all' cannot be the name"),
        (("own", "own", "x"), "'own' cannot be the name"),
        (("style", "own", "x"), "'style' cannot be the name of a corruption, because tables keep it for another"),
        (("model", "own", "x"), "'model' cannot be the name"),
        (("contrast_low", "own", "x"), "'contrast_low' cannot be the name"),
        (("fog_sd", "own", "x"), "'fog_sd' cannot be the name"),
        (("dust", "Own", "x"), "the group of dust is 'Own'"),
        (("dust", "standard", "x"), "'standard' cannot be the group of dust"),
        (("dust", "fog", "x"), "'fog' cannot be the group of dust"),
        (("dust", "dust", "x"), "'dust' cannot be the group of dust"),
        (("dust", "own", ""), "the label of dust is ''"),
        (("dust", "own", "a\nb"), "the label of dust is"),
    ],
)
def test_what_cannot_be_added_is_one_line(arguments, message):
    with pytest.raises(UsageError, match=message) as refused:
        add_corruption(*arguments)
    assert "\n" not in str(refused.value)
    assert known_corruptions() == CORRUPTIONS


@pytest.fixture
def plugins(monkeypatch, tmp_path):
    """plugins(name=source, ...): installed packages of one module, each an entry point."""

    def install(**sources: str) -> None:
        points = []
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(source)
            monkeypatch.delitem(sys.modules, name, raising=False)
            points.append(EntryPoint(name, name, benchmark.PLUGINS))
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setattr(benchmark, "_plugins_loaded", False)

        def found(*, group: str) -> list[EntryPoint]:
            assert group == "lst_robust.corruptions"
            asked.append(group)
            return points

        monkeypatch.setattr(benchmark, "entry_points", found)

    asked: list[str] = []
    install.asked = asked
    return install


REGISTERS = "from lst_robust.benchmark import add_corruption; add_corruption('{0}', 'own', '{0}')"


def test_plugins_are_loaded_when_names_are_first_asked_for_and_once(plugins):
    plugins(plugin_a=REGISTERS.format("dust"))
    assert plugins.asked == []
    assert own_corruptions() == ("dust",)
    assert label_of("dust") == "dust" and "own" in groups() and len(plugins.asked) == 1


def test_a_plugin_that_cannot_be_imported_is_one_warning_and_the_others_are_loaded(plugins, caplog):
    plugins(plugin_b="raise ValueError('a\\nb')", plugin_c=REGISTERS.format("rain"), plugin_d="import no_such_thing")
    with caplog.at_level(logging.WARNING, "lst_robust"):
        assert own_corruptions() == ("rain",)
        assert own_corruptions() == ("rain",)
    assert [record.getMessage() for record in caplog.records] == [
        "the corruptions of the plugin plugin_b (plugin_b) are left out, because it cannot be imported "
        "(ValueError: a b)",
        "the corruptions of the plugin plugin_d (plugin_d) are left out, because it cannot be imported "
        "(ModuleNotFoundError: No module named 'no_such_thing')",
    ]


def test_a_plugin_that_asks_for_names_gets_those_known_so_far(plugins):
    plugins(plugin_e="from lst_robust.benchmark import known_corruptions; assert len(known_corruptions()) == 19")
    assert own_corruptions() == ()


def test_threads_that_ask_at_once_all_know_the_plugin_s_names(plugins):
    plugins(plugin_f="import time; time.sleep(0.2)\n" + REGISTERS.format("dust"))
    found = []
    threads = [threading.Thread(target=lambda: found.append(own_corruptions())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [("dust",)] * 4
