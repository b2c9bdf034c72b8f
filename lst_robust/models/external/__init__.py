"""Other people's models by name, from where people keep them: one file a source.

`torchvision:resnet50` and `timm:efficientnet_lite0` are structures, and take the option `weights`: empty for random
weights (the default), `pretrained`, or what torchvision calls them ("IMAGENET1K_V2"). `timm:hf_hub:OWNER/NAME`,
`hf:OWNER/NAME` and `open_clip:MODEL/TAG` are weights: they come with them. All of these may download.

`path/to/file.py:function` runs the file's code: only name a file you trust.
"""

from lst_robust.models.external.by_name import external_entry, stated_geometry
from lst_robust.models.external.labels import fitting_outputs, with_outputs
from lst_robust.models.external.open_clip import ZeroShotNetwork
from lst_robust.models.external.timm import stated_statistics

__all__ = [
    "ZeroShotNetwork",
    "external_entry",
    "fitting_outputs",
    "stated_geometry",
    "stated_statistics",
    "with_outputs",
]
