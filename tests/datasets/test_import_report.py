import pytest

from tfmeta.datasets.import_report import ImportProgress


@pytest.mark.parametrize(
    ("step", "advances", "expected"),
    [
        (1, [1, 1, 1], [1, 2, 3]),
        (2, [1, 1, 1], [1, 3]),
        (100, [1, 1, 1], [1, 3]),
        (1, [0, 2, 0, 1, 0], [0, 2, 3]),
        (1, [3], [3]),
        (1, [2, 2, 2], [2, 3]),
    ],
)
def test_reports_each_step_and_the_end(step, advances, expected):
    reports = []
    progress = ImportProgress(
        lambda done, of_all: reports.append((done, of_all)), 3, step=step
    )
    for count in advances:
        progress.advance(count)
    assert reports == [(done, 3) for done in expected]


def test_nobody_need_listen():
    progress = ImportProgress(None, 2)
    progress.advance(2)
    assert progress._done == 2


def test_a_part_counts_from_where_it_begins():
    reports = []
    progress = ImportProgress(lambda *report: reports.append(report), 9)
    progress.advance(2)
    first = progress.part()
    for done in (1, 2, 4):
        first(done, 4)
    progress.part()(3, 3)
    assert reports == [(n, 9) for n in (2, 3, 4, 6, 9)]
