"""Bringing Omniglot in from archives that are already on this machine."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tfmeta.datasets.data_dir import resolve_data_dir
from tfmeta.datasets.omniglot import pack
from tfmeta.datasets.omniglot.archives import ARCHIVES, ArchiveReport, check_archive

_URL = "https://github.com/brendenlake/omniglot/raw/master/python/"


@dataclasses.dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Args:
        data_dir: The data folder.
        packed_path: The packed file that `tfmeta.datasets.load` reads.
        archives: One report for each archive.
        already_prepared: Whether an earlier import or download had already
            prepared the data set, so that these archives were only checked.
    """

    data_dir: Path
    packed_path: Path
    archives: tuple[ArchiveReport, ...]
    already_prepared: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, one sentence each; often nothing."""
        notes = [
            f"{a.path.name} is complete ({a.characters:,} characters, "
            f"{a.pictures:,} pictures) but not the authors' file byte for byte: "
            f"its SHA-256 is {a.sha256}, theirs {a.official_sha256}."
            for a in self.archives
            if not a.official
        ]
        if self.already_prepared:
            notes.append(
                f"{self.data_dir} already held Omniglot, prepared earlier; these "
                "archives were only checked."
            )
        return tuple(notes)


def import_omniglot(
    source: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
) -> ImportReport:
    r"""Imports Omniglot from its four archives, without a connection.

    The archives are opened and counted picture by picture, laid into the
    download cache of TensorFlow Datasets, prepared by its own `omniglot`
    builder (so that `tfds.load("omniglot", data_dir=...)` works too) and packed
    into one file of 28x28 pictures. Running it again does no harm; a killed
    import is simply run again.

    Archives that were zipped anew differ from the authors' in their checksum
    but not in their pictures. They are accepted when they are complete, and the
    report says so.

    Args:
        source: Folder with `images_background.zip`, `images_evaluation.zip`,
            `images_background_small1.zip` and `images_background_small2.zip`.
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.

    Returns:
        The report. Show its `notes` to the user.

    Raises:
        FileNotFoundError: When the folder or one of the archives is missing.
        ValueError: When an archive is damaged, unsafe or not complete.

    Example:

    ```python
    report = import_omniglot("~/Downloads/omniglot")
    print(*report.notes, sep="\n")
    table = tfmeta.datasets.load("omniglot")
    ```

    Reference: B. M. Lake, R. Salakhutdinov and J. B. Tenenbaum (2015),
    *Human-level concept learning through probabilistic program induction*,
    Science 350(6266).
    """
    source = Path(source).expanduser()
    target = resolve_data_dir(data_dir)
    _check_source(source)
    target.mkdir(parents=True, exist_ok=True)
    builder = omniglot_builder(target)
    official = {url: info.checksum for url, info in builder.url_infos.items()}

    labels: dict[str, str] = {}
    reports = tuple(
        check_archive(source / name, official[_URL + name], labels) for name in ARCHIVES
    )
    packed = pack.packed_path(target)
    prepared = builder.is_prepared()
    if not prepared:
        for report in reports:
            _lay_into_cache(report, target / "downloads")
        prepare(builder, target)
    if not (prepared and packed.exists() and _is_whole(packed)):
        pack.pack_prepared(builder, packed)
    return ImportReport(target, packed, reports, already_prepared=prepared)


def omniglot_builder(data_dir: Path) -> Any:
    """The `omniglot` builder of TensorFlow Datasets, for a data folder."""
    import tensorflow_datasets as tfds

    return tfds.builder("omniglot", data_dir=data_dir)


def prepare(builder: Any, data_dir: Path) -> None:
    """Lets TensorFlow Datasets download what is not cached, and prepare.

    Args:
        builder: The builder.
        data_dir: Its data folder.
    """
    import tensorflow_datasets as tfds

    # The 38,000 unpacked files are of no use afterwards, and an earlier
    # unpacking of other archives would be taken for this one. In the system's
    # own temporary folder they do not stay for ever after a kill.
    with tempfile.TemporaryDirectory(prefix="tfmeta-omniglot-") as unpacked:
        builder.download_and_prepare(
            download_dir=data_dir / "downloads",
            download_config=tfds.download.DownloadConfig(
                extract_dir=unpacked, try_download_gcs=False
            ),
        )


def _check_source(source: Path) -> None:
    if not source.is_dir():
        raise FileNotFoundError(
            f"`source` must be the folder with {', '.join(ARCHIVES)}. "
            f"Received: {source}, which is no folder"
        )
    missing = [name for name in ARCHIVES if not (source / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"`source` must hold all of {', '.join(ARCHIVES)} (TensorFlow Datasets "
            f"prepares them together). Received: {source} without "
            f"{', '.join(missing)}"
        )


def _lay_into_cache(report: ArchiveReport, downloads: Path) -> None:
    """Puts an archive where TensorFlow Datasets keeps a finished download."""
    from tensorflow_datasets.core.download import resource

    url = _URL + report.path.name
    folder = downloads / "omniglot"
    folder.mkdir(parents=True, exist_ok=True)
    cached = folder / resource.get_dl_fname(url, report.official_sha256)
    info = Path(resource.get_info_path(cached))
    # The information file says that the archive beside it is whole: it goes
    # first and comes back last.
    info.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tfmeta-") as name:
        temporary = Path(name)
        shutil.copyfile(report.path, temporary / "archive")
        os.replace(temporary / "archive", cached)
        (temporary / "info").write_text(
            json.dumps(
                {
                    "dataset_names": ["omniglot"],
                    "original_fname": report.path.name,
                    "url_info": {
                        "checksum": report.sha256,
                        "filename": report.path.name,
                        "size": cached.stat().st_size,
                    },
                    "urls": [url],
                },
                sort_keys=True,
            )
        )
        os.replace(temporary / "info", info)


def _is_whole(packed: Path) -> bool:
    try:
        pack.read_packed(packed)
    except ValueError:
        return False
    return True
