"""lst-robust: how robust is this image classifier?

    import lst_robust

    evaluation = lst_robust.evaluate("lst18", "digits-c")
    print(evaluation.summary().metrics["mce15"])

Names are imported when they are first used, so that `import lst_robust` and `lst-robust --help` stay quick. Which
there are, and where they come from, is in `__init__.pyi`.
"""

import lazy_loader

from lst_robust._version import __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
