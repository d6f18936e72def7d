"""The Merkle tree: RFC 9162's hashes and proofs, and what is no proof."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transparency import tree
from transparency.checking import consistent, included

LEAVES = [tree.leaf_hash(bytes([number])) for number in range(70)]


def _grown(size: int) -> tuple[dict[tuple[int, int], bytes], list[bytes]]:
    nodes: dict[tuple[int, int], bytes] = {}
    edge: list[bytes] = []
    for number in range(size):
        for level, index, found in tree.grown(edge, number, LEAVES[number]):
            nodes[level, index] = found
    return nodes, edge


NODES, _ = _grown(len(LEAVES))


def _node(level: int, index: int) -> bytes:
    return NODES[level, index]


def _defined(leaves: list[bytes]) -> bytes:
    """The root by the recursive definition of RFC 9162, section 2.1.1."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\x01" + _defined(leaves[:half]) + _defined(leaves[half:])).digest()


ROOTS = [_defined(LEAVES[:size]) for size in range(len(LEAVES) + 1)]


def test_roots_are_those_of_the_definition() -> None:
    """For every size, from the edge as it grew and from stored subtrees."""
    for size, root in enumerate(ROOTS):
        assert tree.root_of(_grown(size)[1]) == root
        assert tree.root_of(tree.edge_of(_node, size)) == root


def test_known_vectors_hold() -> None:
    """The published roots of certificate transparency's reference data."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
              "606162636465666768696a6b6c6d6e6f"]  # fmt: skip
    edge: list[bytes] = []
    for number, told in enumerate(inputs):
        tree.grown(edge, number, tree.leaf_hash(bytes.fromhex(told)))

    assert tree.root_of(edge).hex() == (
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    )


def test_every_leaf_is_proved_in_every_size_and_in_no_other_place() -> None:
    """Inclusion proofs hold for all sizes; the same proof holds nowhere else."""
    for size in range(1, len(LEAVES) + 1):
        for index in range(size):
            proof = tree.inclusion(_node, index, size)
            assert included(LEAVES[index], index, size, proof, ROOTS[size])
            assert len(proof) <= (size - 1).bit_length()
            assert not included(LEAVES[index], index ^ 1, size, proof, ROOTS[size])
            assert not included(LEAVES[(index + 1) % 70], index, size, proof, ROOTS[size])


def test_every_pair_of_sizes_is_consistent() -> None:
    """Consistency proofs hold for all pairs, and not for a root of another size."""
    for new in range(len(LEAVES) + 1):
        for old in range(new + 1):
            proof = tree.consistency(_node, old, new)
            assert consistent(old, ROOTS[old], new, ROOTS[new], proof)
            assert len(proof) <= new.bit_length() + 1
            if 0 < old < new:  # nothing is the beginning of everything
                assert not consistent(old, ROOTS[old + 1], new, ROOTS[new], proof)
                assert not consistent(old, ROOTS[old], new, ROOTS[new - 1], proof)


def _sides(index: int, size: int) -> str:
    """Where the siblings are from the root down to a leaf, by the definition."""
    if size == 1:
        return ""
    half = 1 << ((size - 1).bit_length() - 1)
    if index < half:
        return "r" + _sides(index, half)
    return "l" + _sides(index - half, size - half)


def test_a_proof_says_the_place_and_the_height() -> None:
    """It holds for another index or size only where the way up is the same; roots are signed."""
    for size in range(1, 14):
        for index in range(size):
            proof = tree.inclusion(_node, index, size)
            for claimed in range(1, 28):
                for place in range(claimed):
                    same = _sides(place, claimed) == _sides(index, size)
                    assert same == included(LEAVES[index], place, claimed, proof, ROOTS[size])


def test_a_consistency_proof_is_of_its_height() -> None:
    """No proof between two sizes is one to a size with more or fewer levels."""
    for new in range(2, 40):
        for old in range(1, new):
            proof = tree.consistency(_node, old, new)
            for claimed in range(old, 70):
                if (claimed - 1).bit_length() != (new - 1).bit_length():
                    assert not consistent(old, ROOTS[old], claimed, ROOTS[new], proof)


@given(st.integers(1, 70), st.data())
def test_a_flipped_bit_is_no_proof(size: int, data: st.DataObject) -> None:
    """In the leaf, in the root or in any step, and a step more or less: refused."""
    index = data.draw(st.integers(0, size - 1))
    told = [LEAVES[index], ROOTS[size], *tree.inclusion(_node, index, size)]
    which, bit = data.draw(st.integers(0, len(told) - 1)), data.draw(st.integers(0, 255))
    bent = list(told)
    bent[which] = (int.from_bytes(told[which], "big") ^ 1 << bit).to_bytes(32, "big")

    assert not included(bent[0], index, size, bent[2:], bent[1])
    assert not included(told[0], index, size, [*told[2:], bent[0]], told[1])
    if told[2:]:
        assert not included(told[0], index, size, told[2:-1], told[1])


@given(st.integers(2, 70), st.data())
def test_a_flipped_bit_is_no_consistency(new: int, data: st.DataObject) -> None:
    """In either root or in any step, and a step more or less: refused."""
    old = data.draw(st.integers(1, new - 1))
    told = [ROOTS[old], ROOTS[new], *tree.consistency(_node, old, new)]
    which, bit = data.draw(st.integers(0, len(told) - 1)), data.draw(st.integers(0, 255))
    bent = list(told)
    bent[which] = (int.from_bytes(told[which], "big") ^ 1 << bit).to_bytes(32, "big")

    assert not consistent(old, bent[0], new, bent[1], bent[2:])
    assert not consistent(old, told[0], new, told[1], [*told[2:], bent[0]])
    assert not consistent(old, told[0], new, told[1], told[2:-1])


@given(
    st.integers(-2, 2**70), st.integers(-2, 2**70), st.lists(st.binary(max_size=33), max_size=80)
)
def test_any_numbers_and_bytes_are_judged(one: int, two: int, proof: list[bytes]) -> None:
    """A checker answers; it neither fails nor hangs, and chance is no proof."""
    assert not included(LEAVES[0], one, two, proof, bytes(32))
    assert not consistent(one, bytes(32), two, b"\x01" * 32, proof)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 3)])
def test_a_leaf_that_is_not_there_has_no_proof(index: int, size: int) -> None:
    """It is said, and never a proof of something else."""
    with pytest.raises(ValueError, match="there is no record"):
        tree.inclusion(_node, index, size)


def test_a_longer_log_is_not_the_beginning_of_a_shorter() -> None:
    """The sizes are in order."""
    with pytest.raises(ValueError, match="not the beginning"):
        tree.consistency(_node, 5, 4)
