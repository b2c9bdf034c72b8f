"""Whether this machine has what lst-robust needs: packages, devices, compilers, caches, data."""

from lst_robust.diagnosis.checks import diagnose
from lst_robust.diagnosis.finding import Finding

__all__ = ["Finding", "diagnose"]
