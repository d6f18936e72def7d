// A loader for next/image. In next.config.js: images: { loader: 'custom', loaderFile: './next-loader.js' }
//
// It runs in browsers, so its URLs are unsigned: widths must be among the service's `widths`, which hold
// Next's own by default. NEXT_PUBLIC_DYNIMO_IMAGES is the service's origin. `quality` needs a signature
// and is left out; a preset may be put behind the source: src="photos/a.jpg?preset=thumb".

import { url } from './url.js';

export default function loader({ src, width }) {
  const [file, query] = src.split('?');
  const base = process.env.NEXT_PUBLIC_DYNIMO_IMAGES ?? ''; // Next puts the value in when it builds
  return url(file, { ...Object.fromEntries(new URLSearchParams(query)), w: width }, { base });
}
