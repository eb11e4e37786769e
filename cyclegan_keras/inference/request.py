"""One request to translate pictures and videos, which a shard of it fulfils in any process."""

import contextlib
import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

import keras

from cyclegan_keras.inference import files, planning, translate, video
from cyclegan_keras.inference.latents import with_some_latent
from cyclegan_keras.inference.manifest import Manifest
from cyclegan_keras.inference.manner import Manner
from cyclegan_keras.inference.pictures import Ranges
from cyclegan_keras.inference.sharding import Shard
from cyclegan_keras.inference.sources import check_no_address
from cyclegan_keras.inference.targets import Job


@dataclasses.dataclass(frozen=True)
class Request:
    """What is to be translated, how, and where to.

    Attributes:
        model: The file of the generator.
        paths: Pictures, videos, folders and patterns, as for `planning.plan`.
        output: The folder for the translations, or a file for one.
        overwrite: Whether existing files may be replaced.
        skip_existing: Whether what is translated already is skipped.
        continue_on_error: Whether what cannot be translated is skipped.
        file_format: As for `planning.plan`.
        batch_size: Maximum number of pictures in a batch.
        ranges: The values of black and white.
        strip_metadata: Whether metadata is left out.
        manner: How pictures are translated.
        latent: What the generator gets beside each picture, if it takes a latent; `None` means
            always the same random one.
    """

    model: str
    paths: tuple[str, ...]
    output: str
    overwrite: bool = False
    skip_existing: bool = False
    continue_on_error: bool = False
    file_format: str | None = None
    batch_size: int = files.BATCH_SIZE
    ranges: Ranges = dataclasses.field(default_factory=Ranges)
    strip_metadata: bool = False
    manner: Manner = dataclasses.field(default_factory=Manner)
    latent: tuple[float, ...] | None = None

    def about(self) -> dict[str, Any]:
        """Tells what determines the translations, for a manifest.

        Returns:
            The digest of the generator's file, and the settings that change pixels or files.

        Raises:
            OSError: If the generator cannot be read.
        """
        with open(self.model, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {
            "generator_sha256": digest,
            "settings": {
                "format": self.file_format,
                "value_ranges": [each and list(dataclasses.astuple(each)) for each in self.ranges],
                "strip_metadata": self.strip_metadata,
                **dataclasses.asdict(self.manner),
                **({} if self.latent is None else {"latent": self.latent}),
            },
        }

    def planned(self, shard: Shard | None = None) -> "Planned":
        """Finds the pictures and videos, and checks them without writing anything.

        Args:
            shard: Which part of them is meant; `None` means all.

        Returns:
            The plan.

        Raises:
            FileExistsError: If a translation exists and may not be replaced.
            FileNotFoundError: If a picture or a video does not exist.
            OSError: If one cannot be opened, or the output cannot be written to.
            ValueError: If one is none, or two translations would have the same name.
        """
        for path in (*self.paths, self.output):
            check_no_address(path)
        asked: dict[str, Any] = {
            "output": self.output,
            "overwrite": self.overwrite,
            "skip_existing": self.skip_existing,
            "check": not self.continue_on_error,
            "shard": shard,
        }
        skipped: list[Job] = []
        videos, others = video.plan_videos(
            self.paths, **asked, on_skipped=lambda *job: skipped.append(job)
        )
        if videos and self.manner.side_by_side:
            raise ValueError("--side-by-side is for images. Received: a video")
        pictures = None
        if others:
            pictures = planning.Plan(others, file_format=self.file_format, **asked)
        return Planned(self, videos, skipped, pictures, shard)


@dataclasses.dataclass(frozen=True)
class Result:
    """What came of a request, or of a shard of it.

    Attributes:
        pictures: The outcome of all pictures; `None` if none was asked for.
        videos: The outcome of all videos; `None` if there was none.
    """

    pictures: translate.Outcome | None
    videos: video.VideosOutcome | None

    @classmethod
    def of_all(cls, results: "Sequence[Result]") -> "Result":
        """Sums results up.

        Args:
            results: Of requests, at least one; of several, they are of pictures only.

        Returns:
            One for all.
        """
        if len(results) == 1:
            return results[0]
        pictures = [each.pictures for each in results if each.pictures is not None]
        return cls(translate.Outcome.of_all(pictures) if pictures else None, None)


@dataclasses.dataclass(frozen=True)
class Planned:
    """A request whose pictures and videos were found.

    Attributes:
        request: The request.
        videos: Sources and targets of the videos.
        skipped: Those of videos whose translation exists.
        pictures: Those of the pictures; `None` if only videos were asked for.
        shard: Which part of all it is; `None` means all.
    """

    request: Request
    videos: list[Job]
    skipped: list[Job]
    pictures: planning.Plan | None
    shard: Shard | None

    def run(self, generator: keras.Model) -> Result:
        """Translates everything; a shard writes a manifest.

        Args:
            generator: The generator of the request.

        Returns:
            What came of it.

        Raises:
            FileExistsError: If another process is translating the same shard.
            OSError: If a translation cannot be written.
            ValueError: If a picture or a video cannot be read, or the manifest is of others.
        """
        generator = with_some_latent(generator, self.request.latent)
        with contextlib.ExitStack() as stack:
            manifest = None
            if self.shard is not None:
                about = self.request.about()
                manifest = stack.enter_context(Manifest(self.request.output, self.shard, about))
            pictures = self._translate_pictures(generator, manifest)
            return Result(pictures, self._translate_videos(generator, manifest))

    def _translate_pictures(
        self, generator: keras.Model, manifest: Manifest | None
    ) -> translate.Outcome | None:
        request = self.request
        if self.pictures is None:
            return None
        noted: dict[str, Any] = {}
        if manifest is not None:
            self.pictures.on_skipped = manifest.found
            # Nobody else is writing those of this shard now.
            self.pictures.remove_leftovers = True
            noted = {"on_written": manifest.written, "on_failed": manifest.failed}
            # With the same bits, whatever is left of a shard.
            noted["fixed_size"] = True
        return translate.translate_files(
            generator,
            self.pictures,
            request.batch_size,
            continue_on_error=request.continue_on_error,
            ranges=request.ranges,
            strip_metadata=request.strip_metadata,
            manner=request.manner,
            **noted,
        )

    def _translate_videos(
        self, generator: keras.Model, manifest: Manifest | None
    ) -> video.VideosOutcome | None:
        request = self.request
        noted: dict[str, Any] = {}
        if manifest is not None:
            for job in self.skipped:
                manifest.found(*job)
            noted = {"on_written": manifest.written, "on_failed": manifest.failed}
        if not self.videos:
            return None
        return video.translate_videos(
            translate.Translator(generator, request.manner, request.ranges),
            self.videos,
            overwrite=request.overwrite,
            continue_on_error=request.continue_on_error,
            **noted,
        )
