"""The parts of report.html: its head, the answer, the sections."""
