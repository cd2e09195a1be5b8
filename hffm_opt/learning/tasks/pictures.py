"""Pictures on disk, read when they are needed, all brought to one size; and the cache of what they became."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hffm_opt.errors import InputError
from hffm_opt.learning.tasks.values import Int64Array, UInt8Array
from hffm_opt.serial import write_bytes

_PIXELS, _DIGEST = "pixels", "sha256"


def decode_picture(path: Path, size: tuple[int, int]) -> UInt8Array:
    """Return a picture file as RGB, stretched to ``size`` = (height, width), uint8 [height, width, 3].

    Raises:
        InputError: the file cannot be read as a picture.
    """
    from PIL import Image

    try:
        with Image.open(path) as picture:
            resized = picture.convert("RGB").resize(size[::-1], Image.Resampling.BICUBIC)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Warning) as error:
        message = f"{path} cannot be read as a picture: {error}"
        raise InputError.one(str(path), message, "fetch the picture again") from error
    return np.asarray(resized, dtype=np.uint8)


class PictureCache:
    """Decoded pictures in a folder, one safetensors file each, with the SHA-256 of its pixels.

    A file's name is the hash of the picture's path, its time and length, and the size it was brought to, so that a
    changed picture is decoded anew. Files are written whole or not at all; a damaged one is written again.

    Args:
        folder: the folder, made when it is first written to.
        size: (height, width).
    """

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        self._folder, self._size = folder, size

    def path(self, picture: Path) -> Path:
        """Return where a picture's pixels are kept."""
        status = picture.stat()
        key = f"{picture.resolve()}\n{status.st_mtime_ns}\n{status.st_size}\n{self._size}"
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.safetensors"

    def get(self, picture: Path) -> UInt8Array:
        """Return a picture's pixels, from the cache where they are there and whole.

        Raises:
            InputError: the picture cannot be read.
        """
        from safetensors.numpy import save

        path = self.path(picture)
        kept = self._read(path)
        if kept is None:
            kept = decode_picture(picture, self._size)
            try:
                write_bytes(path, save({_PIXELS: kept}, {_DIGEST: hashlib.sha256(kept.tobytes()).hexdigest()}))
            except OSError as error:
                message = f"the cache takes no pictures: {error.strerror}"
                raise InputError.one(str(self._folder), message, "name another folder, or leave it out") from None
        return kept

    def _read(self, path: Path) -> UInt8Array | None:
        from safetensors import SafetensorError, safe_open

        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="numpy") as stored:
                digest = (stored.metadata() or {}).get(_DIGEST)
                pixels: UInt8Array = stored.get_tensor(_PIXELS)
        except (SafetensorError, OSError):
            return None
        whole = pixels.shape == (*self._size, 3) and hashlib.sha256(pixels.tobytes()).hexdigest() == digest
        return pixels if whole else None


class PictureFiles:
    """The pictures of N samples as files; indexing reads those asked for and keeps none.

    Args:
        paths: one file per sample.
        places: the record of each sample, for messages.
        size: (height, width) that pictures are stretched to.
        cache: a folder for decoded pictures, or None.
    """

    def __init__(
        self, paths: Sequence[Path], places: Sequence[str], size: tuple[int, int], cache: Path | None = None
    ) -> None:
        self._paths, self._places = tuple(paths), tuple(places)
        self._size, self._folder = size, cache
        self._cache = PictureCache(cache, size) if cache else None

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, indices: Int64Array) -> UInt8Array:
        """Return the pictures at ``indices``, int64 [M], as uint8 [M, height, width, 3].

        Raises:
            InputError: a picture cannot be read; the record is named.
        """
        found = np.empty((len(indices), *self._size, 3), dtype=np.uint8)
        for row, index in zip(found, indices.tolist(), strict=True):
            row[:] = self._read(index)
        return found

    def _read(self, index: int) -> UInt8Array:
        path = self._paths[index]
        try:
            return self._cache.get(path) if self._cache else decode_picture(path, self._size)
        except FileNotFoundError:
            raise InputError.one(self._places[index], f"there is no picture {path}", "fetch the picture") from None
        except (OSError, RuntimeError) as error:  # a link that leads to itself
            raise InputError.one(self._places[index], f"{path}: {error}", "fetch the picture again") from None
        except InputError as error:
            fault = error.findings[0]
            if fault.path == str(self._folder):
                raise
            raise InputError.one(self._places[index], fault.message, fault.repair) from error

    def select(self, indices: Int64Array) -> PictureFiles:
        """Return the pictures at ``indices`` without reading them."""
        chosen = indices.tolist()
        paths, places = [self._paths[i] for i in chosen], [self._places[i] for i in chosen]
        return PictureFiles(paths, places, self._size, self._folder)
