"""Jobs in this very process."""

from pathlib import Path

import pytest

from submitit_ranks.errors import NotSubmitted
from submitit_ranks.local import Debug
from submitit_ranks.rank import Task


def test_a_job_of_several_ranks_is_refused_where_there_is_one_process(tmp_path: Path) -> None:
    with pytest.raises(NotSubmitted, match=r"^debug runs 1 rank, and this job asks for 2; local runs several$"):
        Debug(tmp_path).submit([Task(("done",), ("/bin/true",), "", 2, 1, None, {"debug": {}})])
