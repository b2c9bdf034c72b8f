"""The corruptions on a device: all 19 in torch, on whole batches, with the draws of the CPU's engine.

What is in here is imported when it is first used: __init__.pyi says what there is.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
