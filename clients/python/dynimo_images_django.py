"""Template tags of Dynimo's image service for Django: beside `dynimo_images.py`, one file.

TEMPLATES = [{…, "OPTIONS": {"libraries": {"dynimo_images": "dynimo_images_django"}}}]
DYNIMO_IMAGES = {"base": "https://images.example", "key": os.environ["IMAGES_KEY"]}

{% load dynimo_images %}
<img src="{% image_url 'photos/a.jpg' w=400 fit='cover' %}">
{% image_picture photo.file alt=photo.title sizes='50vw' h=300 %}
"""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings
from django.utils.safestring import SafeString, mark_safe

import dynimo_images

register = template.Library()


def _service() -> dict[str, Any]:
    return dict(getattr(settings, "DYNIMO_IMAGES", {}))


@register.simple_tag
def image_url(file: str, **parameters: Any) -> str:
    """Give the URL of a picture."""
    return dynimo_images.url(file, **{**_service(), **parameters})


@register.simple_tag
def image_srcset(file: str, **parameters: Any) -> str:
    """Give the value of a srcset."""
    return dynimo_images.srcset(file, **{**_service(), **parameters})


@register.simple_tag
def image_picture(file: str, **parameters: Any) -> SafeString:
    """Give a whole <picture>, everything in it escaped."""
    return mark_safe(dynimo_images.picture(file, **{**_service(), **parameters}))  # noqa: S308
