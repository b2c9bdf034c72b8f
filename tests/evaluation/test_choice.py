"""Which networks a list of words means."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from lst_robust.errors import UsageError
from lst_robust.evaluation.choice import MAX_BYTES, NetworkChoice, chosen_networks, requests_of
from lst_robust.models import model_names


def names(*words, **options) -> list:
    return [choice.model for choice in chosen_networks(words, **options)]


@pytest.fixture
def networks(tmp_path):
    """networks(text) -> the word for a file with that text."""

    def write(text: str) -> str:
        (tmp_path / "networks.txt").write_text(text)
        return f"@{tmp_path / 'networks.txt'}"

    return write


def test_names_patterns_and_modules_come_in_their_order(model):
    assert names("resnet18", model, "alexnet") == ["resnet18", model, "alexnet"]
    assert names("lst*") == [name for name in model_names() if name.startswith("lst")]
    assert names("vgg16", "resnet1?") == ["vgg16", "resnet18"]


def test_a_network_that_a_pattern_means_too_is_there_once():
    assert names("resnet18", "resnet?8", "resnet[1]8") == ["resnet18"]
    assert names("resnet?8", "resnet18") == ["resnet18"]


def test_a_network_that_is_named_twice_is_refused(networks):
    for words in (("lst18", "alexnet", "lst18"), ("lst18", networks("lst18")), (networks("lst18\nlst18 # again"),)):
        with pytest.raises(UsageError, match="lst18 is named twice: name each network once"):
            chosen_networks(words)


def test_a_module_that_is_given_twice_is_called_by_its_class():
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    with pytest.raises(UsageError, match=r"^Sequential is named twice: name each network once$"):
        chosen_networks([network, network])


def test_the_same_network_with_other_weights_or_options_is_another(networks, tmp_path):
    word = networks("lst18 checkpoint=a.pth\nlst18 checkpoint=/b.pth\nlst18 tau=1e-3\nlst18\n")
    assert chosen_networks([word]) == [
        NetworkChoice("lst18", tmp_path / "a.pth"),
        NetworkChoice("lst18", Path("/b.pth")),
        NetworkChoice("lst18", options={"tau": "1e-3"}),
        NetworkChoice("lst18"),
    ]


def test_a_file_has_comments_empty_lines_and_quotes(networks, tmp_path):
    word = networks("# ours\n\nresnet?8 stem=3x3s1  # small\nalexnet 'checkpoint=my weights.pth'\n")
    assert chosen_networks([word]) == [
        NetworkChoice("resnet18", options={"stem": "3x3s1"}, of_pattern=True),
        NetworkChoice("alexnet", tmp_path / "my weights.pth"),
    ]


def test_paths_in_a_file_are_relative_to_its_folder(networks, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    modules = "nets/net.py:build\n/net.py:build\n~/net.py:build\n"
    word = networks(modules + "lst18 checkpoint=~nobody-here/a.pth\nlst18 checkpoint=~/a.pth\n")
    assert chosen_networks([word]) == [
        NetworkChoice(f"{tmp_path}/nets/net.py:build"),
        NetworkChoice("/net.py:build"),
        NetworkChoice(f"{tmp_path}/home/net.py:build"),
        NetworkChoice("lst18", tmp_path / "~nobody-here" / "a.pth"),
        NetworkChoice("lst18", tmp_path / "home" / "a.pth"),
    ]
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "nets.txt").write_text("net.py:build")
    assert names("@~/nets.txt") == [f"{tmp_path}/home/net.py:build"]
    monkeypatch.chdir(tmp_path / "home")
    assert names("@nets.txt") == ["net.py:build"]


def test_a_file_may_be_written_on_windows(tmp_path):
    file = tmp_path / "networks.txt"
    file.write_bytes(b"\xef\xbb\xbflst18\r\nalexnet\r\n")
    assert names(f"@{file}") == ["lst18", "alexnet"]


def test_a_network_that_is_written_in_two_ways_is_refused(networks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("")
    with pytest.raises(UsageError, match=r"\./net\.py:f is named twice, the first time as net\.py:f: name each"):
        requests_of(["net.py:f", "./net.py:f"])
    with pytest.raises(UsageError, match="lst18 is named twice: name each network once"):
        requests_of(["lst18", networks("lst18 tau=1e-3")], model_options={"tau": "1e-3"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "names no network: write one a line"),
        ("# nothing\n", "names no network"),
        ("lst18\nresnot*\n", r"line 2: no network matches 'resnot\*'"),
        ("lst18 checkpoint a.pth", "line 1: 'checkpoint': after the name stand checkpoint=FILE and options"),
        ("lst18 =3", "line 1: '=3': after the name"),
        ("lst* checkpoint=a.pth", r"line 1: 'lst\*' with a checkpoint: the weights are of one network"),
        ("lst18 'checkpoint=a.pth", "line 1: No closing quotation: put a name .* in quotes, and close"),
        ("lst18 checkpoint=a.pth\\", "line 1: No escaped character: put a name"),
        ("lst18 checkpoint=", "line 1: 'checkpoint=': after the name"),
        ("lst18 tau=1e-3 tau=1e-4", "line 1: lst18 has two values of tau, '1e-3' and '1e-4': give one of them"),
        ("lst18" + " " * MAX_BYTES + "tau=1e-3", "is larger than 1,000,000 bytes"),
        ("@other.txt", "line 1: '@other.txt': a file of networks cannot name another"),
        ("\xff", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_meant_is_one_line(networks, tmp_path, text, reason):
    word = networks("")
    (tmp_path / "networks.txt").write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=reason) as refused:
        chosen_networks([word])
    assert "\n" not in str(refused.value) and "networks.txt" in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    for word in ("@nowhere.txt", "@", f"@{tmp_path}"):
        with pytest.raises(UsageError, match=r"there is no file .* of networks"):
            chosen_networks([word])


def test_options_go_to_the_networks_that_know_them(networks):
    word = networks("lst18\nalexnet stem=3x3s1-pool\ntorchvision:resnet18\n")
    requests = requests_of([word], "digits-c", model_options={"tau": "1e-3", "weights": "DEFAULT"})
    given = [request.model_options for request in requests]
    assert given == [{"tau": "1e-3"}, {"stem": "3x3s1-pool"}, {"weights": "DEFAULT"}]
    assert [request.model_options for request in requests_of(["lst18", "alexnet"], "digits-c")] == [None, None]
    mixed = requests_of(["lst18", "torchvision:resnet18"], "digits-c", model_options={"weights": "DEFAULT"})
    assert mixed[0].options == mixed[0].suite.model_options, "those of the suite stay where none is given"


def test_an_option_that_no_network_knows_is_refused():
    with pytest.raises(UsageError, match="none of the 2 networks has an option 'colour'"):
        requests_of(["lst18", "alexnet"], "digits-c", model_options={"colour": "red"})


def test_what_belongs_to_one_network_is_refused_for_several(model):
    with pytest.raises(UsageError, match=r"checkpoint is 'a.pth': name it in a file of networks"):
        requests_of(["lst18", "alexnet"], "digits-c", checkpoint="a.pth")
    with pytest.raises(UsageError, match="name is 'mine': leave it out"):
        requests_of(["lst18", model], "digits-c", name="mine")


def test_one_network_is_asked_for_as_ever(tmp_path):
    [request] = requests_of(["lst18"], "digits-c", checkpoint=tmp_path / "a.pth", model_options={"tau": "1e-3"})
    assert (request.checkpoint, request.model_options) == (tmp_path / "a.pth", {"tau": "1e-3"})
    with pytest.raises(UsageError, match="did you mean lst18"):
        requests_of(["lst81", "alexnet"], "digits-c")
    with pytest.raises(UsageError, match="models is 'lst18': give a list of names and networks"):
        requests_of("lst18")
    with pytest.raises(UsageError, match=r"model_options is \['stem'\]: give a dict"):
        requests_of(["lst18", "alexnet"], model_options=["stem"])
    with pytest.raises(UsageError, match="models is empty"):
        requests_of([])
