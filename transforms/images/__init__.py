"""Look at an image; repair, resize or re-encode it as the policy says."""

from typing import TYPE_CHECKING

from transforms.doors import lazy

if TYPE_CHECKING:
    from transforms.images.codecs import to_pillow
    from transforms.images.header import Header, read_header
    from transforms.images.policy import ImagePolicy, RejectedImage
    from transforms.images.resizing import can_resize, require_resizer, turn_image
    from transforms.images.small import PILLOW_ERRORS, decode_small
    from transforms.images.treatment import treat_image
else:
    __getattr__ = lazy(__name__)

__all__ = [
    "PILLOW_ERRORS",
    "Header",
    "ImagePolicy",
    "RejectedImage",
    "can_resize",
    "decode_small",
    "read_header",
    "require_resizer",
    "to_pillow",
    "treat_image",
    "turn_image",
]
