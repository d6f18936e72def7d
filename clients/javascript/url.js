// URLs of Dynimo's image service, unsigned: what a browser may ask for by itself. No dependencies.

const strict = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (one) => '%' + one.charCodeAt(0).toString(16).toUpperCase());

const text = (value) =>
  value === true ? '1' : value === false ? '0' : Array.isArray(value) ? value.map(text).join(',') : String(value);

/** Give the path and query of `NAME/path/to/file`; null and undefined are left out, lists joined by commas. */
export function target(file, parameters = {}) {
  const path = '/img/' + file.replace(/^\/+/, '').split('/').map(strict).join('/');
  const query = Object.entries(parameters)
    .filter(([, value]) => value !== null && value !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => `${name}=${strict(text(value))}`)
    .join('&');
  return query ? `${path}?${query}` : path;
}

/** Give the unsigned URL; `base` is the service's origin, as https://images.example. */
export function url(file, parameters = {}, { base = '' } = {}) {
  return base.replace(/\/+$/, '') + target(file, parameters);
}
