"""What importing the room costs."""

import subprocess
import sys


def test_importing_the_room_loads_neither_scipy_stats_nor_statsmodels() -> None:
    """They take most of a second, and every sweep ends with a summary."""
    program = (
        "import sys, mnist_seq.stats\n"
        "slow = {'scipy.stats', 'scipy.optimize', 'statsmodels', 'pandas', 'torch'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
