// Signed URLs of Dynimo's image service. For servers: the key must never reach a browser.

import { createHmac } from 'node:crypto';

import { target } from './url.js';

/** Give a path with its query (`/img/photos/a.jpg?w=400`) and its signature `s`. */
export function sign(target, key) {
  const [path, query] = target.split(/\?(.*)/s);
  const signed = query ? `${path}?${query.split('&').sort().join('&')}` : path;
  const made = createHmac('sha256', key).update(signed).digest('base64url');
  return `${target}${query ? '&' : '?'}s=${made}`;
}

/** Give the URL of `NAME/path/to/file`, signed if there is a key; `expires` is in seconds since 1970. */
export function url(file, parameters = {}, { base = '', key, expires } = {}) {
  const made = target(file, { ...parameters, expires });
  return base.replace(/\/+$/, '') + (key ? sign(made, key) : made);
}
