// Native images and the claims about them. The module itself is good, and runs without its image.
//
// SPDX-License-Identifier: Apache-2.0
'use strict';
const o = require('./objects');

const image = Buffer.alloc(5000, 0xcc);

// give: {claim, image, size} for version 2; refused with this reason, and version 2 is interpreted.
const refused = (name, rows, pattern, give) => [name, rows, { native: true }, async (w) => {
  if (process.arch !== 'x64') return;
  const r = w.app(2);
  w.server.offer({ release: r, native: { image, ...give(w, r) } });
  await w.event('NATIVE_REFUSED', pattern);
  await w.event('COMMITTED', /^2/);
  await w.runs('app 2');
}];
const claimed = (more, bytes = image) => (w, r) => ({ image: bytes, claim: o.claim(w.builder, r, bytes, more) });

module.exports = [
  refused('a claim that a stranger signed', [1, 34], /its claim: no trusted key made this signature over this claim/, (w, r) => ({ claim: o.claim(w.stranger, r, image) })),
  refused('a claim that the signer signed', [18, 25], /its claim: the key that signed has a role that signs no native images/, (w, r) => ({ claim: o.claim(w.signer, r, image) })),
  refused('a claim about another module', [10, 34], /another module/, (w) => ({ claim: o.claim(w.builder, w.app(3), image) })),
  refused('a claim about another image', [2, 34], /the bytes received are not those claimed/, (w, r) => ({ claim: o.claim(w.builder, r, o.flip(image)) })),
  refused('a claim about a longer image', [4], /5000 of 10000 bytes came/, (w, r) => ({ claim: o.claim(w.builder, r, Buffer.concat([image, image])) })),
  refused('a claim about a shorter image', [4, 12], /more than the 4000 bytes claimed/, (w, r) => ({ claim: o.claim(w.builder, r, image.subarray(0, 4000)) })),
  refused('a claim about an image for another processor', [17], /it is for target 3, this device is 1/, claimed({ target: 3 })),
  refused('a claim with the type of a statement', [18], /its claim: signed as another kind of object/, claimed({ type: 'current' })),
  refused('a claim of the next format', [18], /its claim: a claim from the future/, claimed({ payload: { 1: 2 } })),
  refused('a claim with a bit changed', [1], /its claim: no trusted key made this signature over this claim/, (w, r) => ({ claim: o.flip(o.claim(w.builder, r, image), 90) })),
  refused('a claim with a byte behind it', [4], /its claim: bytes follow the last item/, (w, r) => ({ claim: Buffer.concat([o.claim(w.builder, r, image), Buffer.alloc(1)]) })),
  refused('a claim that is a key set', [18], /the server sends 291 bytes, more than 256/, (w) => ({ claim: o.keySet({ version: 1, roots: w.roots, threshold: 1, keys: [] }, [w.roots[0]]) })),
  refused('a claim that is the module\'s signature', [18], /its claim: not a COSE_Sign1 object/, (w, r) => ({ claim: r.sig })),
  refused('a claim about an image larger than the slot', [12], /200000 bytes do not fit the slot behind the module/, (w, r) => ({ image: Buffer.alloc(200000), claim: o.claim(w.builder, r, Buffer.alloc(200000)) })),
  refused('an image that the builder claimed and that is none', [18, 34], /it cannot run here: not a native image/, claimed({})),
  ['an image for a device that runs none', [34], async (w) => {
    const r = w.app(2);
    w.server.offer({ release: r, native: { image, claim: o.claim(w.builder, r, image) } });
    await w.event('COMMITTED', /^2/);
    w.expect(!w.server.asked('claim') && !w.server.asked('native'), 'it asked for it');
  }],
];
