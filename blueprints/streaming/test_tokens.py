import unittest

from tokens import handler


class Tokens(unittest.TestCase):
    def test_each_word_is_a_piece(self):
        self.assertEqual(list(handler({"text": "a b", "pause": 0}, None)), ["a\n", "b\n"])


if __name__ == "__main__":
    unittest.main()
