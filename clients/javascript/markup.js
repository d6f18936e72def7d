// srcset and <picture> for Dynimo's image service. `urlOf` is the url() of sign.js or of url.js.

import { url } from './url.js';

/** Widths of a srcset where none are said. */
export const WIDTHS = [320, 640, 960, 1280, 1920];

const ordered = (widths) => [...new Set(widths)].sort((one, other) => one - other);

/** Give the value of a `srcset`: one URL a width; `h` is that of the widest and follows. */
export function srcset(file, parameters = {}, { widths = WIDTHS, urlOf = url, ...options } = {}) {
  const chosen = ordered(widths);
  return chosen
    .map((w) => {
      const own = { ...parameters, w };
      if (own.h) own.h = Math.max(1, Math.floor((own.h * w) / chosen.at(-1) + 0.5));
      return `${urlOf(file, own, options)} ${w}w`;
    })
    .join(', ');
}

/** Give a `<picture>`: a source for each of `formats`, and an `<img>` of JPEGs. Everything is escaped. */
export function picture(
  file,
  parameters = {},
  { alt, sizes = '100vw', widths = WIDTHS, formats = ['avif', 'webp'], attributes = {}, urlOf = url, ...options },
) {
  const chosen = ordered(widths);
  const setOf = (fm) => srcset(file, { ...parameters, fm }, { widths: chosen, urlOf, ...options });
  const sources = formats.map((fm) => tag('source', { type: `image/${fm}`, srcset: setOf(fm), sizes }));
  const image = tag('img', {
    src: urlOf(file, { ...parameters, fm: 'jpg', w: chosen.at(-1) }, options),
    srcset: setOf('jpg'),
    sizes,
    alt,
    loading: 'lazy',
    decoding: 'async',
    ...attributes,
  });
  return `<picture>${sources.join('')}${image}</picture>`;
}

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#x27;' };
const escape = (value) => String(value).replace(/[&<>"']/g, (one) => ENTITIES[one]);
const tag = (name, attributes) =>
  `<${name}${Object.entries(attributes).map(([each, value]) => ` ${each}="${escape(value)}"`).join('')}>`;
