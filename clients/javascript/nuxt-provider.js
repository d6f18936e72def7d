// A provider for @nuxt/image. In nuxt.config: image: { provider: 'dynimo', providers: { dynimo: {
//   provider: '~/nuxt-provider.js', options: { baseURL: 'https://images.example' } } } }
//
// It runs in browsers, so its URLs are unsigned: outside development `width` must be among the service's
// `widths`, which hold those of Nuxt's screens by default, and of the other modifiers only `format` and
// `preset` need no signature.

import { url } from './url.js';

const NAMES = { width: 'w', height: 'h', format: 'fm', quality: 'q', background: 'bg', position: 'crop' };
const FORMATS = { jpeg: 'jpg' };

export function getImage(src, { modifiers = {}, baseURL = '' } = {}) {
  const parameters = {};
  for (const [name, value] of Object.entries(modifiers)) {
    parameters[NAMES[name] ?? name] = name === 'format' ? (FORMATS[value] ?? value) : value;
  }
  return { url: url(src, parameters, { base: baseURL }) };
}

/** What newer versions of @nuxt/image import. */
export default () => ({ getImage });
