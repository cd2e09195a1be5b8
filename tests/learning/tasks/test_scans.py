import numpy as np
from sklearn.datasets import load_digits

from hffm_opt.learning.tasks.scans import SHARES, SPLITS, scan_groups, scan_image, scan_label


def test_the_three_groups_share_no_scan_and_leave_none_out() -> None:
    scans = [scan for split in SPLITS for group in scan_groups(split) for scan in group]
    assert sorted(scans) == list(range(1797))


def test_groups_are_stratified_by_digit() -> None:
    totals = np.bincount(load_digits().target)
    for split, share in zip(SPLITS, SHARES, strict=True):
        for digit, group in enumerate(scan_groups(split)):
            assert all(scan_label(scan) == digit for scan in group)
            assert abs(len(group) - share * totals[digit]) <= 1


def test_ink_lies_between_zero_and_one_and_is_the_real_scan() -> None:
    image = scan_image(17)
    assert image.shape == (8, 8)
    assert np.array_equal(image * 16, load_digits().images[17])
