"""A small web application around a detector: a page to drop images on, and JSON for programs."""
