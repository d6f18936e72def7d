// Streamed answers: what `awslambda.streamifyResponse` marks, what handlers write to, and the head
// that `awslambda.HttpResponseStream.from` puts before the first byte.
import http from "node:http";

const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const HIGH_WATER_MARK = Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark");
const HEAD_TYPE = "application/vnd.awslambda.http-integration-response";
const HEAD_END = Buffer.alloc(8);
const ERROR_TYPE = "Lambda-Runtime-Function-Error-Type";
const ERROR_BODY = "Lambda-Runtime-Function-Error-Body";

export function markStreaming(handler, options) {
  handler[STREAMING] = "response";
  if (typeof options?.highWaterMark === "number") {
    handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
  }
  return handler;
}

export function streamingOf(handler) {
  if (handler[STREAMING] !== "response") return undefined;
  return { highWaterMark: handler[HIGH_WATER_MARK] };
}

export class HttpResponseStream {
  static from(stream, prelude) {
    stream.setContentType(HEAD_TYPE);
    const head = JSON.stringify(prelude);
    stream._onBeforeFirstWrite = (write) => {
      write(head);
      write(HEAD_END);
    };
    return stream;
  }
}

// The stream of one invocation: `out` is what the handler gets, `done` settles when the platform
// has it all, `fail` ends it with an error in the trailers.
export function responseStream(options, told, highWaterMark) {
  let arrived;
  const done = new Promise((resolve) => (arrived = resolve));
  const request = http.request(
    {
      ...options,
      highWaterMark,
      headers: {
        "Lambda-Runtime-Function-Response-Mode": "streaming",
        "Transfer-Encoding": "chunked",
        Trailer: `${ERROR_TYPE}, ${ERROR_BODY}`,
        "Content-Type": "application/octet-stream",
      },
    },
    (answer) => {
      answer.resume();
      answer.on("end", arrived);
      answer.on("error", arrived);
    },
  );
  request.on("error", arrived);
  const write = request.write.bind(request);
  const end = request.end.bind(request);
  let begun = false;
  const begin = () => {
    if (begun) return;
    begun = true;
    request._onBeforeFirstWrite?.(write);
  };
  request.setContentType = (type) => {
    if (begun) throw new Error("Cannot set content-type, too late.");
    request.setHeader("Content-Type", type);
  };
  request.write = (piece, encoding, callback) => {
    begin();
    const plain = typeof piece === "string" || piece instanceof Uint8Array;
    return write(plain ? piece : JSON.stringify(piece), encoding, callback);
  };
  request.end = (piece, encoding, callback) => {
    if (typeof piece === "function") return request.end(undefined, undefined, piece);
    begin();
    if (piece !== undefined && piece !== null) request.write(piece, encoding);
    return end(callback);
  };
  const fail = (error) => {
    if (!request.writableEnded) {
      const document = told(error);
      request.addTrailers({
        [ERROR_TYPE]: encodeURI(document.errorType),
        [ERROR_BODY]: Buffer.from(JSON.stringify(document)).toString("base64"),
      });
      if (!begun) write("");
      begun = true;
      end();
    }
    return done;
  };
  return { out: request, done, fail };
}
