"""The corruption engine: 19 functions, 5 severities, exact to the references, random per image; and further ones from
outside. What is in here is imported when it is first used: __init__.pyi says what there is."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
