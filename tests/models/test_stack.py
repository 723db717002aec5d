"""A stack runs the scans that are written for it."""

from tests.contracts.test_cells import losses, nets, stack


def test_a_stack_runs_the_scan() -> None:
    """Step by step through autograd it would have the same numbers, ten times slower."""
    for name, scan in (("lstm", "LSTMScan"), ("gru", "GRUScan"), ("rnn", "RNNScan")):
        all_nets = nets(name)
        nodes, seen = [losses(all_nets[0], stack(all_nets), ()).grad_fn], set()
        while nodes:
            node = nodes.pop()
            if node is not None and node not in seen:
                seen.add(node)
                nodes += [function for function, _ in node.next_functions]
        assert sum(f"{scan}Backward" == node.name() for node in seen) == 1
