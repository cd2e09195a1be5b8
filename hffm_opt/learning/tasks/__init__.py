"""Embedded visual question answering tasks, their tokens and their spread over devices."""

from hffm_opt.learning.tasks.embedded import collate, embedded_tasks, make_examples, make_split
from hffm_opt.learning.tasks.partition import partition
from hffm_opt.learning.tasks.tokens import TEXT_LENGTH, embedded_tokenizer, embedded_vocabulary, encode
from hffm_opt.learning.tasks.values import Example, Task, TaskData, blind_baseline, majority_baseline

__all__ = [
    "TEXT_LENGTH",
    "Example",
    "Task",
    "TaskData",
    "blind_baseline",
    "collate",
    "embedded_tasks",
    "embedded_tokenizer",
    "embedded_vocabulary",
    "encode",
    "majority_baseline",
    "make_examples",
    "make_split",
    "partition",
]
