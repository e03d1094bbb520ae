"""What is to run, from the file and the command line: they must not say different things unnoticed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import frozen

from uno_core.config.mistakes import Mistakes
from uno_core.config.options import option


@frozen(kw_only=True)
class Wanted:
    """What is to run. Either may be empty; the plan asks for what the platform needs."""

    version: str = option(default="", help="the version to deploy")
    image: str = option(default="", help="the image to deploy; its tag is the version where none is named")


@frozen(kw_only=True)
class Overrides:
    """What the command line lays over the file. Empty means not given.

    options: `PATH=VALUE` as written after `--option`. adopt: what others own is taken over, where the
    platform knows that. image_tag keeps the repository of the image.
    """

    application: str = ""
    environment: str = ""
    platform: str = ""
    strategy: str = ""
    version: str = ""
    image: str = ""
    image_tag: str = ""
    namespace: str = ""
    adopt: bool = False
    options: Sequence[str] = ()


def _parts(image: str) -> tuple[str, str, str]:
    """An image as repository, tag and digest; the colon of a port belongs to the repository."""
    bare, _, digest = image.partition("@")
    found = re.fullmatch(r"(.+?):([^:/]*)", bare)
    return (found[1], found[2], digest) if found else (bare, "", digest)


def wanted(file: Wanted, over: Overrides, where: str, mistakes: Mistakes) -> Wanted:
    """The release that both name together.

    An image without a tag is left so: the platform adds the version. `--version` beside a tagged
    image of the file changes the tag where tag and version were one, and is a mistake otherwise.
    """
    tag, image = over.image_tag, over.image or file.image
    repository, old, digest = _parts(image)
    if tag and image:
        image = f"{repository}:{tag}"
    elif over.image:
        tag = old or digest.removeprefix("sha256:")[:12]
    elif over.version and (old or digest) and not tag:
        if digest or old != (file.version or old):
            mistakes.add(
                "which image is this version?",
                found=f"--version {over.version}, and {image} in the file",
                where=f"{where}, release.image" if where else "release.image",
                remedy="give --image or --image-tag too, or leave the tag out of the file's image",
            )
        image = f"{repository}:{over.version}"
    return Wanted(version=over.version or tag or file.version or old, image=image)
