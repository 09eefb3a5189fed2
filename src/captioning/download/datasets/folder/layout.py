"""Find out in which form a folder has its captions."""

from __future__ import annotations

from captioning.core.errors import InputError
from captioning.download.datasets.folder.files import FolderFiles
from captioning.download.datasets.folder.forms.base import Form, enumerated
from captioning.download.datasets.folder.forms.coco import find_coco
from captioning.download.datasets.folder.forms.flickr30k import find_flickr30k
from captioning.download.datasets.folder.forms.flickr_tokens import find_flickr_tokens
from captioning.download.datasets.folder.forms.json_lists import find_json_lists
from captioning.download.datasets.folder.forms.kaggle_flickr8k import find_kaggle_flickr8k
from captioning.download.datasets.folder.forms.karpathy import find_karpathy
from captioning.download.datasets.folder.forms.named_tables import find_named_tables
from captioning.download.datasets.folder.forms.tables import find_tables
from captioning.download.datasets.folder.forms.text_files import find_text_files
from captioning.download.datasets.folder.forms.webdataset import find_webdataset

# The forms in which datasets are published. They are looked for only in a folder that has none of
# the simple ones, since their names say less.
_PUBLISHED = (
    find_kaggle_flickr8k,
    find_flickr30k,
    find_flickr_tokens,
    find_coco,
    find_karpathy,
    find_json_lists,
    find_named_tables,
    find_webdataset,
)
_SUPPORTED_LAYOUTS = """
Put the captions in exactly one of these places:
  captions.csv, .tsv, .jsonl or .parquet in the folder (or metadata., as Hugging Face names it),
  one such file in each of the folders train, validation, test,
  Parquet files that contain the images too, train-00000-of-00001.parquet and so on,
  a .txt file next to each image,
  or another form in docs/datasets.md, such as Flickr8k, Flickr30k, COCO and WebDataset."""


def find_layout(files: FolderFiles) -> Form:
    """Find out in which form the captions are.

    Raises:
        InputError: there are no captions, or several possible sources of them; the message lists
            what was found.
    """
    texts = find_text_files(files)
    found = [*find_tables(files), *([texts] if texts else [])]
    if not found:
        found = [form for find in _PUBLISHED if (form := find(files))]
    if len(found) == 1:
        return found[0]
    sources = "; ".join(enumerated(form.sources) for form in found)
    what = (
        f"more than one source of captions: {sources}"
        if found
        else f"no captions; it contains {_contents(files)}"
    )
    raise InputError(f"{files.root} has {what}.{_SUPPORTED_LAYOUTS}")


def _contents(files: FolderFiles) -> str:
    """What a folder without captions contains."""
    images = set(files.images())
    others = [name for name in files.visible() if name not in images]
    found = f"{len(images)} images and {enumerated(others) if others else 'nothing else'}"
    if files.linked_folders:
        links = enumerated(files.linked_folders)
        found += f" (links to folders are not followed, because DVC does not do so: {links})"
    return found
