import unittest
from types import SimpleNamespace

from worker import Refused, handler

CONTEXT = SimpleNamespace(aws_request_id="1")


class Worker(unittest.TestCase):
    def test_an_order_is_done(self):
        self.assertEqual(handler({"order": 7, "amount": 1}, CONTEXT), {"done": 7})

    def test_an_impossible_order_is_refused(self):
        with self.assertRaises(Refused):
            handler({"order": 7, "amount": -1}, CONTEXT)


if __name__ == "__main__":
    unittest.main()
