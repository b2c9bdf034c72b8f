"""Reading YAML: plain data only, and files that extend others."""

from __future__ import annotations

from pathlib import Path

import pytest

from lst_robust.errors import UsageError
from lst_robust.suites import load_suite
from lst_robust.suites.recipe import recipes_folder


def test_aliases_are_refused_before_they_can_expand(tmp_path):
    bomb = tmp_path / "bomb.yaml"
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    bomb.write_text("\n".join(lines))
    with pytest.raises(UsageError, match="line 2: aliases"):
        load_suite(bomb)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nname: b\n", "line 2: key 'name' twice"),
        ("- 1\n- 2\n", "expected keys and values, found list"),
        ("", "found NoneType"),
        ("a: [1,\n", "line 2"),
        ("a: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
        ("a: " + "x" * 1_000_001, "too large"),
        ("? [1, 2]\n: 3\n", "line 1"),
    ],
)
def test_files_that_are_no_suite(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_suite(path)


OWN = "name: mine\ndescription: my own\n"


def suite_file(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_an_extending_suite_has_the_keys_of_its_base_and_its_own(tmp_path):
    base = load_suite("digits-c")
    suite = load_suite(suite_file(tmp_path, f"extends: digits-c\n{OWN}batch_size: 7\n"))
    assert suite == base.model_copy(update={"name": "mine", "description": "my own", "batch_size": 7})


@pytest.mark.parametrize("changed", ["preset: cifar", "protocol: generated-jpeg", "dataset: {kind: image_folder}"])
def test_a_normaliser_is_not_inherited_by_a_suite_of_other_images(tmp_path, changed):
    key = changed.partition(":")[0]
    with pytest.raises(UsageError, match=rf"mine\.yaml: {key} is another than .*normaliser: null"):
        load_suite(suite_file(tmp_path, f"extends: digits-c\n{OWN}{changed}\n"))
    for lines, has_one in ((f"{changed}\nnormaliser: null", False), ("image_size: 64\nstyle: hendrycks", True)):
        suite = load_suite(suite_file(tmp_path, f"extends: digits-c\n{OWN}{lines}\n"))
        assert (suite.normaliser is not None) is has_one


def test_null_means_no_options(tmp_path):
    assert load_suite(suite_file(tmp_path, f"extends: digits-c\n{OWN}model_options: null\n")).model_options == {}


def test_a_recipes_file_is_looked_for_beside_the_suites(tmp_path, monkeypatch):
    monkeypatch.chdir(Path("/"))
    short = (recipes_folder() / "short.yaml").read_text()
    suite_file(tmp_path, short, "sub/recipe.yaml")
    text = f"extends: digits-c\n{OWN}training: {{recipe: recipe.yaml, epochs: 4}}\n"
    base = suite_file(tmp_path, text, "sub/base.yaml")
    assert load_suite(base).training.epochs == 4
    assert load_suite(suite_file(tmp_path, f"extends: sub/base.yaml\n{OWN}")).training.epochs == 4


def test_a_number_that_yaml_takes_for_a_text_is_explained(tmp_path):
    with pytest.raises(UsageError, match=r"training\.lr: YAML reads 1e-3 as a text: write 0\.001"):
        load_suite(suite_file(tmp_path, f"extends: digits-c\n{OWN}training: {{recipe: short, lr: 1e-3}}\n"))


def test_a_key_is_replaced_as_a_whole_and_null_takes_it_away(tmp_path):
    text = f"extends: digits-c\n{OWN}normaliser: null\nmodel_options: {{}}\ntraining: {{recipe: short, epochs: 3}}\n"
    suite = load_suite(suite_file(tmp_path, text))
    assert (suite.normaliser, suite.model_options) == (None, {})
    assert (suite.training.epochs, suite.training.optimizer) == (3, "sgd"), "nothing of the base's recipe is left"
    with pytest.raises(UsageError, match=r"training\.batch_size: Field required"):
        load_suite(suite_file(tmp_path, f"extends: digits-c\n{OWN}training: {{epochs: 3}}\n"))


def test_the_digest_depends_on_the_content_and_not_on_the_base(tmp_path):
    whole = load_suite("ablation-elu")
    text = "extends: cifar100-c\nname: ablation-elu\ndescription: other\nprotocol: generated\n"
    assert load_suite(suite_file(tmp_path, text)).digest() == whole.digest()
    assert load_suite(suite_file(tmp_path, text + "version: 2\n")).digest() != whole.digest()


def test_a_file_is_found_beside_the_one_that_extends_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    suite_file(tmp_path, f"extends: deep/middle.yaml\n{OWN}seed: 3\n")
    suite_file(tmp_path, f"extends: ../base.yml\n{OWN}seed: 2\nbatch_size: 7\n", "deep/middle.yaml")
    suite_file(tmp_path, f"extends: imagefolder\n{OWN}batch_size: 6\nlimit: 5\n", "base.yml")
    suite = load_suite("mine.yaml")
    assert (suite.seed, suite.batch_size, suite.limit, suite.dataset.kind) == (3, 7, 5, "image_folder")


@pytest.mark.parametrize("key", ["name", "description"])
def test_a_suite_says_itself_what_it_is(tmp_path, key):
    own = [line for line in OWN.splitlines() if not line.startswith(key)]
    path = suite_file(tmp_path, "\n".join(["extends: digits-c", *own]))
    with pytest.raises(UsageError, match=f"^{path}: {key}: Field required$"):
        load_suite(path)


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("digit-c", "extends: unknown suite 'digit-c': did you mean digits-c"),
        ("none.yaml", r"extends: .*none\.yaml: cannot be read \(No such file"),
        ("3", "extends: give the name of a suite, or its YAML file"),
        ("[digits-c]", "extends: give the name of a suite, or its YAML file"),
        ("null", "extends: give the name of a suite, or its YAML file"),
        ("list.yaml", r"extends: .*list\.yaml: expected keys and values, found list"),
        ("bad.yaml", r"extends: .*bad\.yaml, line 2: "),
        ("mine.yaml", r"in a circle: .*mine\.yaml -> .*mine\.yaml"),
        ("./sub/../mine.yaml", "in a circle"),
        ("round.yaml", r"in a circle: .*mine\.yaml -> .*round\.yaml -> .*mine\.yaml"),
    ],
)
def test_a_base_that_cannot_be_meant_is_one_line_with_file_and_key(tmp_path, base, message):
    (tmp_path / "sub").mkdir()
    suite_file(tmp_path, "- 1\n", "list.yaml")
    suite_file(tmp_path, "a: [1,\n", "bad.yaml")
    suite_file(tmp_path, f"extends: mine.yaml\n{OWN}", "round.yaml")
    path = suite_file(tmp_path, f"extends: {base}\n{OWN}")
    with pytest.raises(UsageError, match=message) as caught:
        load_suite(path)
    file = tmp_path / "round.yaml" if base == "round.yaml" else path
    assert len(caught.value.args) == 1 and str(caught.value).startswith(f"{file}: extends: ")


def test_a_mistake_is_reported_in_the_file_in_which_it_stands(tmp_path):
    base = suite_file(tmp_path, f"extends: digits-c\n{OWN}seed: -1\nlimit: 0\npreset: cifra\n", "base.yaml")
    path = suite_file(tmp_path, f"extends: base.yaml\n{OWN}batch_size: 0\nlimit: 5\n")
    with pytest.raises(UsageError) as caught:
        load_suite(path)
    files_and_keys = {tuple(line.split(": ")[:2]) for line in caught.value.args}
    assert files_and_keys == {(str(base), "seed"), (str(base), "preset"), (str(path), "batch_size")}
