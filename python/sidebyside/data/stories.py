"""Load small stories with a question: bAbI's first task, or a stand-in for it."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..common.errors import WrongData
from ..common.files import open_regular
from .kept import MOST_BYTES, Arrays, letters, prepared, text_of
from .words import PUNCTUATION

# The files in bAbI's archive with the 10,000 and 1,000 questions of the first task.
BABI_MEMBER = "tasks_1-20_v1-2/en-10k/qa1_single-supporting-fact_{}.txt"


class Story(NamedTuple):
    """Some sentences, a question about them, and the answer, which is one word."""

    sentences: list[list[str]]
    question: list[str]
    answer: str


def load_stories() -> tuple[list[Story], list[Story]]:
    """Return the stories of bAbI's first task: who went where, and where is Mary?

    The sources are `babi-tasks-v1-2.tar.gz` in Keras's cache (10,000 and 1,000
    questions), and a simulator. The simulator makes up as many stories of the same
    kind (after Weston et al. 2015), always the same ones. One printed line says
    which source it was.

    Returns
    -------
    train, test
        Lists of stories. Each has `sentences`, a list of lists of words, a
        `question`, a list of words, and its `answer`, a word.
    """
    arrays = stories()
    return tuple(_told(text_of(arrays[part])) for part in ("train", "test"))


def rows() -> dict[str, dict]:
    """Return all sentences of a part in one list. R converts nested lists slowly.

    `last` is the number of sentences up to the end of each story.
    """
    return {
        part: {
            "sentences": [" ".join(x) for story in told for x in story.sentences],
            "last": np.cumsum([len(story.sentences) for story in told]).astype("int32"),
            "questions": [" ".join(story.question) for story in told],
            "answers": [story.answer for story in told],
        }
        for part, told in zip(("train", "test"), load_stories(), strict=True)
    }


def stories() -> Arrays:
    return prepared(
        "Stories",
        "stories",
        own=("babi-tasks-v1-2.tar.gz",),
        from_own=_babi,
        others={"the simulator": lambda folder: _simulated()},
    )


def _babi(path: Path) -> Arrays:
    """Read the first task's two files from bAbI's archive."""
    arrays = {"source": letters("Keras's babi-tasks-v1-2.tar.gz, task 1")}
    with open_regular(path) as file:
        try:
            with tarfile.open(fileobj=file) as archive:
                for part in ("train", "test"):
                    member = archive.extractfile(BABI_MEMBER.format(part))
                    arrays[part] = np.frombuffer(member.read(MOST_BYTES), "uint8")
                    _told(text_of(arrays[part]))
        except Exception as problem:  # damaged bytes can raise almost anything
            raise WrongData(f"{path} is not bAbI's archive. Remove it") from problem
    return arrays


def _told(text: str) -> list[Story]:
    """Read stories in the format of bAbI.

    Each line has a number, which starts again at 1 with a new story. A line
    with tabs is a question about the lines before it, with its answer.
    """
    stories = []
    for line in text.splitlines():
        number, said = line.split(" ", 1)
        if number == "1":
            sentences = []
        if "\t" in said:
            question, answer, _ = said.split("\t")
            stories.append(Story(sentences[:], _spoken(question), answer))
        else:
            sentences.append(_spoken(said))
    return stories


def _spoken(sentence: str) -> list[str]:
    return sentence.translate(PUNCTUATION).split()


PEOPLE = ("Daniel", "John", "Mary", "Sandra")
PLACES = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
# Each has five questions.
STORIES = {"train": 2_000, "test": 200}
MOVES = ("journeyed to", "moved to", "travelled to", "went back to", "went to")


def _simulated() -> Arrays:
    random = np.random.RandomState(113)
    return {part: letters(_made_up(random, n)) for part, n in STORIES.items()} | {
        "source": letters("a simulator of bAbI's first task, which stands in for it"),
    }


def _made_up(random: np.random.RandomState, stories: int) -> str:
    """Make up stories in bAbI's format: five times two moves and a question."""

    def one_of(names: Sequence[str]) -> str:
        return names[random.randint(len(names))]

    lines = []
    for _ in range(stories):
        where: dict[str, str] = {}
        for number in range(1, 16):
            if number % 3:
                who = one_of(PEOPLE)
                where[who] = one_of([x for x in PLACES if x != where.get(who)])
                lines.append(f"{number} {who} {one_of(MOVES)} the {where[who]}.")
            else:
                who = one_of(sorted(where))
                lines.append(f"{number} Where is {who}? \t{where[who]}\t0")
    return "\n".join(lines)
