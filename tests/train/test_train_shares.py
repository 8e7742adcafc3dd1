"""A model whose batch norm needs two images: its shares have them, or a run is refused before its first step."""

from pathlib import Path

import pytest
from train_setup import LAYOUTS, make_run, start, trained

from scalestudy.errors import StudyError

MODEL = "odd_models:Normalizing"


@pytest.mark.parametrize("strategy", LAYOUTS)
def test_a_share_of_one_image_is_refused_in_one_line_before_training(
    strategy: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    samples = 33 if strategy == "serial" else 34
    run = make_run(strategy, model=MODEL, data={"train": samples})
    with pytest.raises(StudyError) as refused:
        start(run, tmp_path)
    assert "\n" not in str(refused.value)
    assert "workloads.tiny.batch_size: found 32, so that the last batch of an epoch has" in str(refused.value)
    assert "batch norm needs 2" in str(refused.value)
    assert "Traceback" not in capfd.readouterr().err
    assert not list(tmp_path.glob("result.json"))


@pytest.mark.parametrize(("strategy", "layout"), [("ddp", (1, 3)), ("hsdp", (1, 3)), ("data_parallel", (1, 3))])
def test_a_device_without_images_takes_part_whatever_the_batch_norm(
    strategy: str, layout: tuple[int, int], tmp_path: Path
) -> None:
    images = 32 + 6
    for accumulate in (1, 2):  # shares of 2, and with a second pass of pieces of one
        run = make_run(strategy, layout, model=MODEL, accumulate=accumulate, data={"train": images}, epochs=1)
        if accumulate == 1:
            assert trained(run, tmp_path / "one").outcome == "completed"
        else:
            with pytest.raises(StudyError, match="batch norm needs 2"):
                start(run, tmp_path / "two")
