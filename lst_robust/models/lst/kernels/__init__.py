"""Compiled passes of the LST blocks: the numbers of the plain definitions to rounding, faster.

Importing this registers them as the backend. They are compiled when the first network trains or is optimised. Variances
in training lose digits where the mean of a channel is many standard deviations from 0: see docs/lst-kernels.md.
"""

from lst_robust.models.lst.backend import register_backend
from lst_robust.models.lst.kernels.compiled import CompiledBackend

register_backend(CompiledBackend())
