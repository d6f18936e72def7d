import struct
import unittest
import zlib

from badge import HEIGHT, WIDTH, png


class Badge(unittest.TestCase):
    def test_it_is_a_whole_png(self):
        data = png((10, 20, 30))
        self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(struct.unpack(">2I", data[16:24]), (WIDTH, HEIGHT))
        at = data.index(b"IDAT")
        size = struct.unpack(">I", data[at - 4 : at])[0]
        rows = zlib.decompress(data[at + 4 : at + 4 + size])
        self.assertEqual(len(rows), HEIGHT * (1 + 3 * WIDTH))


if __name__ == "__main__":
    unittest.main()
