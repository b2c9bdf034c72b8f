from .resources import Resources

__all__ = ["Resources"]
