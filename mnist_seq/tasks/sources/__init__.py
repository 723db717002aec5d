"""Finds, downloads and verifies the files of published data sets."""
