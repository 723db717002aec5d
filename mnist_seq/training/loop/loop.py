"""The training loop: steps, evaluations, checkpoints and endings of one run, or of a stack."""

import math
import time
from collections.abc import Callable, Sequence

import torch

from mnist_seq.training.loop.evaluation import Evaluation
from mnist_seq.training.loop.interruption import Interruption
from mnist_seq.training.loop.logbook import Logbook
from mnist_seq.training.loop.program import Program
from mnist_seq.training.schedules import epoch_rates
from mnist_seq.training.seeds import epoch_order

CHECK_EVERY = 50  # steps between two looks at the loss: each look waits for the device
SAVE_SHARE = 0.1  # of a stack's time at most: its checkpoints are many files
TELL_EVERY_S = 1.0  # where 50 steps take longer than that


class Loop:
    """Steps a program until each of its runs has ended.

    Args:
        books: of the program's runs, all at one step. They differ in nothing that is read here.
    """

    def __init__(self, program: Program, books: Sequence[Logbook]) -> None:
        self.program, self.books = program, list(books)
        self.configs = [book.job.config for book in books]
        training, self.data = self.configs[0].training, books[0].learner.data
        assert len(books) == 1 or training.early_stop == "never"
        self.training = training
        self.steps_per_epoch = math.ceil(self.data.num_train / training.batch_size)
        self.num_steps = self.steps_per_epoch * training.epochs
        self.eval_every = (
            self.steps_per_epoch if training.eval_every == "epoch" else training.eval_every
        )
        self.step = books[0].state.step
        self.loss_count = books[0].state.loss_count
        loss_sums = [book.loss_sum for book in books]
        self.program.loss_sums.copy_(torch.tensor(loss_sums, dtype=torch.float64))
        self._rates = torch.empty(0)
        self._told = time.perf_counter()
        self._saves_from = 0.0  # on the clock

    def fit(self, interruption: Interruption) -> None:
        """Train to the end, and read the test set.

        Raises:
            Interrupted: a signal came; the checkpoints stand at the last whole step.
        """
        self._each(lambda _, book: book.begin(num_steps=self.num_steps))
        epoch = -1
        while self.step < self.num_steps and self._at_work() and not self._is_stopped_early():
            current, position = divmod(self.step, self.steps_per_epoch)
            if current != epoch:
                epoch = current
                self._begin_epoch(epoch)
            self.loss_count += self.program.step(position)
            self.step += 1
            self._look()
            if interruption.signum:
                self._reach()
                self._each(self._save)
                interruption.check()
        self._finish(interruption)

    def _is_stopped_early(self) -> bool:
        return any(book.state.is_stopped_early for book in self.books)

    def _at_work(self) -> list[tuple[int, Logbook]]:
        return [(i, book) for i, book in enumerate(self.books) if book.ended is None]

    def _each(self, call: Callable[[int, Logbook], object]) -> None:
        """Call for each run at work. A run's own trouble, with its folder say, ends it alone."""
        for i, book in self._at_work():
            try:
                call(i, book)
            except Exception as error:
                book.fail(error)

    def _begin_epoch(self, epoch: int) -> None:
        orders = [
            epoch_order(config.seed, epoch, self.data.num_train, order=self.training.order)
            for config in self.configs
        ]
        self._rates = epoch_rates(
            self.configs, epoch, num_steps=self.num_steps, steps_per_epoch=self.steps_per_epoch
        )
        first = epoch * self.steps_per_epoch
        self.program.begin_epoch(first, torch.stack(orders), self._rates)

    def _look(self) -> None:
        """After a step: tell, evaluate and save where they are due; end runs whose loss is lost."""
        training = self.training
        now = time.perf_counter()
        is_last = self.step == self.num_steps
        is_eval = self.step % self.eval_every == 0 or is_last
        is_save = self.step % training.checkpoint_every == 0 or is_last
        # The clock decides only what is told: when a run counts as diverged must not hang on it
        is_check = is_eval or is_save or self.step % CHECK_EVERY == 0
        if is_check or now - self._told > TELL_EVERY_S:
            self._told = now
            self._reach()
            if is_check:
                self._each(_end_if_lost)
            self._each(lambda _, book: book.progressed(self.step / self.steps_per_epoch))
        if is_eval:
            self._evaluate()
        is_save = is_save and (is_last or now > self._saves_from)
        if is_save or self._is_stopped_early():
            self._save_all()

    def _save_all(self) -> None:
        begun = time.perf_counter()
        self._each(self._save)
        if len(self.books) > 1:
            done = time.perf_counter()
            self._saves_from = done + (done - begun) / SAVE_SHARE

    def _reach(self) -> None:
        """Let the logbooks know where the loop stands; waits for the device."""
        for book, loss_sum in zip(self.books, self.program.loss_sums.tolist(), strict=True):
            if book.ended is None:
                book.reached(self.step, self.loss_count, loss_sum)

    def _save(self, i: int, book: Logbook) -> None:
        book.save(self.program.optimizer_state(i))

    def _evaluate(self) -> None:
        """Add a line to each run's metrics; end those whose loss on valid is not finite."""
        if not self._at_work():
            return
        none: list[Evaluation | None] = [None] * len(self.books)
        valids = self.program.evaluate("valid") if self.data.num_valid else none
        limit = self.training.monitor_test
        monitors = self.program.evaluate("test", limit) if limit else none
        rates = self._rates[(self.step - 1) % self.steps_per_epoch].tolist()

        def evaluated(i: int, book: Logbook) -> None:
            epoch = self.step / self.steps_per_epoch
            if not book.evaluated(epoch=epoch, lr=rates[i], valid=valids[i], monitor=monitors[i]):
                book.diverge()

        self._each(evaluated)
        self.program.loss_sums.zero_()
        self.loss_count = 0

    def _finish(self, interruption: Interruption) -> None:
        """Read the test set, once, with the weights that each config chooses."""
        self._each(lambda _, book: book.load_best())
        if self._at_work():
            tests = self.program.evaluate("test")
            interruption.is_over = True  # with the results about to be written
            self._each(lambda i, book: book.finish(tests[i]))
            interruption.is_over = False


def _end_if_lost(_: int, book: Logbook) -> None:
    if not math.isfinite(book.loss_sum):
        book.diverge()
