// The runtime of Node functions: loads the handler, asks the Runtime API for work, answers it.
// Standard modules only. What handlers, callbacks, contexts, streams and log lines look like is
// AWS's (Lambda developer guide, "Node.js"; behaviour of its own runtime interface client).
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { RuntimeApi } from "./api.mjs";
import { HttpResponseStream, markStreaming, streamingOf } from "./streaming.mjs";
import { asError, patchConsole, setRequestId, shownError } from "./console.mjs";

function named(type) {
  const made = class extends Error {};
  made.prototype.name = `Runtime.${type}`;
  return made;
}
const HandlerNotFound = named("HandlerNotFound");
const MalformedHandlerName = named("MalformedHandlerName");
const ImportModuleError = named("ImportModuleError");
const UserCodeSyntaxError = named("UserCodeSyntaxError");
const UnhandledPromiseRejection = named("UnhandledPromiseRejection");
const NodeJsExit = named("NodeJsExit");

const NEVER_SETTLED =
  "The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a Promise that was never settled.";
const EXIT_UNHANDLED_REJECTION = 128;
const EXIT_UNCAUGHT_EXCEPTION = 129;

// What ends an invocation when nothing is left to run; set anew for each.
let whenEmpty = () => {};

function isModuleFolder(folder) {
  while (!folder.endsWith("/node_modules")) {
    const declared = path.join(folder, "package.json");
    if (fs.existsSync(declared)) {
      try {
        return JSON.parse(fs.readFileSync(declared, "utf8")).type === "module";
      } catch (error) {
        console.warn(`${declared} cannot be read; it is taken for one of CommonJS.`, error);
        return false;
      }
    }
    if (folder === "/") return false;
    folder = path.dirname(folder);
  }
  return false;
}

async function imported(root, folder, module) {
  const require = createRequire(path.join(root, "bootstrap.js"));
  const base = path.resolve(root, folder, module);
  const asModule = isModuleFolder(path.dirname(base));
  const order = [["", false], [".js", asModule], [".mjs", true], [".cjs", false]];
  for (const [ending, esm] of order) {
    const file = base + ending;
    if (!fs.existsSync(file) || fs.statSync(file).isDirectory()) continue;
    return esm ? await import(pathToFileURL(file).href) : require(file);
  }
  return require(require.resolve(module, { paths: [root, path.resolve(root, folder)] }));
}

async function load(root, name) {
  if (name.includes("..")) {
    throw new MalformedHandlerName(
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const last = path.basename(name);
  const folder = name.substring(0, name.lastIndexOf(last));
  const matched = last.match(/^([^.]*)\.(.*)$/);
  if (!matched) throw new MalformedHandlerName("Bad handler");
  let app;
  try {
    app = await imported(root, folder, matched[1]);
  } catch (error) {
    if (error instanceof SyntaxError) throw renamed(UserCodeSyntaxError, error);
    if (error?.code === "MODULE_NOT_FOUND") throw renamed(ImportModuleError, error);
    throw error;
  }
  const handler = matched[2].split(".").reduce((found, key) => found && found[key], app);
  if (!handler) throw new HandlerNotFound(`${name} is undefined or not exported`);
  if (typeof handler !== "function") throw new HandlerNotFound(`${name} is not a function`);
  return handler;
}

function renamed(Type, error) {
  const told = new Type(String(error));
  told.stack = error.stack;
  return told;
}

function contextOf(headers) {
  const env = process.env;
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const context = {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parsed(headers["lambda-runtime-client-context"], "ClientContext"),
    identity: parsed(headers["lambda-runtime-cognito-identity"], "CognitoIdentity"),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
  const trace = headers["lambda-runtime-trace-id"];
  if (trace) env._X_AMZN_TRACE_ID = trace;
  else delete env._X_AMZN_TRACE_ID;
  return context;
}

function parsed(text, what) {
  if (!text) return undefined;
  try {
    // Header values come as one character a byte.
    return JSON.parse(Buffer.from(text, "latin1").toString("utf8"));
  } catch (error) {
    throw new Error(`Cannot parse ${what} as json: ${error}`);
  }
}

const isPromise = (value) => typeof value?.then === "function";
const isAsync = (handler) => handler.constructor?.name === "AsyncFunction";

// Runs one invocation of an ordinary handler; resolves once it is answered.
function invoke(api, handler, event, context, callbacks) {
  return new Promise((resolve, reject) => {
    const id = context.awsRequestId;
    let over = false;
    const send = (post) => {
      whenEmpty = () => {};
      post.then(resolve, reject);
    };
    const finish = (error, value) => {
      if (over) return;
      over = true;
      if (error !== undefined && error !== null) {
        shownError("Invoke Error", asError(error));
        send(api.error(id, error));
        return;
      }
      let body;
      try {
        body = JSON.stringify(value === undefined ? null : value) ?? "null";
      } catch (unsaid) {
        send(api.error(id, unsaid));
        return;
      }
      send(api.response(id, body));
    };
    const done = (error, value) => {
      if (!context.callbackWaitsForEmptyEventLoop) setImmediate(finish, error, value);
      else whenEmpty = () => finish(error, value);
    };
    callbacks.fail = (error, code) => {
      over = true;
      api.error(id, error).finally(() => process.exit(code));
    };
    whenEmpty = () => {
      if (isAsync(handler)) finish(new NodeJsExit(NEVER_SETTLED));
      else finish(null, null);
    };
    // The context's own ways to end do not wait; the callback does, unless told not to.
    const now = (error, value) => setImmediate(finish, error, value);
    context.done = now;
    context.succeed = (value) => now(null, value);
    context.fail = (error) => now(error ?? "handled");
    try {
      const result = handler(event, context, done);
      if (isPromise(result)) result.then((value) => finish(null, value), (error) => finish(error ?? "handled"));
    } catch (error) {
      finish(error ?? "handled");
    }
  });
}

// Runs one invocation of a streaming handler; resolves once its stream has ended.
async function invokeStreaming(api, handler, event, context, callbacks) {
  const id = context.awsRequestId;
  const stream = api.stream(id, streamingOf(handler).highWaterMark);
  callbacks.fail = (error, code) => {
    stream.fail(error).finally(() => process.exit(code));
  };
  whenEmpty = () => {
    if (!stream.out.writableEnded) stream.fail(new NodeJsExit(NEVER_SETTLED));
  };
  try {
    const result = handler(event, stream.out, context);
    if (!isPromise(result)) throw new Error("Streaming does not support non-async handlers.");
    if ((await result) !== undefined) console.warn("Streaming handlers ignore return values.");
    if (!stream.out.writableEnded) {
      await stream.fail(new Error("Response stream is not finished."));
      return;
    }
    await stream.done;
  } catch (error) {
    shownError("Invoke Error", asError(error));
    await stream.fail(error);
  } finally {
    whenEmpty = () => {};
  }
}

async function serve(api, handler, callbacks) {
  const run = streamingOf(handler) ? invokeStreaming : invoke;
  for (;;) {
    const { headers, body } = await api.next();
    const id = headers["lambda-runtime-aws-request-id"];
    setRequestId(id);
    try {
      const context = contextOf(headers);
      await run(api, handler, JSON.parse(body), context, callbacks);
    } catch (error) {
      shownError("Invoke Error", asError(error));
      await api.error(id, error);
    }
  }
}

async function main() {
  patchConsole();
  const api = new RuntimeApi(process.env.AWS_LAMBDA_RUNTIME_API);
  const callbacks = {
    fail: (error, code) => {
      api.initError(error).finally(() => process.exit(code));
    },
  };
  process.on("uncaughtException", (error) => {
    shownError("Uncaught Exception", asError(error));
    callbacks.fail(error, EXIT_UNCAUGHT_EXCEPTION);
  });
  process.on("unhandledRejection", (reason) => {
    const error = new UnhandledPromiseRejection(String(reason));
    error.reason = reason;
    shownError("Unhandled Promise Rejection", error);
    callbacks.fail(error, EXIT_UNHANDLED_REJECTION);
  });
  process.on("beforeExit", () => whenEmpty());
  globalThis.awslambda = { streamifyResponse: markStreaming, HttpResponseStream };
  let handler;
  try {
    handler = await load(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
  } catch (error) {
    shownError("Uncaught Exception", asError(error));
    await api.initError(error);
    process.exit(EXIT_UNCAUGHT_EXCEPTION);
  }
  await serve(api, handler, callbacks);
}

main();
