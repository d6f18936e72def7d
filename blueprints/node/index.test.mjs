import assert from "node:assert/strict";
import test from "node:test";

import { handler } from "./index.mjs";

test("it greets by name", async () => {
  const answer = await handler({ name: "Ada" }, { functionName: "hello-node" });
  assert.deepEqual(answer, { message: "Hello, Ada!", by: "hello-node" });
});
