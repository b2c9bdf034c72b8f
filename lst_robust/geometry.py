"""How a photograph becomes the square that a network sees: resize, interpolation, crop."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lst_robust.schema import Config

Interpolation = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
"""PIL's filters, by the names that torchvision and timm use. All of them shrink with antialiasing, but `nearest`."""


class Geometry(Config):
    """The way from an image file to a square of `size` x `size` pixels.

    `crop`:
    - `center`: the shorter side is scaled to `resize` pixels, then the centre is cut out (torchvision's Resize and
      CenterCrop);
    - `squash`: both sides are scaled to `resize` pixels, whatever the shape was, then the centre is cut out;
    - `none`: the image is a square already. It is scaled to `resize` pixels, or taken as it is where `resize` is None.
    """

    size: int = Field(ge=0)  # 0: each image keeps a size of its own
    resize: int | None = Field(default=None, ge=1)
    interpolation: Interpolation | None = None
    crop: Literal["center", "squash", "none"] = "none"

    def described(self) -> str:
        """In words, as records, tables and notes show it."""
        if self.crop == "none":
            size = f"{self.size} x {self.size}"
            return f"{size} as it is" if self.resize is None else f"scaled to {size} ({self.interpolation})"
        scaled = "both sides" if self.crop == "squash" else "shorter side"
        return f"{scaled} to {self.resize} ({self.interpolation}), centre {self.size} x {self.size}"


def as_they_are(size: int) -> Geometry:
    """The geometry of images that are squares of `size` pixels already."""
    return Geometry(size=size)


def centre_crop(size: int, resize: int | None = None) -> Geometry:
    """The geometry of the suites: the shorter side to `resize` (default: `size`) by the bilinear filter, the centre."""
    return Geometry(size=size, resize=size if resize is None else resize, interpolation="bilinear", crop="center")
