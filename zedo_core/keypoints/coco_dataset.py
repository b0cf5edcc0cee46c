"""COCO's data sets {images, annotations, categories}, as annotation tools and COCO itself write them."""

from __future__ import annotations

from typing import Any

from zedo_core.errors import FormatError
from zedo_core.keypoints import _json, nested
from zedo_core.keypoints._source import Source, fits, number_frames
from zedo_core.keypoints._walk import Found
from zedo_core.types import Keypoints

FORM = "COCO data sets, {images, annotations, categories}"
PARTS = True


def reads(source: Source) -> bool:
    """Whether the source is an object with lists of images and annotations."""
    document = source.document
    return isinstance(document, dict) and all(isinstance(document.get(key), list) for key in ("images", "annotations"))


def read(source: Source) -> Keypoints:
    """A person per annotation; frames are the pictures by the numbers in their names, sizes those of the pictures.

    Joints are named by the category. Pictures without people are frames; crowds and other categories are left out.
    """
    document = source.document
    images = _images(source)
    if not images:
        raise FormatError(f"{source.path}: expected images with an id and a file_name, found none")
    numbers = number_frames([name for name, _ in images.values()], source.path, source.part)
    names = _names(source)
    found, sizes = [], {numbers[name]: size for name, size in images.values()}
    for i, annotation in enumerate(document["annotations"]):
        where = f"{source.path}: annotation {i}"
        image = str(_json.member(annotation, "image_id", where))
        keypoints = annotation.get("keypoints")
        if image not in images or not keypoints or annotation.get("iscrowd") == 1:
            continue
        category = annotation.get("category_id")
        if names and str(category) not in names:
            continue
        attributes = annotation.get("attributes")
        track = annotation.get("track_id", attributes.get("track_id") if isinstance(attributes, dict) else None)
        found.append(Found(numbers[images[image][0]], keypoints, None, track, f"{where}, keypoints"))
    if not found:
        raise FormatError(f"{source.path}: found no keypoints in any of its {len(document['annotations'])} annotations")
    listed = next(iter(names.values()), None)
    ordered = [sizes[number] for number in sorted(sizes)]
    known = [size for size in ordered if size is not None]
    one = None if len(known) < len(ordered) else known[:1] if len(set(known)) == 1 else known
    return nested.keypoints_from_found(source, found, sorted(sizes), names=listed, sizes=one)


def _images(source: Source) -> dict[str, tuple[str, tuple[int, int] | None]]:
    """Name and size of every picture by its id; with a part, those whose names fit it."""
    images = {}
    for i, image in enumerate(source.document["images"]):
        key = str(_json.member(image, "id", f"{source.path}: image {i}"))
        name = str(image.get("file_name") or image.get("coco_url") or key)
        size = (image.get("width"), image.get("height"))
        if source.part is None or fits(name, source.part):
            images[key] = (name, size if all(type(side) is int and side > 0 for side in size) else None)
    return images


def _names(source: Source) -> dict[str, tuple[str, ...]]:
    """The names of the joints of each category that has some, by its id."""
    names = {}
    categories = source.document.get("categories")
    for category in categories if isinstance(categories, list) else []:
        listed: Any = category.get("keypoints") if isinstance(category, dict) else None
        if isinstance(listed, list) and listed and all(isinstance(name, str) for name in listed):
            names[str(category.get("id"))] = tuple(listed)
    return names
