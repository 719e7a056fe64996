import pytest

from avsnet.errors import OptionError
from avsnet.train.sampler import EpochSampler, Order, mixed_seed


def read_by(order, accumulate, rank, epoch, start=0):
    sampler = EpochSampler(order, accumulate, rank)
    sampler.epoch, sampler.start = epoch, start
    batches = list(sampler)
    assert len(sampler) == len(batches)
    return batches


def test_an_epoch_reads_each_row_at_most_once_in_an_order_of_its_own():
    order = Order(rows=23, batch_size=4, seed=5)
    epochs = [[row for batch in read_by(order, 1, 0, epoch) for _, row in batch] for epoch in range(3)]
    assert all(len(rows) == 20 == len(set(rows)) for rows in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert epochs[0] == [row for batch in read_by(Order(23, 4, seed=5), 1, 0, 0) for _, row in batch]
    assert epochs[0] != [row for batch in read_by(Order(23, 4, seed=6), 1, 0, 0) for _, row in batch]


def test_entered_at_a_step_it_gives_what_the_whole_epoch_gives_from_there_on():
    order = Order(rows=30, batch_size=6, parts=3, seed=1)
    whole = read_by(order, 3, 0, epoch=2)
    assert read_by(order, 3, 0, epoch=2, start=3) == whole[9:]


def test_two_processes_read_the_parts_that_one_process_accumulates():
    order = Order(rows=40, batch_size=8, parts=4, seed=1)
    alone = read_by(order, 4, 0, epoch=1)
    pair = [read_by(order, 2, rank, epoch=1) for rank in range(2)]
    # A process takes every second part of a step.
    assert alone == [part for turn in zip(*pair, strict=True) for part in turn]
    assert {len(part) for part in alone} == {2}


def test_all_parts_of_a_step_are_its_batch():
    order = Order(rows=9, batch_size=6, parts=3)
    rows = order.epoch(0)
    assert [row for part in range(3) for row in order.part(rows, 0, part)] == rows[:6]


def test_batches_that_cannot_be_cut_or_filled_are_refused():
    with pytest.raises(OptionError, match="8 cannot be cut into 3 equal parts"):
        Order(rows=40, batch_size=8, parts=3)
    with pytest.raises(OptionError, match="8 is more than the 7 rows"):
        Order(rows=7, batch_size=8)


def test_streams_for_other_purposes_seeds_and_rows_differ():
    keys = [(seed, purpose, epoch, row) for seed in (0, 1) for purpose in (1, 2) for epoch in (0, 1) for row in (0, 1)]
    assert len({mixed_seed(*key) for key in keys}) == len(keys)
