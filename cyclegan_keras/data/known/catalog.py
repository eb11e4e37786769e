"""The known data sets: those that the authors of CycleGAN serve, and how to get one."""

import dataclasses
import os
import pathlib
from typing import Literal

SITE = "https://efrosgans.eecs.berkeley.edu/cyclegan/datasets"
FOLDERS = ("trainA", "trainB", "testA", "testB")

State = Literal["absent", "incomplete", "complete"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class KnownDataset:
    """An archive of images of two domains.

    Attributes:
        name: Of the set, and of the folder in the archive that has its four folders in it.
        domains: What is to be seen on the images of A and of B, in a few words.
        url: Of the archive, a zip file.
        num_bytes: Size of the archive.
        sha256: Of the archive, 64 hexadecimal digits.
    """

    name: str
    domains: tuple[str, str]
    url: str
    num_bytes: int
    sha256: str


# Sizes and hashes are those that TensorFlow Datasets 4.9.10 records.
_OFFICIAL = (
    KnownDataset(
        name="apple2orange",
        domains=("apples", "oranges"),
        url=f"{SITE}/apple2orange.zip",
        num_bytes=78_456_409,
        sha256="845a191e9af8926408ea597001cd03a452e3300a1f44a79fe329b3d59f6e3eb8",
    ),
    KnownDataset(
        name="cezanne2photo",
        domains=("paintings by Cézanne", "landscape photos"),
        url=f"{SITE}/cezanne2photo.zip",
        num_bytes=279_885_071,
        sha256="3a6c10ca21f9485862f1cbd707744b9dc258954a04631271d23a3605eeb63cff",
    ),
    KnownDataset(
        name="cityscapes",
        domains=("street photos", "their labels"),
        url=f"{SITE}/cityscapes.zip",
        num_bytes=279_601_602,
        sha256="d2f6910fd056c1ee9873777ae838e7ac4a2c833598ae62a04188e5ab2f4ea036",
    ),
    KnownDataset(
        name="facades",
        domains=("photos of facades", "their labels"),
        url=f"{SITE}/facades.zip",
        num_bytes=35_135_868,
        sha256="9a31ebf3a31b9b5cd195dd5bf62e9308e00cb94604d1019e3889ac84248695c0",
    ),
    KnownDataset(
        name="horse2zebra",
        domains=("horses", "zebras"),
        url=f"{SITE}/horse2zebra.zip",
        num_bytes=116_867_962,
        sha256="a74d9d392eecca9966b51287a76ca126af473d9de4f3e8fc0e9cda08fa1730a1",
    ),
    KnownDataset(
        name="iphone2dslr_flower",
        domains=("flowers, by phone", "flowers, by DSLR"),
        url=f"{SITE}/iphone2dslr_flower.zip",
        num_bytes=339_964_458,
        sha256="8fcb5e374d631b107e1d961b8c4cd0a186aa2a4ff3e279923f4c426128de7113",
    ),
    KnownDataset(
        name="maps",
        domains=("aerial photos", "street maps"),
        url=f"{SITE}/maps.zip",
        num_bytes=1_476_754_427,
        sha256="639534f69dbf9f36bef8d6292a7698006361221f83f0285d7c9ca78afe6e8a9e",
    ),
    KnownDataset(
        name="monet2photo",
        domains=("paintings by Monet", "landscape photos"),
        url=f"{SITE}/monet2photo.zip",
        num_bytes=305_231_073,
        sha256="88f91b00fc228f97c9411fbf1880ec1d119c98f1722e4cfcfaa2fb35fac05b04",
    ),
    KnownDataset(
        name="summer2winter_yosemite",
        domains=("Yosemite in summer", "Yosemite in winter"),
        url=f"{SITE}/summer2winter_yosemite.zip",
        num_bytes=132_640_856,
        sha256="167fe1726807a9d22bd106b4a6c0bd7953b688af924ac1bf967439c4961e49f9",
    ),
    KnownDataset(
        name="ukiyoe2photo",
        domains=("ukiyo-e prints", "landscape photos"),
        url=f"{SITE}/ukiyoe2photo.zip",
        num_bytes=292_946_532,
        sha256="02a2a2fb5ecf425ca1bf86aca7304377da64a2a1d3b86df54eb65e4068bf3b08",
    ),
    KnownDataset(
        name="vangogh2photo",
        domains=("paintings by van Gogh", "landscape photos"),
        url=f"{SITE}/vangogh2photo.zip",
        num_bytes=306_590_349,
        sha256="362c3473e70be0944bda08d49d660eafdc2854df55d697835b8186d1d79caaff",
    ),
)

# By name. Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
# Networks", 2017, appendix 7.1.
DATASETS = {dataset.name: dataset for dataset in _OFFICIAL}


def state(dataset: KnownDataset, data_dir: str | os.PathLike[str] = "data") -> State:
    """Tells whether a set is there, without reading an image.

    Args:
        dataset: Which one.
        data_dir: Where the data sets lie.

    Returns:
        `"complete"` if something lies in each of its four folders, `"absent"` if there is nothing
        or an empty folder of its name, otherwise `"incomplete"`.
    """
    target = pathlib.Path(data_dir) / dataset.name
    if not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir())):
        return "absent"
    return "incomplete" if _empty_folders(target) else "complete"


def _empty_folders(target: pathlib.Path) -> list[str]:
    return [
        folder
        for folder in FOLDERS
        if not any(not path.name.startswith(".") for path in target.glob(f"{folder}/*"))
    ]


def fetch(dataset: KnownDataset, data_dir: str | os.PathLike[str] = "data") -> pathlib.Path:
    """Downloads, checks and unpacks a data set, unless it is there already.

    The set appears whole or not at all, and nothing is unpacked whose SHA-256 is not the recorded
    one. What was downloaded when it was cut off or interrupted is kept in a hidden file, and the
    next call goes on from there. An archive that was put into `data_dir` by hand, under its own
    name, is used instead of the network, and is left where it is.

    Args:
        dataset: Which one.
        data_dir: Folder for the data sets, made if absent.

    Returns:
        The folder of the set.

    Raises:
        BlockingIOError: If another process is fetching the same set.
        ConnectionError: If it cannot be downloaded.
        FileExistsError: If something else has its name.
        OSError: If the disk has no room for it.
        ValueError: If the archive is not the right one.
    """
    # Only now: `cyclegan --help` and `cyclegan data list` have no use for it.
    from cyclegan_keras.data.known import fetch, unpack

    directory = pathlib.Path(data_dir)
    target = directory / dataset.name
    if _is_there(dataset, directory):
        return target
    directory.mkdir(parents=True, exist_ok=True)
    with fetch.locked(directory / f".{dataset.name}.lock"):
        # Another process may have fetched it since the first look.
        if _is_there(dataset, directory):
            return target
        by_hand = directory / f"{dataset.name}.zip"
        partial = directory / f".{dataset.name}.zip.part"
        if by_hand.exists():
            _check_placed(dataset, by_hand)
            unpack.unpack(by_hand, target, FOLDERS)
        else:
            try:
                _download(dataset, partial, by_hand)
                unpack.unpack(partial, target, FOLDERS)
            except ValueError:
                # The right number of bytes, but the wrong ones: there is nothing to resume.
                partial.unlink(missing_ok=True)
                raise
        partial.unlink(missing_ok=True)
    return target


def _is_there(dataset: KnownDataset, directory: pathlib.Path) -> bool:
    found = state(dataset, directory)
    if found == "incomplete":
        target = directory / dataset.name
        raise FileExistsError(
            f"{str(target)!r} must be missing or empty, so that no file is lost. It is there, but "
            f"has nothing in {' '.join(_empty_folders(target))}. Remove it, or name another "
            "--data-dir."
        )
    return found == "complete"


def _check_placed(dataset: KnownDataset, archive: pathlib.Path) -> None:
    from cyclegan_keras.data.known import fetch

    try:
        fetch.check(archive, dataset.num_bytes, dataset.sha256)
    except ValueError as error:
        raise ValueError(
            f"{error} Put the one from {dataset.url} in its place, or take it away, and it will be "
            "downloaded."
        ) from None


def _download(dataset: KnownDataset, partial: pathlib.Path, by_hand: pathlib.Path) -> None:
    from cyclegan_keras.data.known import fetch

    try:
        fetch.download(dataset.url, partial, dataset.num_bytes)
    except ConnectionError as error:
        raise ConnectionError(
            f"{error} Or get it by hand: download {dataset.url} with a browser, put it at "
            f"{os.path.abspath(by_hand)!r}, and run the same command again, which then "
            "checks and unpacks it."
        ) from error
    try:
        fetch.check(partial, dataset.num_bytes, dataset.sha256)
    except ValueError as error:
        raise ValueError(
            f"{error} It was removed. Run the same command again; if that is no help, there is "
            f"another archive at {dataset.url} by now."
        ) from None
