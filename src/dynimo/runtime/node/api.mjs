// Calls to the Runtime API over one kept connection, and the shape of errors that are posted there.
import http from "node:http";

import { responseStream } from "./streaming.mjs";

const BASE = "/2018-06-01/runtime";

// An error as its caller is told: AWS's errorType, errorMessage and trace.
export function told(error) {
  try {
    if (error instanceof Error || (error?.name && error?.message && error?.stack)) {
      return {
        errorType: error.name,
        errorMessage: error.message,
        trace: String(error.stack).split("\n"),
      };
    }
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  } catch {
    return {
      errorType: "handled",
      errorMessage:
        "callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack",
    };
  }
}

export class RuntimeApi {
  constructor(address) {
    const [host, port] = address.split(":");
    this.options = { host, port, agent: new http.Agent({ keepAlive: true, maxSockets: 2 }) };
  }

  next() {
    return this.call("GET", `${BASE}/invocation/next`);
  }

  response(id, body) {
    return this.call("POST", `${BASE}/invocation/${id}/response`, body);
  }

  error(id, error) {
    return this.postError(`${BASE}/invocation/${id}/error`, error);
  }

  initError(error) {
    return this.postError(`${BASE}/init/error`, error);
  }

  stream(id, highWaterMark) {
    const path = `${BASE}/invocation/${id}/response`;
    return responseStream({ ...this.options, path, method: "POST" }, told, highWaterMark);
  }

  postError(path, error) {
    const document = told(error);
    const headers = { "Lambda-Runtime-Function-Error-Type": encodeURI(document.errorType) };
    return this.call("POST", path, JSON.stringify(document), headers);
  }

  call(method, path, body = "", headers = {}) {
    return new Promise((resolve, reject) => {
      const bytes = Buffer.from(body);
      const more = { "Content-Type": "application/json", "Content-Length": bytes.length };
      const all = method === "GET" ? headers : { ...more, ...headers };
      const request = http.request({ ...this.options, method, path, headers: all }, (answer) => {
        const pieces = [];
        answer.on("data", (piece) => pieces.push(piece));
        answer.on("error", reject);
        answer.on("end", () => {
          const text = Buffer.concat(pieces).toString("utf8");
          if (answer.statusCode >= 400) {
            reject(new Error(`Runtime API: ${method} ${path}: ${answer.statusCode} ${text}`));
          } else {
            resolve({ headers: answer.headers, body: text });
          }
        });
      });
      request.on("error", reject);
      request.end(bytes);
    });
  }
}
