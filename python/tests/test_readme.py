"""The Python of both READMEs runs."""

import re

import pytest
from conftest import MODELS, ROOT


@pytest.mark.parametrize("page", ["README.md", "python/README.md"])
def test_the_blocks_of_a_readme_run(page, tmp_path, monkeypatch):
    (tmp_path / "models").symlink_to(MODELS)
    (tmp_path / "path" / "to").mkdir(parents=True)
    (tmp_path / "path" / "to" / "checkpoint").symlink_to(MODELS / "nezha-tiny-zh-sentiment")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert blocks, page
    for block in blocks:
        names = {}
        exec(block, names)
        [answer] = names["classifier"]("房间很干净，服务热情，下次还会住。")
        assert (answer["label"], round(answer["score"], 4)) == ("positive", 0.9959)
