// SPDX-License-Identifier: MIT
//
// Node's cookie-signature for cookies_bench: see peer.h. Arguments: the secret, the data. Prints its
// own cookie, and for each number on stdin the seconds that verifying it so often took.
'use strict';

const readline = require('readline');
const signature = require('cookie-signature');

const [secret, data] = process.argv.slice(2);
const cookie = signature.sign(data, secret);
console.log(cookie);

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const calls = Number(line);
  const start = process.hrtime.bigint();
  for (let i = 0; i < calls; ++i) {
    if (signature.unsign(cookie, secret) !== data)
      process.exit(1);
  }
  console.log(Number(process.hrtime.bigint() - start) / 1e9);
});
