import unittest

import api


def request(method, path, body=""):
    return {
        "requestContext": {"http": {"method": method}},
        "rawPath": path,
        "body": body,
        "isBase64Encoded": False,
    }


class Api(unittest.TestCase):
    def test_a_note_is_kept_and_given_back(self):
        self.assertEqual(api.handler(request("PUT", "/one", "first"), None)["statusCode"], 201)
        self.assertEqual(api.handler(request("GET", "/one"), None)["body"], "first")
        self.assertIn("one", api.handler(request("GET", "/"), None)["notes"])

    def test_what_is_not_there_is_404(self):
        self.assertEqual(api.handler(request("GET", "/none"), None)["statusCode"], 404)


if __name__ == "__main__":
    unittest.main()
