import subprocess
import unittest
from pathlib import Path

BOOTSTRAP = Path(__file__).with_name("bootstrap")


class Bootstrap(unittest.TestCase):
    def test_the_shell_understands_it(self):
        checked = subprocess.run(["sh", "-n", BOOTSTRAP], capture_output=True)
        self.assertEqual(checked.stderr, b"")

    def test_it_can_be_executed(self):
        self.assertTrue(BOOTSTRAP.stat().st_mode & 0o100)


if __name__ == "__main__":
    unittest.main()
