"""Labels of images: the folders of the classes in `trainA`, and in B where there are such."""

import functools
import pathlib
from collections import Counter
from typing import Any

import numpy as np

from cyclegan_keras._text import counted
from cyclegan_keras.data import listing
from cyclegan_keras.data.loader import DataLoader


class LabelledDataLoader(DataLoader):
    """Deals out images of A with their labels, and those of B with theirs where they are known.

    Each class has a folder of its own in `trainA` and, where there are test images, in `testA`;
    folders in these are looked into. The folders of B may be divided in the same way. Their labels
    are for measuring only, and for a classifier to compare with; nothing else learns from them.

    Args:
        *args: Of `DataLoader`.
        **kwargs: Of `DataLoader`, but not `paired`.

    Attributes:
        classes: The names of the classes, sorted; a label is a place among them.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._labels: dict[tuple[str, bool], np.ndarray | None] = {}

    @functools.cached_property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, sorted: those of the folders in `trainA`.

        Raises:
            FileNotFoundError: If there is no such data set.
            ValueError: If there are no such folders, only one, or one without images; or if images
                lie beside them.
        """
        folder = self._folder("A", False)
        if self._layout.side_by_side:
            raise ValueError(
                f"Labels need the images of A in a folder of their own. {str(self.directory)!r} "
                "has pictures that hold a pair side by side. Put the images of A into trainA, with "
                "a folder for each class."
            )
        found = self._class_names("A", False)
        beside = found[""]
        names = sorted({*found, *_folders(folder)} - {""})
        if not names:
            raise ValueError(
                f"No classes in {str(folder)!r}. Labels are the names of folders in it: make one "
                f"for each class, and put its images there. Received: {counted(beside, 'image')} "
                "and no folder"
            )
        if beside:
            raise ValueError(
                f"Each image in {str(folder)!r} must be in the folder of its class. Received: "
                f"{counted(beside, 'image')} beside the folders {_some(names)}"
            )
        if empty := [name for name in names if not found[name]]:
            raise ValueError(
                f"Each class in {str(folder)!r} must have an image. Add some, or remove the "
                f"folder. Received: no image in {_some(empty)}"
            )
        if len(names) < 2:
            raise ValueError(
                f"There must be two classes or more in {str(folder)!r}, each in a folder of its "
                f"own. Received: {_some(names)}"
            )
        return tuple(names)

    def labels(self, domain: str, is_testing: bool = False) -> np.ndarray | None:
        """Gives the labels of the images of one domain, in the order of `paths`.

        Args:
            domain: `"A"` or `"B"`.
            is_testing: Whether the test images are meant, not the training images.

        Returns:
            Places in `classes`, int32, one for each image; `None` of B, if none of its folders has
            the name of a class.

        Raises:
            FileNotFoundError: If there is no such folder.
            ValueError: If an image is in none of the classes, or the classes are not as they must
                be; or if there is no such domain.
        """
        key = (domain, is_testing)
        if key not in self._labels:
            self._labels[key] = self._find_labels(domain, is_testing)
        return self._labels[key]

    def evaluation_labels(self, domain: str) -> np.ndarray | None:
        """Gives the labels of the images of `evaluation_pixels`; see `labels`."""
        return self.labels(domain, self.has_test_images)

    def left_out(self) -> list[str]:
        """Tells what is not used, as `DataLoader` does, and folders of B that are no classes."""
        lines = super().left_out()
        for is_testing in (False, True) if self.has_test_images else (False,):
            if self.labels("B", is_testing) is None:
                names = sorted({*self._class_names("B", is_testing)} - {""})
                if names:
                    lines.append(
                        f"Not labels, as none is a class of A: the folders {_some(names)} in "
                        f"{self._layout.folder('B', is_testing)!r}."
                    )
        return lines

    def _find_labels(self, domain: str, is_testing: bool) -> np.ndarray | None:
        places = {name: place for place, name in enumerate(self.classes)}
        found = self._class_names(domain, is_testing)
        if domain == "B" and not found.keys() & places.keys():
            return None
        if unknown := sorted(found.keys() - places.keys()):
            where = str(self._folder(domain, is_testing))
            images = counted(sum(found[name] for name in unknown), "image")
            received = f"{images} in {_some([name for name in unknown if name])}"
            if unknown == [""]:
                received = f"{images} in no folder of a class"
            raise ValueError(
                f"Each image in {where!r} must be in a folder with the name of a class of "
                f"{self._layout.folder('A', False)}, which are {_some(self.classes)}. Rename or "
                f"remove the others. Received: {received}"
            )
        names = (
            self._class_of(path, domain, is_testing) for path in self.paths(domain, is_testing)
        )
        return np.array([places[name] for name in names], "int32")

    def _class_names(self, domain: str, is_testing: bool) -> Counter[str]:
        """Counts the images in each folder; under "", those in none."""
        paths = self.paths(domain, is_testing)
        return Counter(self._class_of(path, domain, is_testing) for path in paths)

    def _class_of(self, path: pathlib.Path, domain: str, is_testing: bool) -> str:
        inner = path.relative_to(self._folder(domain, is_testing)).parts
        return inner[0] if len(inner) > 1 else ""

    def _folder(self, domain: str, is_testing: bool) -> pathlib.Path:
        return self.directory / self._layout.folder(domain, is_testing)

    def _as_batch(
        self, imgs: list[np.ndarray], places: list[np.ndarray], is_testing: bool
    ) -> tuple[Any, Any]:
        """Deals out `(imgs, labels)` of A, and the same of B, or images alone."""
        of_A, of_B = (
            (own, labels[chosen])
            if (labels := self.labels(domain, is_testing)) is not None
            else own
            for domain, own, chosen in zip("AB", imgs, places, strict=True)
        )
        return of_A, of_B


def _folders(folder: pathlib.Path) -> list[str]:
    """Names the folders in one, but those that systems leave behind."""
    return [
        path.name
        for path in folder.iterdir()
        if path.is_dir()
        and not path.name.startswith(".")
        and path.name.lower() not in listing.NOBODYS
    ]


def _some(names: Any) -> str:
    """Quotes names, the first four of many."""
    shown = ", ".join(repr(name) for name in names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"
