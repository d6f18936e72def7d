import unittest
from types import SimpleNamespace

from hello import handler


class Hello(unittest.TestCase):
    def test_it_greets_by_name(self):
        answer = handler({"name": "Ada"}, SimpleNamespace(function_name="hello"))
        self.assertEqual(answer["message"], "Hello, Ada!")
        self.assertEqual(answer["by"], "hello")

    def test_it_greets_everybody_else(self):
        answer = handler({}, SimpleNamespace(function_name="hello"))
        self.assertEqual(answer["message"], "Hello, world!")


if __name__ == "__main__":
    unittest.main()
