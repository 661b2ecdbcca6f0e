// SPDX-License-Identifier: MIT
//
// The packages of Node as a peer: see README.md. NODE_PATH says where they are.
'use strict';

const EventEmitter = require('events');
const readline = require('readline');

const secretsOf = (request) => request.secrets.map((hex) => Buffer.from(hex, 'hex').toString());
const dataOf = (request) => Buffer.from(request.data, 'hex').toString();
const found = (text) => ({ ok: true, data: Buffer.from(text).toString('hex') });
const refused = (why) => ({ ok: false, why });
const headerOf = (request) =>
  `other=1; ${request.name}=${request.cookie}`
  + (request.signature === undefined ? '' : `; ${request.name}.sig=${request.signature}`);

// What the middlewares of Express use of a response.
class Response extends EventEmitter {
  headers = {};
  getHeader(name) { return this.headers[name.toLowerCase()]; }
  setHeader(name, value) { this.headers[name.toLowerCase()] = value; }
  writeHead() {}
  cookies() {
    return Object.fromEntries((this.getHeader('set-cookie') || []).map((header) => {
      const [, name, value] = /^([^=]*)=([^;]*)/.exec(header);
      return [name, value];
    }));
  }
}

const cookieSignature = {
  package: 'cookie-signature',
  issue: (request) => ({ cookie: require('cookie-signature').sign(dataOf(request), secretsOf(request)[0]) }),
  verify: (request) => {
    const value = require('cookie-signature').unsign(request.cookie, secretsOf(request)[0]);
    return value === false ? refused('false') : found(value);
  },
};

// As res.cookie(name, value, {signed: true}) issues, and as cookie-parser reads.
const express = {
  package: 'cookie-parser',
  issue: (request) => {
    const value = 'value' in request ? 'j:' + JSON.stringify(request.value) : dataOf(request);
    const signed = 's:' + require('cookie-signature').sign(value, secretsOf(request)[0]);
    const header = require('cookie').serialize(request.name, signed);
    return { cookie: header.slice(request.name.length + 1) };
  },
  verify: (request) => {
    const req = { headers: { cookie: headerOf(request) } };
    require('cookie-parser')(secretsOf(request))(req, {}, () => {});
    const value = req.signedCookies[request.name];
    if (value === undefined || value === false) return refused(String(value));
    return typeof value === 'string' ? found(value) : { ok: true, value };
  },
};

const keygrip = {
  package: 'keygrip',
  cookies(request, res) {
    const encoding = request.hex ? 'hex' : 'base64';
    const keys = new (require('keygrip'))(secretsOf(request), request.hash, encoding);
    return new (require('cookies'))({ headers: { cookie: headerOf(request) } }, res, { keys, secure: true });
  },
  issue(request) {
    const res = new Response();
    this.cookies(request, res).set(request.name, dataOf(request), { signed: true });
    return { cookie: res.cookies()[request.name], signature: res.cookies()[request.name + '.sig'] };
  },
  verify(request) {
    const value = this.cookies(request, new Response()).get(request.name, { signed: true });
    return value === undefined ? refused('undefined') : found(value);
  },
};

const cookieSession = {
  package: 'cookie-session',
  call(request, cookie, use) {
    const req = { headers: { cookie }, connection: {} }, res = new Response();
    const keys = new (require('keygrip'))(secretsOf(request), request.hash);
    require('cookie-session')({ name: request.name, keys })(req, res, () => use(req));
    res.writeHead(200);
    return res.cookies();
  },
  issue(request) {
    const made = this.call(request, '', (req) => { req.session = request.value; });
    return { cookie: made[request.name], signature: made[request.name + '.sig'] };
  },
  verify(request) {
    let session;
    this.call(request, headerOf(request), (req) => { session = req.session; });
    return session.isNew ? refused('a new session') : { ok: true, value: session };
  },
};

const ironSession = {
  package: 'iron-session',
  passwords: (request) =>
    Object.fromEntries(secretsOf(request).map((secret, i) => [request.password_ids[i], secret])),
  async issue(request) {
    const options = { password: this.passwords(request), ttl: request.lifetime };
    return { cookie: await require('iron-session').sealData(request.value, options) };
  },
  async verify(request) {
    const options = { password: this.passwords(request), ttl: request.lifetime };
    let value;
    try {
      value = await require('iron-session').unsealData(request.cookie, options);
    } catch (refusal) {
      return refused(String(refusal));
    }
    return Object.keys(value).length === 0 ? refused('an empty session') : { ok: true, value };
  },
};

const peers = {
  cookie_signature: cookieSignature, express, keygrip, cookie_session: cookieSession,
  iron_session: ironSession,
};

function hello(peer) {
  try {
    const path = require('path'), fs = require('fs');
    let folder = path.dirname(require.resolve(peer.package));
    while (path.basename(path.dirname(folder)) !== 'node_modules') folder = path.dirname(folder);
    const { version } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json')));
    return { version: `${peer.package} ${version}` };
  } catch (missing) {
    return { missing: `there is no npm package ${peer.package}` };
  }
}

async function answer(request) {
  const peer = peers[request.dialect];
  if (peer === undefined) return { missing: `${request.dialect} is not in this peer` };
  if (request.do === 'hello') return hello(peer);
  Date.now = () => Math.floor(request.now * 1000);
  return peer[request.do](request);
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let done;
    try {
      done = await answer(JSON.parse(line));
    } catch (failed) {
      done = { error: String(failed) };
    }
    console.log(JSON.stringify(done));
  }
})();
