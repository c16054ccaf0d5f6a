"""What is said again at a time is bounded in number and in bytes."""

from cercles.rebuild.folding import PIECE_BYTES_MAX, PIECE_VALUES_MAX, in_pieces


def test_a_piece_has_a_bounded_number_of_updates() -> None:
    """None is lost, and their order stays."""
    values = [b"%d" % number for number in range(2 * PIECE_VALUES_MAX + 1)]
    pieces = list(in_pieces(values))
    assert [len(piece) for piece in pieces] == [PIECE_VALUES_MAX, PIECE_VALUES_MAX, 1]
    assert [value for piece in pieces for value in piece] == values


def test_a_piece_has_a_bounded_number_of_bytes() -> None:
    """Updates may have half a mebibyte each, and a publication six seconds."""
    third = b"x" * (PIECE_BYTES_MAX // 3)
    assert [len(piece) for piece in in_pieces([third] * 7)] == [3, 3, 1]
    larger = b"x" * (PIECE_BYTES_MAX + 1)
    assert [len(piece) for piece in in_pieces([b"x", larger, b"x"])] == [1, 1, 1]
    assert list(in_pieces([])) == []
