"""`tracker=tensorboard`: one event file a run, in `<run>/tensorboard/`.

`tensorboard --logdir outputs/sweeps/<name>` shows a sweep: scalars over the training step, the
HPARAMS table with the final metrics, and pictures at the end of each run.

A run that is resumed gets a new event file with all rows of its metrics.jsonl, and the older file
is removed. So no point is there twice and none is missing, whatever became of the older process.
"""

import contextlib
import importlib.util
import io
import math
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mnist_seq.config import ConfigError
from mnist_seq.runs import files
from mnist_seq.runs.events import Ended, Listener, Row, Started
from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.variants import flat
from mnist_seq.tracking import Tracker

FOLDER = "tensorboard"
_NOT_SCALARS = ("step", "epoch", "seconds")
# Groups of the config that no number depends on; they would be columns of the HPARAMS table
_NOT_HPARAMS = ("tracker.", "sweep.", "data.root")


class TensorBoard(Tracker):
    """Writes event files; needs the package tensorboard."""

    def check(self) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            raise ConfigError(
                "tracker=tensorboard needs the package tensorboard, which is not installed; "
                "pip install 'mnist_seq[tensorboard]', or choose tracker=none"
            )

    def open_run(self, folder: RunFolder) -> Listener:
        return TensorBoardRun(folder, has_pictures=bool(self.options["pictures"]))


class TensorBoardRun(Listener):
    """The event file of one run."""

    def __init__(self, folder: RunFolder, *, has_pictures: bool) -> None:
        self._folder, self._has_pictures = folder, has_pictures
        self._file = EventFile(folder.path / FOLDER)
        self._rows: list[Row] = []
        self._begun = time.time()

    def started(self, event: Started) -> None:
        rows = self._folder.metrics()
        # The time axis shows training time also for rows that are written again
        self._begun -= rows[-1].get("seconds") or 0.0 if rows else 0.0
        self._file.add(hparams_start(self._folder.record()["config"], self._begun))
        for row in rows:
            self._write(row)
        self._file.flush()

    def evaluated(self, row: Row) -> None:
        self._write(row)
        self._file.flush()

    def ended(self, event: Ended) -> None:
        if event.state != "interrupted":
            self._write_end(event)
            self._file.flush()

    def _write(self, row: Row) -> None:
        self._rows.append(row)
        summary = scalars({k: v for k, v in row.items() if k not in _NOT_SCALARS})
        self._file.add(summary, int(row["step"]), self._begun + (row.get("seconds") or 0.0))

    def _write_end(self, event: Ended) -> None:
        step = int(self._rows[-1]["step"]) if self._rows else 0
        known = self._rows[-1] if self._rows else {}
        final = {k: v for k, v in event.metrics.items() if k not in known}  # those on test
        best = {f"best/{k}": v for k, v in event.best.items() if k != "step"}
        self._file.add(scalars(final | best), step)
        if self._has_pictures:
            for name, picture in self._pictures().items():
                self._file.add(image(name, picture), step)
        self._file.add(hparams_end(is_success=event.state == "finished"))

    def _pictures(self) -> dict[str, bytes]:
        """Pictures as PNG, by their names."""
        found = {}
        with contextlib.suppress(OSError):  # a run that did not finish has no predictions
            arrays = self._folder.test_arrays()
            if "image" in arrays:
                of_samples = (arrays[name] for name in ("image", "label", "prediction"))
                found["test/samples"] = sample_picture(*of_samples)
            if (classes := self._folder.classes_on_test()) is not None:
                found["test/confusion"] = confusion_picture(*classes)
        if curves := [points for row in self._rows if (points := _gradients(row))]:
            found["gradient/along the sequence"] = curve_picture(curves)
        return found


def _gradients(row: Row) -> list[tuple[int, float]]:
    """Gradient norm at each time step that `training.diagnostics=gradients` looked at."""
    prefix = "gradient/t"
    return [
        (int(name.removeprefix(prefix)), value)
        for name, value in row.items()
        if name.startswith(prefix) and _is_finite(value)
    ]


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


class EventFile:
    """One event file, open only while it is written to, in the caller's thread.

    (`SummaryWriter` writes on a thread of its own: a full disk then prints a traceback there.)
    """

    def __init__(self, folder: Path) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        files.make_folder(folder.parent, folder.name)
        older = sorted(folder.glob("events.out.tfevents.*"))
        name = f"events.out.tfevents.{time.time_ns():020d}.{socket.gethostname()}.{os.getpid()}"
        self._path, self._event = folder / name, Event
        self._waiting = io.BytesIO()
        self._writer = RecordWriter(self._waiting)
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        # A TensorBoard that is open forgets the points of the older file
        start = SessionLog(status=SessionLog.START)
        self._write(Event(wall_time=time.time(), step=0, session_log=start))
        self.flush()
        for path in older:
            path.unlink(missing_ok=True)

    def add(self, summary: Any, step: int = 0, wall_time: float | None = None) -> None:
        """Add a summary; it is written by `flush`."""
        now = time.time() if wall_time is None else wall_time
        self._write(self._event(wall_time=now, step=step, summary=summary))

    def flush(self) -> None:
        """Write what was added.

        Raises:
            OSError: the disk is full, or the folder cannot be written to.
        """
        with os.fdopen(files.open_append(self._path), "ab") as file:
            file.write(self._waiting.getvalue())
        self._waiting.seek(0)
        self._waiting.truncate()

    def _write(self, event: Any) -> None:
        self._writer.write(event.SerializeToString())


def scalars(values: Row) -> Any:
    """A summary of scalars, by their names. Values that are not finite are left out."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary(
        value=[
            Summary.Value(tag=name, simple_value=value)
            for name, value in values.items()
            if _is_finite(value)
        ]
    )


def image(name: str, png: bytes) -> Any:
    """A summary of one picture."""
    from PIL import Image
    from tensorboard.compat.proto.summary_pb2 import Summary

    width, height = Image.open(io.BytesIO(png)).size
    picture = Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=png)
    return Summary(value=[Summary.Value(tag=name, image=picture)])


def hparams_start(config: dict[str, Any], begun: float) -> Any:
    """A summary of the config, as the HPARAMS table shows it."""
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    info = plugin_data_pb2.SessionStartInfo(start_time_secs=begun)
    for name, value in {"seed": config["seed"], **flat(config)}.items():
        if name.startswith(_NOT_HPARAMS):
            continue
        if isinstance(value, bool):
            info.hparams[name].bool_value = value
        elif isinstance(value, int | float):
            info.hparams[name].number_value = value
        else:
            info.hparams[name].string_value = str(value)
    data = plugin_data_pb2.HParamsPluginData(session_start_info=info)
    return _hparams(metadata.SESSION_START_INFO_TAG, data)


def hparams_end(*, is_success: bool) -> Any:
    """A summary that the run has ended."""
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    status = api_pb2.STATUS_SUCCESS if is_success else api_pb2.STATUS_FAILURE
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
    data = plugin_data_pb2.HParamsPluginData(session_end_info=info)
    return _hparams(metadata.SESSION_END_INFO_TAG, data)


def _hparams(tag: str, data: Any) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata

    about = metadata.create_summary_metadata(data)
    return Summary(value=[Summary.Value(tag=tag, metadata=about, tensor=metadata.NULL_TENSOR)])


CELL, TEXT = 84, 14  # pixels: a sample's side, a line of text
_GREEN, _RED, _GREY = (0, 110, 60), (190, 40, 20), (120, 120, 120)


def sample_picture(images: Any, labels: Any, predictions: Any) -> bytes:
    """The first test examples in a row; below each its prediction, and its label where it errs."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (len(images) * (CELL + 4), CELL + 2 * TEXT), "white")
    draw = ImageDraw.Draw(picture)
    for i, pixels in enumerate(images):
        left = i * (CELL + 4)
        tile = Image.fromarray(pixels).resize((CELL, CELL), Image.Resampling.NEAREST)
        picture.paste(tile, (left, 0))
        is_right = bool(np.all(labels[i] == predictions[i]))
        draw.text((left + 4, CELL), f"{predictions[i]}", fill=_GREEN if is_right else _RED)
        if not is_right:
            draw.text((left + 4, CELL + TEXT), f"is {labels[i]}", fill=_RED)
    return _png(picture)


def confusion_picture(labels: Any, predictions: Any, num_classes: int) -> bytes:
    """Counts of test examples: a row a label, a column a prediction."""
    from PIL import Image, ImageDraw

    counts = np.zeros((num_classes, num_classes), int)
    np.add.at(counts, (labels.astype(int), predictions.astype(int)), 1)
    side, edge = 44, 3 * TEXT
    picture = Image.new("RGB", (edge + num_classes * side, edge + num_classes * side), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((2, 2), "row: label, column: prediction", fill=_GREY)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    for (row, column), share in np.ndenumerate(shares):
        left, top = edge + column * side, edge + row * side
        paint = (int(255 - 225 * share), int(255 - 150 * share), 255)
        draw.rectangle((left, top, left + side - 2, top + side - 2), fill=paint)
        if counts[row, column]:
            draw.text((left + 4, top + side // 3), str(counts[row, column]), fill="black")
    for number in range(num_classes):
        draw.text((TEXT, edge + number * side + side // 3), str(number), fill=_GREY)
        draw.text((edge + number * side + side // 3, edge - TEXT), str(number), fill=_GREY)
    return _png(picture)


def curve_picture(curves: Sequence[list[tuple[int, float]]]) -> bytes:
    """log10 of the gradient norm over the time steps, one line an evaluation, the last one dark."""
    from PIL import Image, ImageDraw

    logs = [[(t, math.log10(max(value, 1e-30))) for t, value in curve] for curve in curves]
    points = [point for curve in logs for point in curve]
    last = max(t for t, _ in points) or 1
    low, high = math.floor(min(y for _, y in points)), math.ceil(max(y for _, y in points)) + 1e-9
    width, height, edge = 640, 320, 40
    picture = Image.new("RGB", (width + 2 * edge, height + 2 * edge), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((edge, edge, edge + width, edge + height), outline=_GREY)
    draw.text((edge, TEXT), f"gradient norm, 1e{low:.0f} to 1e{high:.0f}", fill=_GREY)
    draw.text((edge, edge + height + 4), f"time step 0 to {last}", fill=_GREY)
    for number, curve in enumerate(logs):
        tone = int(200 - 200 * (number + 1) / len(logs))
        line = [
            (edge + width * t / last, edge + height * (high - y) / (high - low)) for t, y in curve
        ]
        draw.line(line, fill=(tone, tone, 255), width=2)
    return _png(picture)


def _png(picture: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
