"""The training loop of one run or of a stack: steps, evaluations, checkpoints and the end."""

import contextlib
import math
import time
from collections.abc import Callable, Sequence

import torch

from mnist_seq.training.loop.evaluation import Evaluation
from mnist_seq.training.loop.interruption import Interruption
from mnist_seq.training.loop.logbook import Logbook
from mnist_seq.training.loop.program import Program
from mnist_seq.training.loop.step import Average
from mnist_seq.training.schedules import epoch_rates, goes_by_valid
from mnist_seq.training.seeds import epoch_order

CHECK_EVERY = 50  # steps between two reads of the loss; a read waits for the device
SAVE_SHARE = 0.1  # largest share of a stack's time for its checkpoints, which are many files
TELL_EVERY_S = 1.0  # seconds between two progress events where CHECK_EVERY steps take longer


class Loop:
    """Steps a program until each of its runs has ended.

    Args:
        books: of the program's runs, all at the same step. The settings that the loop reads are
            equal in all of them.
    """

    def __init__(self, program: Program, books: Sequence[Logbook]) -> None:
        self.program, self.books = program, list(books)
        self.configs = [book.job.config for book in books]
        training, self.data = self.configs[0].training, books[0].learner.data
        assert len(books) == 1 or training.early_stop == "never"
        self.training = training
        self.steps_per_epoch = books[0].learner.steps_per_epoch
        self.num_steps = books[0].learner.num_steps
        self.eval_every = (
            self.steps_per_epoch if training.eval_every == "epoch" else training.eval_every
        )
        self.step = books[0].state.step
        self.loss_count = books[0].state.loss_count
        loss_sums = [book.loss_sum for book in books]
        self.program.loss_sums.copy_(torch.tensor(loss_sums, dtype=self.program.loss_sums.dtype))
        if program.right_sums is not None:
            rights = [book.right_sum for book in books]
            program.right_sums.copy_(torch.tensor(rights, dtype=program.right_sums.dtype))
        self._averages: list[Average] = []
        if training.ema != "none":
            self._averages = [
                Average(book.learner.model, training.ema, book.saved_average) for book in books
            ]
        self._rates = self._unscaled = self._orders = torch.empty(0)
        self._is_scaled = any(goes_by_valid(config.schedule) for config in self.configs)
        self._last_told = self._last_save = time.perf_counter()
        self._next_save = 0.0  # time before which a stack is not saved again

    def fit(self, interruption: Interruption) -> None:
        """Train to the end, and read the test set.

        Raises:
            Interrupted: a signal came; the checkpoints hold the last whole step.
        """
        self._for_each(lambda _, book: book.begin(num_steps=self.num_steps))
        interruption.has_begun = True
        epoch = -1
        while self.step < self.num_steps and self._unfinished() and not self._is_stopped_early():
            current, position = divmod(self.step, self.steps_per_epoch)
            if current != epoch:
                epoch = current
                self._begin_epoch(epoch)
            self.loss_count += self.program.step(position)
            self.step += 1
            for average in self._averages:
                average.update(self.step)
            self._after_step()
            if interruption.is_asked():
                self._update_books()
                self._for_each(self._save)
                interruption.check()
        with self._averaged():
            self._finish(interruption)

    def _is_stopped_early(self) -> bool:
        return any(book.state.is_stopped_early for book in self.books)

    def _unfinished(self) -> list[tuple[int, Logbook]]:
        return [(i, book) for i, book in enumerate(self.books) if book.ended is None]

    def _for_each(self, call: Callable[[int, Logbook], object]) -> None:
        """Call a function for each run that has not ended. An error fails that run alone."""
        for i, book in self._unfinished():
            try:
                call(i, book)
            except Exception as error:
                book.fail(error)

    def _begin_epoch(self, epoch: int) -> None:
        num = 0 if self.data.is_stream else self.data.num_train
        orders = [
            epoch_order(config.seed, epoch, num, order=self.training.order)
            for config in self.configs
        ]
        self._orders = torch.stack(orders)
        self._unscaled = epoch_rates(
            self.configs, epoch, num_steps=self.num_steps, steps_per_epoch=self.steps_per_epoch
        )
        self._set_rates(epoch)

    def _set_rates(self, epoch: int) -> None:
        """Give the program the rates of an epoch, as far as evaluations decide them by now."""
        self._rates = self._unscaled
        if self._is_scaled:
            scales = torch.tensor([book.rate_scale() for book in self.books], dtype=torch.float64)
            self._rates = self._unscaled * scales
        self.program.begin_epoch(epoch * self.steps_per_epoch, self._orders, self._rates)

    def _after_step(self) -> None:
        """Tell, evaluate and save where they are due, and end runs whose loss is not finite."""
        training = self.training
        now = time.perf_counter()
        is_last = self.step == self.num_steps
        is_eval = self.step % self.eval_every == 0 or is_last
        every = training.checkpoint_steps
        is_save = is_last or (every is not None and self.step % every == 0)
        # Time decides only what is told. Whether a run counts as diverged must not depend on it
        is_check = is_eval or is_save or self.step % CHECK_EVERY == 0
        if is_check or now - self._last_told > TELL_EVERY_S:
            self._last_told = now
            self._update_books()
            if is_check:
                self._for_each(_end_if_not_finite)
            self._for_each(lambda _, book: book.progressed(self.step / self.steps_per_epoch))
        if is_eval:
            with self._averaged():
                self._evaluate()
        is_save = is_save and (is_last or now > self._next_save)
        if not is_save and now > max(self._last_save + training.checkpoint_s, self._next_save):
            self._update_books()  # as before any save: it may be due at any step
            is_save = True
        if is_save or self._is_stopped_early():
            self._save_all()

    def _save_all(self) -> None:
        begun = time.perf_counter()
        self._for_each(self._save)
        if len(self.books) > 1:
            done = time.perf_counter()
            self._next_save = done + (done - begun) / SAVE_SHARE
        self._last_save = time.perf_counter()

    def _update_books(self) -> None:
        """Tell the logbooks the step and the loss; waits for the device."""
        rights = self.program.right_sums
        sums = zip(
            self.program.loss_sums.tolist(),
            [0.0] * len(self.books) if rights is None else rights.tolist(),
            strict=True,
        )
        for book, (loss_sum, right_sum) in zip(self.books, sums, strict=True):
            if book.ended is None:
                book.set_progress(self.step, self.loss_count, loss_sum, right_sum)

    def _save(self, i: int, book: Logbook) -> None:
        average = self._averages[i].state if self._averages else None
        book.save(self.program.optimizer_state(i), average)

    def _averaged(self) -> contextlib.ExitStack:
        """The weights that are evaluated: their averages where the config asks for these."""
        stack = contextlib.ExitStack()
        for average in self._averages:
            stack.enter_context(average.used())
        return stack

    def _evaluate(self) -> None:
        """Add a line to each run's metrics; end those whose loss on valid is not finite."""
        if not self._unfinished():
            return
        none: list[Evaluation | None] = [None] * len(self.books)
        valids = self.program.evaluate("valid") if self.data.num_valid else none
        limit = self.training.monitor_test
        monitors = self.program.evaluate("test", limit) if limit else none
        first = self.training.eval_train
        trains = self.program.evaluate("train", first) if first else none
        rates = self._rates[(self.step - 1) % self.steps_per_epoch].tolist()

        def evaluated(i: int, book: Logbook) -> None:
            epoch = self.step / self.steps_per_epoch
            is_finite = book.evaluated(
                epoch=epoch, lr=rates[i], valid=valids[i], monitor=monitors[i], train=trains[i]
            )
            if not is_finite:
                book.diverge()

        self._for_each(evaluated)
        self.program.loss_sums.zero_()
        if self.program.right_sums is not None:
            self.program.right_sums.zero_()
        self.loss_count = 0
        if self._is_scaled:
            self._set_rates((self.step - 1) // self.steps_per_epoch)

    def _finish(self, interruption: Interruption) -> None:
        """Evaluate on the test set and the probes, once, with the weights that a config chooses."""
        self._for_each(lambda _, book: book.load_best())
        if self._unfinished():
            tests = self.program.evaluate("test")
            probes = {length: self.program.evaluate(length) for length in self.data.task.probes}
            interruption.is_over = True  # from here on, the results are written
            self._for_each(
                lambda i, book: book.finish(tests[i], {n: of[i] for n, of in probes.items()})
            )
            interruption.is_over = False


def _end_if_not_finite(_: int, book: Logbook) -> None:
    if not math.isfinite(book.loss_sum):
        book.diverge()
