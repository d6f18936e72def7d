"""The Merkle tree of RFC 9162, section 2.1: hashes, roots and proofs, over stored subtrees.

Pure: hashes come from a `Nodes` lookup and nothing is kept. The hash of a complete subtree of
``2**level`` leaves never changes, so every proof reads O(log n) of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

Nodes = Callable[[int, int], bytes]
"""The hash of the complete subtree number ``index`` (from the left, from 0) at ``level``."""


def leaf_hash(data: bytes) -> bytes:
    """Of one record. The first byte keeps leaves and nodes apart."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Of two subtrees side by side."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def grown(edge: list[bytes], size: int, leaf: bytes) -> list[tuple[int, int, bytes]]:
    """Add one leaf to the tree of ``size`` leaves; say which subtrees are now complete.

    ``edge`` has the complete subtrees that make up the tree, largest first; it is changed in place.
    Returns (level, index, hash), the leaf itself first.
    """
    level, index, found = 0, size, leaf
    complete = [(level, index, found)]
    while index & 1:
        found = node_hash(edge.pop(), found)
        level, index = level + 1, index >> 1
        complete.append((level, index, found))
    edge.append(found)
    return complete


def edge_of(nodes: Nodes, size: int) -> list[bytes]:
    """The complete subtrees that make up a tree of ``size`` leaves, largest first."""
    return _pieces(nodes, 0, size)


def root_of(edge: Sequence[bytes]) -> bytes:
    """The root of a tree that is made up of these subtrees, largest first."""
    if not edge:
        return EMPTY_ROOT
    root = edge[-1]
    for left in reversed(edge[:-1]):
        root = node_hash(left, root)
    return root


def inclusion(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """The proof that leaf ``index`` is in the tree of ``size`` leaves (section 2.1.3.1).

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"there is no record {index} in a log of {size}")
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range(nodes, middle, end))
            end = middle
        else:
            path.append(_range(nodes, start, middle))
            start = middle
    return path[::-1]


def consistency(nodes: Nodes, old: int, new: int) -> list[bytes]:
    """The proof that the tree of ``old`` leaves is the beginning of that of ``new`` (2.1.4.1).

    It is empty where there is nothing to prove: from nothing, and from the same size.

    Raises:
        ValueError: the sizes are not in order.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a log of {old} is not the beginning of one of {new}")
    if old in {0, new}:
        return []
    path, start, end = [], 0, new
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_range(nodes, middle, end))
            end = middle
        else:
            path.append(_range(nodes, start, middle))
            start = middle
    if start:  # else the old tree is one complete subtree, whose root the verifier has
        path.append(_range(nodes, start, end))
    return path[::-1]


def _split(size: int) -> int:
    """The largest power of two that is smaller."""
    return 1 << ((size - 1).bit_length() - 1)


def _range(nodes: Nodes, start: int, end: int) -> bytes:
    return root_of(_pieces(nodes, start, end))


def _pieces(nodes: Nodes, start: int, end: int) -> list[bytes]:
    """Complete subtrees that cover it; ``start`` is a multiple of the largest of them."""
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append(nodes(level, start >> level))
        start += 1 << level
    return found
