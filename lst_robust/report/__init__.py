"""A report: gathers what a results folder says, draws it, and writes pages or a single figure. What is in here is
imported when it is first used: __init__.pyi says what there is."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
