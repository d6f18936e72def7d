// console.log and its like in AWS's two forms: tabs between time, request id, level and text, or one
// JSON object a record. Lines inside a record end in a carriage return, so that it stays one line.
import util from "node:util";

const LEVELS = { TRACE: 1, DEBUG: 2, INFO: 3, WARN: 4, ERROR: 5, FATAL: 6 };
const REQUEST = Symbol.for("aws.lambda.runtime.requestId");
const METHODS = {
  trace: "TRACE",
  debug: "DEBUG",
  info: "INFO",
  log: "INFO",
  warn: "WARN",
  error: "ERROR",
  fatal: "FATAL",
};
let form = "TEXT";

export function setRequestId(id) {
  globalThis[REQUEST] = id;
}

export function asError(error) {
  return error instanceof Error ? error : new Error(error);
}

// The record of a failed invocation or start.
export function shownError(what, error) {
  if (form === "JSON") console.error(error);
  else console.error(what, `\t${flattened(error)}`);
}

export function patchConsole() {
  if (process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === "JSON") form = "JSON";
  const least = LEVELS[process.env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase()] ?? LEVELS.TRACE;
  for (const [method, level] of Object.entries(METHODS)) {
    console[method] =
      LEVELS[level] >= least ? (...parts) => write(level, parts) : () => {};
  }
}

function write(level, parts) {
  const time = new Date().toISOString();
  const id = globalThis[REQUEST];
  const text =
    form === "JSON"
      ? record(time, level, id, parts)
      : `${time}\t${id}\t${level}\t${util.format(...parts)}`;
  process.stdout.write(`${text.replace(/\n/g, "\r")}\n`);
}

function record(timestamp, level, requestId, parts) {
  const made = { timestamp, level, requestId };
  if (parts.length === 1) {
    try {
      return JSON.stringify({ ...made, message: parts[0] }, (_, value) => plain(value));
    } catch {
      return JSON.stringify({ ...made, message: util.format(parts[0]) });
    }
  }
  made.message = util.format(...parts);
  const error = parts.find((part) => part instanceof Error);
  return JSON.stringify(error ? { ...made, ...plain(error) } : made);
}

function plain(value) {
  if (!(value instanceof Error)) return value;
  const stack = typeof value.stack === "string" ? value.stack.split("\n") : [];
  const type = value.constructor?.name ?? "UnknownError";
  return { errorType: type, errorMessage: value.message, stackTrace: stack, ...value };
}

function flattened(error) {
  try {
    return JSON.stringify(error, (_, value) => {
      if (!(value instanceof Error)) return value;
      const stack = typeof value.stack === "string" ? value.stack.split("\n") : undefined;
      return {
        errorType: value.name,
        errorMessage: value.message,
        code: value.code,
        ...value,
        stack,
      };
    });
  } catch {
    return JSON.stringify({ errorType: error.name, errorMessage: error.message });
  }
}
