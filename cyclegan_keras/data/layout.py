"""How a data set lies in its folder: each domain in folders of its own, or pairs side by side."""

import collections
import dataclasses
import json
import pathlib
from collections.abc import Sequence

from PIL import Image

from cyclegan_keras.data import images, palettes
from cyclegan_keras.data.catalog import DATASETS


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the images of a data set are.

    Attributes:
        directory: The folder of the data set.
        side_by_side: Whether each picture in the folder `train`, and in `test` or `val`, holds an
            image of A in its left half and its partner of B in its right half. Otherwise the images
            are in `trainA` and `trainB`, and in `testA` and `testB`.

    Reference:
        Side by side are the archives of Isola et al., *Image-to-Image Translation with Conditional
        Adversarial Networks* (pix2pix).
    """

    directory: pathlib.Path
    side_by_side: bool

    @property
    def has_test_images(self) -> bool:
        """Whether there are test images of both domains."""
        return all((self.directory / self.folder(domain, True)).is_dir() for domain in "AB")

    @property
    def test_pairs(self) -> bool:
        """Whether the test images are said to be pairs, by their layout or by `dataset.json`."""
        if self.side_by_side:
            return self.has_test_images
        return self._description().get("test_pairs") is True

    @property
    def palettes(self) -> dict[str, palettes.Palette]:
        """The colours of the classes in each domain that is maps of labels, by `dataset.json`.

        There, `"labels": {"B": [[0, 0, 224], ...]}` says that the images of B are such maps.

        Raises:
            ValueError: If what it says are no colours.
        """
        labels = self._description().get("labels", {})
        try:
            return palettes.checked(labels)
        except ValueError as error:
            raise ValueError(f"dataset.json in {str(self.directory)!r}: {error}") from None

    def folder(self, domain: str, is_testing: bool) -> str:
        """Names the folder that has the images of one domain.

        Args:
            domain: `"A"` or `"B"`.
            is_testing: Whether the test images are wanted, not the training images.

        Returns:
            A name such as `"trainA"`; side by side, the same for both domains.

        Raises:
            ValueError: If there is no such domain.
        """
        if domain not in ("A", "B"):
            raise ValueError(f"`domain` must be 'A' or 'B'. Received: domain={domain!r}")
        if not self.side_by_side:
            return f"{'test' if is_testing else 'train'}{domain}"
        if not is_testing:
            return "train"
        # `val` is for choosing settings and `test` for the last word, hence `test` where both are.
        has_only_val = _has(self.directory, "val") and not _has(self.directory, "test")
        return "val" if has_only_val else "test"

    def files(self, domain: str, is_testing: bool) -> list[pathlib.Path]:
        """Lists the files that hold the images of one domain, sorted by name.

        Args:
            domain: `"A"` or `"B"`.
            is_testing: Whether the test images are wanted, not the training images.

        Returns:
            Sorted paths; side by side, the same for both domains.

        Raises:
            FileNotFoundError: If the folder does not exist.
            ValueError: If it has no images, or there is no such domain.
        """
        return images.list_images(self.directory / self.folder(domain, is_testing))

    def check_train_pairs(
        self, paths_A: Sequence[pathlib.Path], paths_B: Sequence[pathlib.Path]
    ) -> None:
        """Raises an error that teaches unless the training images are pairs.

        Args:
            paths_A: The training images of A, from `files`.
            paths_B: Those of B.

        Raises:
            ValueError: If their names differ, or if `dataset.json` says of the test images that
                they are pairs, but not of the training images.
        """
        if self.side_by_side:
            return
        # The drawn `fruit` is such a set: 0000.png is another scene in trainA than in trainB.
        described = self._description()
        if described.get("test_pairs") is True and described.get("train_pairs") is not True:
            raise ValueError(
                f"Paired training needs training images that are pairs. 'dataset.json' in "
                f"{str(self.directory)!r} says that of the test images only. If the training "
                'images are pairs too, add "train_pairs": true there; among the drawn sets, those '
                "of 'fruit_pairs' are."
            )
        odd = without_partner(paths_A, paths_B)
        if odd:
            raise ValueError(
                "Paired training needs images of the same names in trainA and trainB of "
                f"{str(self.directory)!r}, or pictures with both side by side in its folder "
                f"'train'. Received {len(paths_A)} and {len(paths_B)} images; without a partner: "
                f"{', '.join(odd[:3])}{', ...' if len(odd) > 3 else ''}. Rename or add what is "
                "missing, or train unpaired."
            )

    def _description(self) -> dict[str, object]:
        path = self.directory / "dataset.json"
        try:
            description = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ValueError(
                f"{str(path)!r} is not JSON ({error}). Mend it or take it out."
            ) from None
        return description if isinstance(description, dict) else {}


def find_layout(directory: pathlib.Path) -> Layout:
    """Finds out how a data set lies in its folder.

    Args:
        directory: The folder of the data set.

    Returns:
        Its layout.

    Raises:
        FileNotFoundError: If the folder does not exist, or has none of the folders wanted.
        ValueError: If it has those of both layouts.
    """
    if not directory.is_dir():
        known = f" Or get it: cyclegan data fetch {directory.name}"
        raise FileNotFoundError(
            f"No data set {str(directory)!r}. Make that folder, with the images of the two domains "
            f"in its folders 'trainA' and 'trainB'.{known if directory.name in DATASETS else ''}"
        )
    apart = [name for name in ("trainA", "trainB", "testA", "testB") if _has(directory, name)]
    together = [name for name in ("train", "test", "val") if _has(directory, name)]
    # A lone `test` or `val` beside `trainA` and `trainB` is somebody's own affair.
    if apart and "train" in together:
        raise ValueError(
            f"{str(directory)!r} must have either the folders 'trainA' and 'trainB', with the "
            "images of one domain each, or a folder 'train' of pictures with both side by side. "
            f"Received both: {[*apart, *together]}. Take one kind out."
        )
    if not apart and not together:
        raise FileNotFoundError(
            f"No images of two domains in {str(directory)!r}. Put them into its folders 'trainA' "
            "and 'trainB' or, if each picture holds a pair, A on the left and B on the right, into "
            "its folder 'train'."
        )
    return Layout(directory, side_by_side=not apart)


def read_pair(path: images.PathLike) -> tuple[Image.Image, Image.Image]:
    """Reads a picture that holds a pair side by side.

    Args:
        path: Of the picture.

    Returns:
        Its left half, the image of A, and its right half, the image of B: two RGB images of the
        same size.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read as an image, or has no middle.
    """
    # Not at a reduced size, which can have its middle within a column of pixels.
    picture = images.read_image(path)
    middle, odd = divmod(picture.width, 2)
    if odd:
        raise ValueError(
            f"{str(path)!r} must hold two images of the same size side by side, so its width must "
            f"be an even number of pixels. Received: width={picture.width}. Mend it or take it "
            "out; images that are no pairs belong into the folders 'trainA' and 'trainB'."
        )
    left = picture.crop((0, 0, middle, picture.height))
    return left, picture.crop((middle, 0, picture.width, picture.height))


def without_partner(paths_A: Sequence[pathlib.Path], paths_B: Sequence[pathlib.Path]) -> list[str]:
    """Finds images that have no partner of the same name at their place.

    A name may end in `_A` or `_B` after its domain, as in the official `facades` and `maps`.

    Args:
        paths_A: Images of A, sorted.
        paths_B: Images of B, sorted.

    Returns:
        Names without suffix; empty if each image has its partner.
    """
    names_A = [path.stem.removesuffix("_A") for path in paths_A]
    names_B = [path.stem.removesuffix("_B") for path in paths_B]
    count_A, count_B = collections.Counter(names_A), collections.Counter(names_B)
    odd = sorted((count_A - count_B) + (count_B - count_A))
    # Suffixes can change the order: `x.bmp` comes before `x.p.png`, `x.webp` after it.
    return odd or [a for a, b in zip(names_A, names_B, strict=True) if a != b]


def _has(directory: pathlib.Path, name: str) -> bool:
    return (directory / name).is_dir()
