"""The constants, each against the figure that the references' scripts print; written down here a second time by hand.

No image is corrupted here, so that the mutation tester can run this file a thousand times.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from lst_robust.benchmark import CORRUPTIONS
from lst_robust.corruptions.presets import PRESETS, STYLES
from lst_robust.corruptions.registry import constants

SCRIPTS = {
    # make_imagenet_c.py | make_tinyimagenet_c.py | make_cifar_c.py, one group of figures a severity
    "gaussian_noise": (".08 .12 .18 .26 .38", ".04 .08 .12 .15 .18", ".04 .06 .08 .09 .10"),
    "shot_noise": ("60 25 12 5 3", "250 100 50 30 15", "500 250 100 75 50"),
    "impulse_noise": (".03 .06 .09 .17 .27", ".01 .02 .05 .08 .14", ".01 .02 .03 .05 .07"),
    "speckle_noise": (".15 .2 .35 .45 .6", ".15 .2 .25 .3 .35", ".06 .1 .12 .16 .2"),
    "gaussian_blur": ("1 2 3 4 6", ".5 .75 1 1.25 1.5", ".4 .6 .7 .8 1"),
    "defocus_blur": (
        "3,.1 4,.5 6,.5 8,.5 10,.5",
        ".5,.6 1,.1 1.5,.1 2.5,.01 3,.1",
        ".3,.4 .4,.5 .5,.6 1,.2 1.5,.1",
    ),
    "glass_blur": (
        ".7,1,2 .9,2,1 1,2,3 1.1,3,2 1.5,4,2",
        ".1,1,1 .5,1,1 .6,1,2 .7,2,1 .9,2,2",
        ".05,1,1 .25,1,1 .4,1,1 .25,1,2 .4,1,2",
    ),
    "motion_blur": (
        "10,3 15,5 15,8 15,12 20,15",
        "10,1 10,1.5 10,2 10,2.5 12,3",
        "6,1 6,1.5 6,2 8,2 9,2.5",
    ),
    "zoom_blur": (
        "1,1.11,.01 1,1.16,.01 1,1.21,.02 1,1.26,.02 1,1.31,.03",
        "1,1.06,.01 1,1.11,.01 1,1.16,.01 1,1.21,.01 1,1.26,.01",
        "1,1.06,.01 1,1.11,.01 1,1.16,.01 1,1.21,.01 1,1.26,.01",
    ),
    "snow": (
        ".1,.3,3,.5,10,4,.8 .2,.3,2,.5,12,4,.7 .55,.3,4,.9,12,8,.7 .55,.3,4.5,.85,12,8,.65 .55,.3,2.5,.85,12,12,.55",
        ".1,.2,1,.6,8,3,.8 .1,.2,1,.5,10,4,.8 .15,.3,1.75,.55,10,4,.7 .25,.3,2.25,.6,12,6,.65 .3,.3,1.25,.65,14,12,.6",
        ".1,.2,1,.6,8,3,.95 .1,.2,1,.5,10,4,.9 .15,.3,1.75,.55,10,4,.9 .25,.3,2.25,.6,12,6,.85 .3,.3,1.25,.65,14,12,.8",
    ),
    "frost": (
        "1,.4,1 .8,.6,1 .7,.7,1 .65,.7,1 .6,.75,1",
        "1,.3,.3 .9,.4,.3 .8,.45,.3 .75,.5,.3 .7,.55,.3",
        "1,.2,.2 1,.3,.2 .9,.4,.2 .85,.4,.2 .75,.45,.2",
    ),
    "fog": (
        "1.5,2,256 2,2,256 2.5,1.7,256 2.5,1.5,256 3,1.4,256",
        ".4,3,64 .7,3,64 1,2.5,64 1.5,2,64 2,1.75,64",
        ".2,3,32 .5,3,32 .75,2.5,32 1,2,32 1.5,1.75,32",
    ),
    "brightness": (".1 .2 .3 .4 .5", ".1 .2 .3 .4 .5", ".05 .1 .15 .2 .3"),
    "contrast": (".4 .3 .2 .1 .05", ".4 .3 .2 .1 .05", ".75 .5 .4 .3 .15"),
    "saturate": (
        ".3,0 .1,0 2,0 5,.1 20,.2",
        ".3,0 .1,0 2,0 5,.1 30,.2",
        ".3,0 .1,0 1.5,0 2,.1 2.5,.2",
    ),
    "elastic_transform": (  # in units of the last figure, the side; 244 is the script's own
        "2,.7,.1,244 2,.08,.2,244 .05,.01,.02,244 .07,.01,.02,244 .12,.01,.02,244",
        "0,0,.08,64 .05,.3,.06,64 .1,.08,.06,64 .1,.03,.03,64 .16,.03,.02,64",
        "0,0,.08,32 .05,.2,.07,32 .08,.06,.06,32 .1,.04,.05,32 .1,.03,.03,32",
    ),
    "pixelate": (".6 .5 .4 .3 .25", ".9 .8 .7 .6 .5", ".95 .9 .85 .75 .65"),
    "jpeg_compression": ("25 18 15 10 7", "65 58 50 40 25", "80 65 58 50 40"),
    "spatter": (  # the last figure: 0 water, 1 mud
        ".65,.3,4,.69,.6,0 .65,.3,3,.68,.6,0 .65,.3,2,.68,.5,0 .65,.3,1,.65,1.5,1 .67,.4,1,.65,1.5,1",
        ".62,.1,.7,.7,.6,0 .65,.1,.8,.7,.6,0 .65,.3,1,.69,.6,0 .65,.1,.7,.68,.6,1 .65,.1,.5,.67,.6,1",
        ".62,.1,.7,.7,.5,0 .65,.1,.8,.7,.5,0 .65,.3,1,.69,.5,0 .65,.1,.7,.69,.6,1 .65,.1,.5,.68,.6,1",
    ),
}
WORDS = {  # what is no figure in a record: of the scripts, and of imagecorruptions 1.1.2
    "motion_blur": ("16-bit", "truncate"),
    "snow": ("uint8-cropped", "float-uncropped"),
    "pixelate": ("box", "nearest"),
    "spatter": ("float32", "float64"),
    "frost": (False, True),
}
IMAGECORRUPTIONS = {  # where its figures are others than those of make_imagenet_c.py
    "frost": "1,.4,1.1 .8,.6,1.1 .7,.7,1.1 .65,.7,1.1 .6,.75,1.1",
    "fog": "1.5,2,None 2,2,None 2.5,1.7,None 2.5,1.5,None 3,1.4,None",
    "elastic_transform": "12.5,.01,0,None 16.25,.01,0,None 21.25,.01,0,None 25,.01,0,None 30,.01,0,None",
}


def figures(text: str, severity: int) -> list[float | None]:
    return [None if figure == "None" else float(figure) for figure in text.split()[severity - 1].split(",")]


@pytest.mark.parametrize("preset", ["imagenet", "tiny-imagenet", "cifar"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_the_constants_are_the_scripts(name, preset):
    text = SCRIPTS[name][["imagenet", "tiny-imagenet", "cifar"].index(preset)]
    word = [WORDS[name][0]] if name in WORDS else []
    for severity in (1, 2, 3, 4, 5):
        assert list(constants(name, severity, preset)) == figures(text, severity) + word


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_constants_of_imagecorruptions_are_that_package_s(name):
    text = IMAGECORRUPTIONS.get(name, SCRIPTS[name][0])
    word = [WORDS[name][1]] if name in WORDS else []
    for severity in (1, 2, 3, 4, 5):
        expected = figures(text, severity) + word
        found = constants(name, severity, "imagenet", "imagecorruptions")
        assert [pytest.approx(value, rel=1e-12) if isinstance(value, float) else value for value in expected] == [
            *found
        ]


def test_the_presets_and_styles():
    assert (" ".join(PRESETS), " ".join(STYLES)) == ("imagenet tiny-imagenet cifar", "hendrycks imagecorruptions")
    assert set(SCRIPTS) == set(CORRUPTIONS)


LIGHT = """
import sys
import lst_robust.corruptions.presets, lst_robust.corruptions.registry, lst_robust.suites.suite
print(*sorted({"scipy", "skimage", "numba", "cv2", "torch"} & set(sys.modules)))
"""


def test_naming_presets_and_corruptions_loads_no_engine():
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
