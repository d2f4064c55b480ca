"""Columns and models as people read them; records and names of files have them otherwise."""


def column(name: str) -> str:
    """`forget_rouge` as `forget rouge`."""
    return name.replace("_", " ")


def model(name: str) -> str:
    """`org--name`, of a file's path, as `org/name`."""
    return name.replace("--", "/")
