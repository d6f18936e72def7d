// Everything for servers. Browsers import url.js and markup.js alone.

export { sign, url } from './sign.js';
export { picture, srcset, WIDTHS } from './markup.js';
