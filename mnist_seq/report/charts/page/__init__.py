"""Charts of the page: plain SVG that is as wide as its place, with texts of one size."""
