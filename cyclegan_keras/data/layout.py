"""How a data set lies in its folder: each domain in folders of its own, or pairs side by side."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence

from cyclegan_keras._text import counted
from cyclegan_keras.data import listing, pairs, palettes
from cyclegan_keras.data.known.catalog import DATASETS

TRAIN, TEST = ("train", "training"), ("test", "testing", "val", "valid", "validation")
# How folders of one domain are called, in the order in which they are looked for.
APART = ("{split}{domain}", "{split}/{domain}", "{domain}/{split}", "{domain}")


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the images of a data set are.

    Attributes:
        directory: The folder of the data set.
        side_by_side: Whether each picture in the folder `train`, and in `test` or `val`, holds an
            image of A in its left half and its partner of B in its right half. Otherwise the images
            of the domains are in folders of their own.
        train: The names of the folders with the training images of A and of B.
        test: Likewise, of test images, which need not exist.

    Reference:
        Side by side are the archives of Isola et al., *Image-to-Image Translation with Conditional
        Adversarial Networks* (pix2pix).
    """

    directory: pathlib.Path
    side_by_side: bool
    train: tuple[str, str] = ("trainA", "trainB")
    test: tuple[str, str] = ("testA", "testB")

    @property
    def has_test_images(self) -> bool:
        """Whether there are folders of test images of both domains."""
        return all((self.directory / name).is_dir() for name in self.test)

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
        return (self.test if is_testing else self.train)["AB".index(domain)]

    def listed(self, domain: str, is_testing: bool) -> listing.Listing:
        """Lists the files that hold the images of one domain, and those in folders there.

        Args:
            domain: `"A"` or `"B"`.
            is_testing: Whether the test images are wanted, not the training images.

        Returns:
            Sorted paths, side by side the same for both domains, and what else there is.

        Raises:
            FileNotFoundError: If the folder does not exist.
            ValueError: If it has no images, or there is no such domain.
        """
        folder = self.directory / self.folder(domain, is_testing)
        return listing.some(listing.listed(folder), folder)

    def unused(self, is_tested: bool) -> list[str]:
        """Finds images of the data set that belong to nothing that is used.

        Args:
            is_tested: Whether the test images are used.

        Returns:
            For each place that has some, how many and where, in words. Folders whose names say
            nothing of training, tests or domains are not looked into.
        """
        used = {self.directory / name for name in (*self.train, *(self.test if is_tested else ()))}
        parents = {folder.parent for folder in used} - {self.directory}
        lost = {}
        for parent in (self.directory, *sorted(parents)):
            lost[parent] = listing.listed(parent, recursive=False).paths
            for folder in sorted(path for path in parent.iterdir() if path.is_dir()):
                is_ours = parent != self.directory or _plain(folder.name) in _NAMES
                if is_ours and folder not in used | parents and not folder.name.startswith("."):
                    lost[folder] = listing.listed(folder).paths
        return [
            f"{counted(len(paths), 'image')} in {str(where.relative_to(self.directory))!r}"
            + self._why_unused(where)
            for where, paths in lost.items()
            if paths
        ]

    def _why_unused(self, where: pathlib.Path) -> str:
        name = str(where.relative_to(self.directory))
        if name not in self.test or self.side_by_side:
            return ""
        return f", as {self.test[1 - self.test.index(name)]!r} has none"

    def check_train_pairs(
        self, paths_A: Sequence[pathlib.Path], paths_B: Sequence[pathlib.Path]
    ) -> None:
        """Raises an error that teaches unless the training images are pairs.

        Args:
            paths_A: The training images of A, from `listed`.
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
        odd = pairs.without_partner(paths_A, paths_B)
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
    found = [
        (form, names)
        for form in APART
        for split in TRAIN
        if any(names := _existing(directory, form, split))
        # `A` alone may be anything.
        and (form != "{domain}" or all(names))
    ]
    tests = [
        (names, form, split)
        for split in TEST
        for form in APART[:-1]
        if any(names := _existing(directory, form, split))
    ]
    together = [name for name in ("train", "test", "val") if (directory / name).is_dir()]
    folders_apart = [names for _, names in found[:1]] + [names for names, _, _ in tests]
    apart = [name for names in folders_apart for name in names if name]
    # A lone `test` or `val` beside `trainA` and `trainB` is somebody's own affair.
    is_pairs = "train" in together and not any(name.startswith("train/") for name in apart)
    if apart and is_pairs:
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
    if not apart:
        # `val` is for choosing settings and `test` for the last word, hence `test` if both are.
        test = "val" if "val" in together and "test" not in together else "test"
        return Layout(directory, True, ("train", "train"), (test, test))
    form, names = found[0] if found else (APART[0], ("", ""))
    # Where one is missing, it is to be called as the other is.
    none = (("", ""), form if form != "{domain}" else APART[0], TEST[0])
    of_tests = next((each for each in tests if all(each[0])), tests[0] if tests else none)
    layout = Layout(
        directory,
        False,
        _filled(names, form, "train"),
        _filled(*of_tests),
    )
    for pair in (layout.train, layout.test):
        folders = [directory / name for name in pair]
        if all(folder.is_dir() for folder in folders) and folders[0].samefile(folders[1]):
            raise ValueError(
                f"{pair[0]!r} and {pair[1]!r} of {str(directory)!r} are the same folder. Each must "
                "have the images of one domain."
            )
    return layout


def _plain(name: str) -> str:
    return name.lower().translate(str.maketrans("", "", " _-"))


_NAMES = {
    *(split + domain for split in TRAIN + TEST for domain in ("", "a", "b")),
    *("a", "b"),
}


def _existing(directory: pathlib.Path, form: str, split: str) -> tuple[str, str]:
    """Finds the folders of both domains, however their names are written; else "" for one."""
    found_A, found_B = (
        _found(directory, form.format(split=split, domain=domain).split("/")) for domain in "AB"
    )
    return found_A, found_B


def _found(directory: pathlib.Path, names: Sequence[str]) -> str:
    place = directory
    for name in names:
        if not (place / name).is_dir():
            alike = (path for path in sorted(place.iterdir()) if _plain(path.name) == _plain(name))
            place = next((path for path in alike if path.is_dir()), place / name)
        else:
            place /= name
        if not place.is_dir():
            return ""
    return place.relative_to(directory).as_posix()


def _filled(names: tuple[str, str], form: str, split: str) -> tuple[str, str]:
    """Says how a folder that is missing is to be called."""
    name_A, name_B = (
        name or form.format(split=split, domain=domain)
        for name, domain in zip(names, "AB", strict=True)
    )
    return name_A, name_B
