"""Says where early stopping has ended a run that was no better than a guess."""

from mnist_seq.tasks import Task
from mnist_seq.tasks.examples import Examples

NEAR = 0.1  # of the way from a guess to a perfect answer


def flat_warning(task: Task, examples: Examples, best: float) -> str:
    """Why a run that was stopped early may have been about to learn; "" where it had learnt.

    Tasks such as adding stay at a guess for hundreds of updates, and are then learnt at once.

    Args:
        best: the best value on valid of the metric that choices go by.
    """
    main = task.main
    guess = task.guess(examples).get(main)
    if guess is None:
        return ""
    perfect = 1.0 if task.metrics[main].higher_is_better else 0.0
    if perfect == guess or (best - guess) / (perfect - guess) > NEAR:
        return ""
    return (
        f"training.early_stop has ended this run at valid/{main} {best:.4g}, and a guess has "
        f"{guess:.4g}: some tasks stay there for long, and are then learnt at once; choose "
        "training.early_stop=never"
    )
