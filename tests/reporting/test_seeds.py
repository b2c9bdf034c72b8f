"""The spread over training seeds: what belongs together, and how it is told."""

from __future__ import annotations

from lst_robust.reporting import over_seeds, seed_notes


def test_seeds_of_one_model_under_one_protocol_are_pooled(result):
    results = [
        result("lst18 (seed 0)", 40, model_name="lst18", train_seed=0, checkpoint_sha256=str(0) * 16),
        result("lst18 (seed 1)", 42, model_name="lst18", train_seed=1, checkpoint_sha256=str(1) * 16),
        result("lst18 (seed 2)", 44, model_name="lst18", train_seed=2, checkpoint_sha256=str(2) * 16),
        result("resnet18", 50, train_seed=0, checkpoint_sha256=str(0) * 16),
        result("lst18", 60, train_seed=3, checkpoint_sha256=str(3) * 16, n=200),
        result("lst18", 60, train_seed=3, checkpoint_sha256=str(3) * 16, normaliser_digest="of another AlexNet"),
        result("lst18", 60, train_seed=3, checkpoint_sha256=str(3) * 16, options={"tau": 0.1}),
        result("lst18", 60, train_seed=3, checkpoint_sha256=str(3) * 16, missing=("fog",)),
        result("theirs", 60, train_seed=None),
    ]
    spreads = over_seeds(results)
    assert spreads[0] == spreads[1] == spreads[2]
    assert spreads[0]["mce15"][:3] == (99, 2, 3) and spreads[0]["clean_error"].mean == 4.2
    assert spreads[3:] == [None] * 6
    (note,) = seed_notes(results)
    assert note.startswith("lst18 on digits-c, 3 trainings: mCE (19) 101.00 ± 2.00, mCE (15) 99.00 ± 2.00, clean 4.20")


def test_one_seed_with_two_checkpoints_is_no_spread(result):
    assert over_seeds(
        [
            result("a", 40, train_seed=0, checkpoint_sha256=str(0) * 16),
            result("a", 41, train_seed=0, checkpoint_sha256=str(0) * 16),
        ]
    ) == [None, None]


def test_a_mean_that_one_training_lacks_is_left_out(result):
    pair = [
        result("a", 40 + seed, train_seed=seed, checkpoint_sha256=str(seed) * 16, mce15=None, relative_mce=None)
        for seed in range(2)
    ]
    assert set(over_seeds(pair)[0]) == {"mce19", "clean_error", "mean_corruption_error"}
