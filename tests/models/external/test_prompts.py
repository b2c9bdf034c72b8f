"""Which sentences tell a zero-shot network of the classes."""

from __future__ import annotations

import pytest

from lst_robust.data.imagenet import wnids
from lst_robust.errors import UsageError
from lst_robust.models.external.prompts import prompts_for

open_clip = pytest.importorskip("open_clip", reason="open_clip_torch is an optional extra")


def test_imagenet_has_the_names_and_templates_of_openai():
    prompts = prompts_for("clip", wnids())
    assert (prompts.kind, prompts.names) == ("imagenet-80", tuple(open_clip.IMAGENET_CLASSNAMES))
    assert len(prompts.templates) == 80 and prompts.templates[0]("tench") == "a bad photo of a tench."


def test_a_part_of_imagenet_has_the_names_of_its_wnids():
    part = (wnids()[999], wnids()[0])
    assert prompts_for("clip", part).names == (open_clip.IMAGENET_CLASSNAMES[999], "tench")


def test_other_classes_have_their_own_names_in_simple_sentences():
    prompts = prompts_for("clip", ("aquarium_fish", "apartment_building/outdoor", "cat"))
    assert prompts.kind == "simple" and prompts.names == ("aquarium fish", "apartment building outdoor", "cat")
    assert len(prompts.templates) == 7 and prompts.templates[0]("cat") == "itap of a cat."


@pytest.mark.parametrize("classes", [("0", "1"), ("n00000001", "n01440764"), ("cat", "-"), ("a", "b")])
def test_classes_without_words_are_refused(classes):
    with pytest.raises(UsageError, match="is no word: name the class folders in words"):
        prompts_for("clip", classes)


def test_the_identity_changes_with_every_part():
    told = [
        prompts_for("clip", ("cat", "dog")),
        prompts_for("clip", ("dog", "cat")),
        prompts_for("clip", ("cat", "dog"), "imagenet-80"),
        prompts_for("clip", (wnids()[0], wnids()[1])),
    ]
    assert len({prompts.identity for prompts in told}) == 4
    assert told[0].identity.startswith("simple ") and told[2].identity.startswith("imagenet-80 ")
    assert prompts_for("clip", ("cat", "dog"), "simple").identity == told[0].identity
