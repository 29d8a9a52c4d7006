from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import MemoryStore

from ray_qa.data.object_search import find_objects
from ray_qa.storage import objects
from ray_qa.storage.remote import Remote

ROOT = Remote(scheme="s3", bucket="bucket", key="root")
CHARACTERS = "ab.~01ß-\U0001f600"
NAMES = st.text(st.sampled_from(CHARACTERS), min_size=1, max_size=4).filter(lambda name: name.strip("."))


@given(st.sets(NAMES, min_size=1, max_size=12), st.text(st.sampled_from(CHARACTERS), max_size=3))
def test_a_glob_finds_all_that_fits_wherever_its_listing_begins(names: set[str], begin: str) -> None:
    store = MemoryStore()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objects, "store_of", lambda *_: store)
        for name in names:
            objects.publish(ROOT / name, b"x")
            objects.publish(ROOT / f"in-{name}" / "x.parquet", b"x")
        found = {file.place.name for file, _ in find_objects(ROOT / f"{begin}*", ()).files}
    seen = {name for name in names if begin.startswith(".") or not name.startswith(".")}
    assert found == {name for name in seen if fnmatchcase(name, f"{begin}*")}
