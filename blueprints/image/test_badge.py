import base64
import struct
import unittest
import zlib

from badge import HEIGHT, WIDTH, handler, png


class Badge(unittest.TestCase):
    def test_it_is_a_whole_png(self):
        data = png((10, 20, 30))
        self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(struct.unpack(">2I", data[16:24]), (WIDTH, HEIGHT))
        at = data.index(b"IDAT")
        size = struct.unpack(">I", data[at - 4 : at])[0]
        rows = zlib.decompress(data[at + 4 : at + 4 + size])
        self.assertEqual(len(rows), HEIGHT * (1 + 3 * WIDTH))

    def test_the_state_decides_the_colour(self):
        ok, failed = (handler({"rawPath": f"/badge/{state}"}, None) for state in ("ok", "failed"))
        self.assertNotEqual(ok["body"], failed["body"])
        self.assertEqual(base64.b64decode(ok["body"])[:4], b"\x89PNG")


if __name__ == "__main__":
    unittest.main()
