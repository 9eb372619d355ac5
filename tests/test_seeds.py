from tfmeta.seeds import spawn_seeds


def test_seeds_are_a_function_of_seed_and_stream():
    assert spawn_seeds(3, 4) == spawn_seeds(3, 4)
    assert spawn_seeds(3, 4)[:2] == spawn_seeds(3, 2)
    assert spawn_seeds(3, 2, stream="a") == spawn_seeds(3, 2, stream="a")


def test_neighbouring_seeds_and_parts_share_none():
    drawn = [
        seed
        for model in range(20)
        for stream in (None, "a", "b")
        for seed in spawn_seeds(model, 10, stream=stream)
    ]
    assert len(set(drawn)) == len(drawn)
    assert all(0 <= seed < 2**32 for seed in drawn)


def test_no_seed_gives_none():
    assert spawn_seeds(None, 3) == [None] * 3
    assert spawn_seeds(None, 1, stream="a") == [None]
