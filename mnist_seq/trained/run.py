"""A run from its folder: its numbers, its network, and what the network says of other examples."""

import functools
import html
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mnist_seq.config import Config, ConfigError
from mnist_seq.config.parse import parse_plain

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from jaxtyping import Int

    from mnist_seq.models import Classifier
    from mnist_seq.report.read.run import Run
    from mnist_seq.trained.predictions import Misclassified, Predictions
    from mnist_seq.trained.reading import Ground

Which = Literal["tested", "best", "last"] | int


def load_run(folder: str | Path) -> "LoadedRun":
    """A run from its folder, whatever became of it.

    Raises:
        ValueError: there is no run, or its record is damaged.
    """
    from mnist_seq.report.read.collect import read_run
    from mnist_seq.report.read.run import Run
    from mnist_seq.runs.folder import RunFolder

    run = read_run(RunFolder(Path(folder)))
    if not isinstance(run, Run):
        raise ValueError(f"{folder} must be the folder of a run: {run.reason}")
    return LoadedRun(run)


@dataclass(frozen=True)
class LoadedRun:
    """One run as its folder holds it."""

    run: "Run"

    @property
    def folder(self) -> Path:
        """Where it is recorded."""
        return self.run.folder

    @property
    def state(self) -> str:
        """finished, diverged, failed, interrupted or unreadable."""
        return self.run.state

    @property
    def metrics(self) -> dict[str, float]:
        """Those of result.json, accuracies as fractions; empty where the run has not ended."""
        return dict(self.run.metrics)

    @functools.cached_property
    def config(self) -> Config:
        """All that the run was asked to do."""
        return parse_plain(self.run.record["config"])

    @property
    def history(self) -> "pd.DataFrame":
        """One row an evaluation."""
        from mnist_seq.report.read.frame import frame_of

        return frame_of(self.run.history)

    @property
    def predictions(self) -> "tuple[Int[np.ndarray, ' N'], Int[np.ndarray, ' N']]":
        """Label and prediction of every test example.

        Raises:
            ValueError: the run has none.
        """
        if self.run.predictions is None:
            raise ValueError(f"{self.folder} holds no predictions: the run is {self.state}")
        return self.run.predictions

    @functools.cached_property
    def kept(self) -> dict[int, float]:
        """Evaluations whose weights `training.keep_best` has kept: value on valid by step, the
        best first."""
        from mnist_seq.runs.folder import RunFolder
        from mnist_seq.tasks import task_of
        from mnist_seq.training.loop.best import choice_of, ranked

        choice = choice_of(self.config.training, task_of(self.config.data))
        files = RunFolder(self.folder).kept()
        rows = [(row.get("step"), row.get(choice.name)) for row in self.run.history]
        values = {int(s): float(v) for s, v in rows if s in files and v is not None}
        return {step: values[step] for step in ranked(values, choice)}

    def model(self, which: Which = "tested") -> "Classifier":
        """The trained classifier, on the CPU, ready to evaluate: `model()(x [T, B, D])`.

        Args:
            which: weights: "tested", those that the test set was read with (`training.evaluate`);
                "best" on valid; "last", those of the last step; a number, those of the evaluation
                at this step, of `kept`.

        Raises:
            ValueError: the run has left no such weights, or they are of another version of the
                code.
        """
        from mnist_seq.runs.folder import RunFolder
        from mnist_seq.training.preflight.count import load_classifier, load_last

        folder = RunFolder(self.folder)
        if isinstance(which, int) and not isinstance(which, bool):
            if which not in self.kept:
                steps = ", ".join(map(str, self.kept)) or "no step: choose training.keep_best=3"
                raise ValueError(f"{self.folder} keeps the weights of {steps}; which={which}")
            return load_classifier(self.config, folder.kept()[which])
        if which not in ("tested", "best", "last"):
            raise ValueError(f"which must be tested, best, last or a step: which={which!r}")
        if which == "last" and self.config.training.evaluate == "best":
            return load_last(self.config, folder)
        path = folder.best_path if which == "best" else folder.model_path
        if not path.exists():
            hint = "it has no validation set" if which == "best" else f"the run is {self.state}"
            raise ValueError(f"{self.folder} holds no {path.name}: {hint}")
        return load_classifier(self.config, path)

    def _usable(self, which: Which) -> "Classifier":
        """The model, whose weights are numbers.

        Raises:
            ValueError: they are not, as those of a run that diverged.
        """
        model = self.model(which)
        if not all(weight.isfinite().all() for weight in model.state_dict().values()):
            raise ValueError(
                f"{self.folder} holds weights that are NaN or infinite: the run is {self.state}"
            )
        return model

    def predict(
        self,
        examples: "Any",
        *,
        lengths: "Any" = None,
        which: Which = "tested",
        ground: "Ground" = "auto",
        is_scaled: bool = False,
    ) -> "Predictions":
        """What the network says of examples of anybody, with probabilities.

        Args:
            examples: one, or N of them, as the data set has them: pictures [28, 28] of bytes, or of
                floats from 0 to 1; for other data sequences [T, D], or tokens [T]. Their order in
                time and their normalisation are those of the run.
            lengths: of sequences that differ in length, [N].
            which: see `model`.
            ground: of pictures; "white" inverts them. "auto" refuses pictures that are black on
                white.
            is_scaled: whether recordings are scaled already, as those of training were. Others are
                scaled here, by the numbers in run.json.

        Raises:
            ValueError: the examples have another shape or other values, or there are no weights.
        """
        from mnist_seq.trained.predictions import predict
        from mnist_seq.trained.reading import Reading

        reading = Reading(self.config, self.run.record)
        checked = reading.examples(examples, ground=ground, is_scaled=is_scaled)
        size = self.config.training.eval_batch_size
        return predict(self._usable(which), reading, checked, lengths=lengths, batch_size=size)

    def misclassified(self) -> "Misclassified":
        """The examples of the test set of which the network said another class.

        Raises:
            ValueError: the run has no predictions, or its examples have no class each.
        """
        import numpy as np

        from mnist_seq.tasks import task_of, test_pictures
        from mnist_seq.trained.predictions import Misclassified

        labels, predictions = self.predictions
        if self.run.classes is None:
            raise ValueError(f"data={self.config.data.name} has no class for each example")
        indexes = np.flatnonzero(labels != predictions)
        pictures, data = None, self.config.data
        if len(indexes):
            pictures = test_pictures(data.name, [Path(data.root)], indexes.tolist())
        names = task_of(data).class_names
        wrong = (labels[indexes], predictions[indexes])
        return Misclassified(indexes, *wrong, names, len(labels), pictures)

    def export(
        self,
        form: str = "onnx",
        path: str | Path | None = None,
        *,
        which: Which = "tested",
        is_scaled: bool = False,
    ) -> Path:
        """Write the network as one file for other programs; ONNX Runtime's numbers are compared.

        The file takes `examples` [N, ...] as the data set has them, such as bytes [N, 28, 28]: the
        order in time and the normalisation are inside. It gives `logits` and `probabilities`. Its
        metadata says so, and holds the names of the classes and the config.

        Args:
            path: of the file; without it `model.onnx` in the run's folder.
            is_scaled: whether the file reads recordings that are scaled already. Without it their
                scale is inside.

        Raises:
            ConfigError: ONNX cannot hold this net, its scale is not known, or a package is missing.
            ValueError: there are no such weights.
        """
        import mnist_seq
        from mnist_seq.config.identity import result_values
        from mnist_seq.runs import files
        from mnist_seq.trained.onnx_file import onnx_file
        from mnist_seq.trained.reading import Reading

        if form != "onnx":
            raise ConfigError(f"export writes onnx: {form!r}; write run.export('onnx')")
        about = {
            "mnist_seq": mnist_seq.__version__,
            "config": result_values(self.config),
            "config_hash": self.run.identity,
            "weights": which,
        }
        reading = Reading(self.config, self.run.record)
        content = onnx_file(self._usable(which), reading, about, is_scaled=is_scaled)
        file = Path(path) if path is not None else self.folder / "model.onnx"
        files.write_bytes(file, content)
        return file

    def __repr__(self) -> str:
        shown = "  ".join(f"{key}={value:.4g}" for key, value in self.metrics.items())
        return f"<{self.state} run of {self.run.record['name']} in {self.folder}  {shown}>"

    def _repr_html_(self) -> str:
        rows = {"state": self.state, **{k: f"{v:.4f}" for k, v in self.metrics.items()}}
        if self.run.reason:
            rows["reason"] = self.run.reason
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>"
            for k, v in rows.items()
        )
        name = html.escape(str(self.run.record["name"]))
        where = html.escape(str(self.folder))
        return f"<table><caption>{name} <code>{where}</code></caption>{cells}</table>"
