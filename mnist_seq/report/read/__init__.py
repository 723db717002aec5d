"""Reads run folders and selects the runs that a report compares."""
