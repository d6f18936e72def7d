import asyncio
import unittest

import main


class Main(unittest.TestCase):
    def test_it_greets_in_a_language_that_it_knows(self):
        async def greet():
            async with main.lifespan(main.app):
                return await main.greet("en", main.Person(name="Ada"))

        self.assertEqual(asyncio.run(greet()), {"message": "Hello, Ada!"})

    def test_the_routes_are_there(self):
        paths = {route.path for route in main.app.routes}
        self.assertLessEqual({"/", "/greet/{language}"}, paths)


if __name__ == "__main__":
    unittest.main()
