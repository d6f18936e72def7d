// The JavaScript client gives exactly what ../vectors.json says, as the Python one and the server do.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { picture, sign, srcset, url } from './index.js';
import nextLoader from './next-loader.js';
import provider, { getImage } from './nuxt-provider.js';
import { url as unsigned } from './url.js';

const vectors = JSON.parse(readFileSync(new URL('../vectors.json', import.meta.url), 'utf-8'));
const key = vectors.key;

for (const each of vectors.urls) {
  test(`the URL ${each.url}`, () => {
    const options = { base: each.base, expires: each.expires, key: each.signed ? key : undefined };
    assert.equal(url(each.file, each.parameters, options), each.url);
    if (!each.signed) assert.equal(unsigned(each.file, each.parameters, { base: each.base }), each.url);
  });
}

test('the order of a query is not signed', () => {
  const signature = (made) => /s=([^&]*)$/.exec(made)[1];
  assert.equal(signature(sign('/img/a/b?w=1&h=2', key)), signature(sign('/img/a/b?h=2&w=1', key)));
});

test('srcset and picture', () => {
  for (const { file, parameters, value, ...options } of vectors.srcsets) {
    assert.equal(srcset(file, parameters, { ...options, key, urlOf: url }), value);
  }
  for (const { file, parameters, value, ...options } of vectors.pictures) {
    assert.equal(picture(file, parameters, { ...options, key, urlOf: url }), value);
  }
});

test('the loader of next/image', () => {
  process.env.NEXT_PUBLIC_DYNIMO_IMAGES = 'https://images.example';
  assert.equal(nextLoader({ src: 'photos/a.jpg', width: 640, quality: 75 }), 'https://images.example/img/photos/a.jpg?w=640');
  assert.equal(
    nextLoader({ src: '/photos/a b.jpg?preset=thumb', width: 96 }),
    'https://images.example/img/photos/a%20b.jpg?preset=thumb&w=96',
  );
});

test('the provider of @nuxt/image', () => {
  const modifiers = { width: 640, format: 'jpeg', fit: 'cover', quality: 80, position: 'top' };
  const made = { url: 'https://images.example/img/photos/a.jpg?crop=top&fit=cover&fm=jpg&q=80&w=640' };
  assert.deepEqual(getImage('/photos/a.jpg', { modifiers, baseURL: 'https://images.example' }), made);
  assert.deepEqual(provider().getImage('photos/a.jpg'), { url: '/img/photos/a.jpg' });
});
