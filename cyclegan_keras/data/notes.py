"""What there is to say about a data set before a training, and after it."""

import numpy as np

from cyclegan_keras._text import counted
from cyclegan_keras.data import decoding, levels
from cyclegan_keras.data.dataset import Domains
from cyclegan_keras.data.rows import Rows

# Of a set that is decoded during the training, so many images are looked at before it.
NUM_LOOKED_AT = 256


class DataNotes(Domains):
    """Two domains of images, made as `Domains` are, and what a user should know of them."""

    def notes(self) -> list[str]:
        """Tells what a user should know of the data before a training, once it has been read.

        Returns:
            A line that counts and names what is in the data set and is not used, if there is such;
            one that counts the images that are far from the proportions of `img_res` and stretched;
            and one for each domain whose images use less than a quarter of the levels. Of images
            that are decoded during the training, only some were looked at, and a line says so.

        Raises:
            FileNotFoundError: If there is no such data set.
            ValueError: If an image cannot be read.
        """
        pixels = {domain: self._looked_at(domain) for domain in "AB"}
        has_tests = self.has_test_images
        if has_tests:
            for domain in "AB":
                self.pixels(domain, is_testing=True)
        found = [levels.in_words(pixels[domain], domain, self._has_range) for domain in "AB"]
        return [*self._ahead_in_words(), *self.left_out(), *self._stretched(), *filter(None, found)]

    def is_gray(self, domain: str) -> bool:
        """Tells whether no training image of one domain has a color.

        Args:
            domain: `"A"` or `"B"`.

        Returns:
            Whether red, green and blue are equal in every pixel; of images that are decoded during
            the training, in some of them.

        Raises:
            As for `pixels`.
        """
        # One by one, to the first that has colors: they may be many.
        return all(np.all(img == img[:, :, :1]) for img in self._looked_at(domain))

    def left_out(self) -> list[str]:
        """Tells what of the images read so far, and of what lies beside them, is not used.

        Returns:
            A line for the images that could not be read, and one that counts and names the rest; if
            there are such.

        Raises:
            FileNotFoundError: If there is no such data set.
        """
        lines = self.skipped_in_words()
        unused = self._layout.unused(self.has_test_images)
        unused += [
            f"{phrase} in {folder!r}" for folder, some in self._others.items() for phrase in some
        ]
        unused += [
            f"{counted(count, noun)} {decoding.WHY[noun]}"
            for noun, count in sorted(self._left_out.items())
        ]
        return [*lines, *([f"Not used: {'; '.join(unused)}."] if unused else [])]

    def skipped_in_words(self) -> list[str]:
        """Tells which of the images read so far could not be used.

        Returns:
            A line that counts them and names one, if there are such.
        """
        for domain in "AB":
            if self._ahead.get(self._layout.folder(domain, False)):
                paths, bad = self._listed(domain, False), self._decoded(domain, False).bad
                self.skipped |= {paths[place]: reason for place, reason in dict(bad).items()}
        if not self.skipped:
            return []
        path, reason = next(iter(self.skipped.items()))
        return [
            f"Skipped {counted(len(self.skipped), 'image')} that cannot be used, "
            f"such as {str(path)!r}: {reason}"
        ]

    def _looked_at(self, domain: str) -> np.ndarray:
        """All training images of a domain, or some of those that are decoded later."""
        pixels = self.pixels(domain)
        if not isinstance(pixels, Rows):
            return pixels
        count = min(len(pixels), NUM_LOOKED_AT)
        return pixels[np.linspace(0, len(pixels) - 1, count).astype(int)]

    def _ahead_in_words(self) -> list[str]:
        ahead = [domain for domain in "AB" if self._is_ahead(domain, False)]
        counts = {self._layout.folder(domain, False): len(self.pixels(domain)) for domain in ahead}
        if not counts:
            return []
        some = " and ".join(
            f"{counted(count, 'image')} of {folder} (looked at: {min(count, NUM_LOOKED_AT)})"
            for folder, count in counts.items()
        )
        is_kept = all(self.pixels_place(domain) != "nowhere" for domain in ahead)
        return [
            f"Decoded during the training, {'once' if is_kept else 'each time'}: {some}. "
            "`decode` (--decode start) reads all of them first."
        ]

    def _stretched(self) -> list[str]:
        if not self._far or self.fit != "stretch":
            return []
        path, (height, width) = min(self._far.items())
        return [
            f"Stretched to {self.img_res[0]} × {self.img_res[1]}: "
            f"{counted(len(self._far), 'image')} of other proportions, such as {path.name!r}, "
            f"whose width is {width / height:.3g} times its height. `fit` (--fit crop or --fit "
            "pad) keeps proportions."
        ]
