"""What a node says of its torch."""

from pathlib import Path

import pytest

from scalestudy.cli.doctor import on_node


@pytest.mark.parametrize(
    ("torch", "said"),
    [
        ("class cuda:\n    device_count = staticmethod(lambda: 3)\n", {"torch_gpus": 3}),
        ("class cuda:\n    device_count = staticmethod(lambda: 0)\n", {"torch_gpus": 0}),
        ("print('welcome')\nclass cuda:\n    device_count = staticmethod(lambda: 2)\n", {"torch_gpus": 2}),
        ("raise ImportError('no libcudart')\n", {"torch_error": "ImportError: no libcudart"}),
        ("import time\ntime.sleep(60)\n", {}),
    ],
)
def test_a_torch_that_fails_says_why_and_one_that_is_slow_says_nothing(
    torch: str, said: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text(torch)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(on_node, "TORCH_S", 3)
    assert on_node.torch_gpus() == said
