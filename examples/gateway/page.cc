// SPDX-License-Identifier: MIT
#include "page.h"

namespace gateway {

const char* const page_html = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>funcptr gateway</title>
<link rel="stylesheet" href="/page.css">
<link rel="icon" href="data:,">
</head>
<body>
<header>
  <h1>funcptr gateway</h1>
  <p id="state" role="status" class="waiting">connecting</p>
</header>
<main>
  <section class="numbers" aria-label="Numbers">
    <div><b id="value">–</b><span id="topic">latest value</span></div>
    <div><b id="rate">0</b><span>messages a second</span></div>
    <div><b id="count">0</b><span>messages seen</span></div>
    <div><b id="missed">0</b><span>missed</span></div>
  </section>
  <canvas id="chart" aria-label="The latest values as a moving line"></canvas>
  <section>
    <h2>Say something</h2>
    <form id="login">
      <input id="user" name="user" autocomplete="username" placeholder="your name" required
             pattern="[A-Za-z0-9_\-]{1,32}" title="1 to 32 letters, digits, _ and -">
      <button>Sign in</button>
    </form>
    <form id="publish" hidden>
      <input id="text" autocomplete="off" placeholder="a message for everybody" required maxlength="500">
      <button>Publish</button>
      <button type="button" id="logout" class="quiet">Sign out</button>
    </form>
    <p id="answer" role="status"></p>
  </section>
  <section>
    <h2>Feed</h2>
    <ol id="feed"></ol>
  </section>
</main>
<footer id="version"></footer>
<script src="/page.js"></script>
</body>
</html>
)html";

const char* const page_css = R"css(
:root { color-scheme: light dark; --line: #1668c7; --soft: #8883; --good: #1a7f37; --bad: #c0392b; }
@media (prefers-color-scheme: dark) { :root { --line: #6cb2ff; --good: #56d364; --bad: #ff7b72; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
header { display: flex; align-items: baseline; justify-content: space-between; flex-wrap: wrap; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; }
#state { margin: 0; font-weight: 600; }
#state::before { content: "● "; }
.live { color: var(--good); } .waiting { color: var(--bad); }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .75rem; margin: 1rem 0; }
.numbers div { border: 1px solid var(--soft); border-radius: .5rem; padding: .75rem; }
.numbers b { display: block; font-size: 1.75rem; font-variant-numeric: tabular-nums; line-height: 1.2; }
.numbers span { opacity: .75; font-size: .9rem; }
canvas { width: 100%; height: 12rem; border: 1px solid var(--soft); border-radius: .5rem; display: block; }
form { display: flex; gap: .5rem; flex-wrap: wrap; }
form[hidden] { display: none; }
input { flex: 1 1 12rem; }
input, button { font: inherit; padding: .5rem .75rem; border-radius: .5rem; border: 1px solid #8886; }
button { background: var(--line); color: Canvas; border-color: transparent; font-weight: 600; }
button.quiet { background: none; color: inherit; border-color: #8886; }
#answer { min-height: 1.5em; margin: .25rem 0 0; opacity: .8; }
ol { list-style: none; margin: 0; padding: 0; font-variant-numeric: tabular-nums; }
li { border-bottom: 1px solid var(--soft); padding: .25rem 0; overflow-wrap: anywhere; }
li.gap { color: var(--bad); }
footer { opacity: .6; font-size: .85rem; margin-top: 2rem; }
)css";

const char* const page_js = R"js('use strict';
const $ = (id) => document.getElementById(id);
const values = [];
const shown = 240;      // points of the chart
const lines = 12;       // rows of the feed
let seen = 0, missed = 0, recent = [];

function row(text, kind) {
  const li = document.createElement('li');
  li.textContent = text;
  if (kind) li.className = kind;
  $('feed').prepend(li);
  while ($('feed').children.length > lines) $('feed').lastChild.remove();
}

function onMessage(event) {
  const { frames, cut } = JSON.parse(event.data);
  const last = frames[frames.length - 1];
  const number = last.trim() === '' ? NaN : Number(last);
  $('count').textContent = ++seen;
  recent.push(performance.now());
  if (Number.isFinite(number)) {
    values.push(number);
    if (values.length > shown) values.shift();
    $('value').textContent = number.toFixed(2);
    if (frames.length > 1) $('topic').textContent = frames[0];
  }
  row(frames.join(' · ') + (cut ? ' …' : ''));
}

function draw() {
  const canvas = $('chart'), scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const c = canvas.getContext('2d');
  c.setTransform(scale, 0, 0, scale, 0, 0);
  c.clearRect(0, 0, width, height);
  if (values.length > 1) {
    const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
    const x = (i) => 44 + (width - 56) * (i + shown - values.length) / (shown - 1);
    const y = (v) => 14 + (height - 28) * (1 - (v - low) / span);
    const style = getComputedStyle(document.body);
    c.fillStyle = style.color;
    c.globalAlpha = 0.6;
    c.font = '12px system-ui';
    c.fillText(high.toFixed(1), 6, 18);
    c.fillText(low.toFixed(1), 6, height - 10);
    c.globalAlpha = 1;
    c.strokeStyle = style.getPropertyValue('--line');
    c.lineWidth = 2;
    c.beginPath();
    values.forEach((v, i) => i ? c.lineTo(x(i), y(v)) : c.moveTo(x(i), y(v)));
    c.stroke();
  }
  requestAnimationFrame(draw);
}

setInterval(() => {
  const now = performance.now();
  recent = recent.filter((t) => now - t < 2000);
  $('rate').textContent = (recent.length / 2).toFixed(1);
}, 500);

function signedIn(user) {
  $('login').hidden = Boolean(user);
  $('publish').hidden = !user;
  $('answer').textContent = user ? 'signed in as ' + user : '';
}

async function post(path, body) {
  const answer = await fetch(path, { method: 'POST', body });
  if (!answer.ok) throw new Error((await answer.text()).trim() || answer.status);
  return answer;
}
const tell = (error) => { $('answer').textContent = error.message; };

$('login').addEventListener('submit', (event) => {
  event.preventDefault();
  post('/login', new URLSearchParams({ user: $('user').value })).then(status).catch(tell);
});
$('logout').addEventListener('click', () => post('/logout', '').then(status).catch(tell));
$('publish').addEventListener('submit', (event) => {
  event.preventDefault();
  post('/publish', $('text').value).then(() => { $('text').value = ''; }).catch(tell);
});

async function status() {
  const now = await (await fetch('/status')).json();
  signedIn(now.user);
  $('version').textContent = 'gateway ' + now.version;
}

const source = new EventSource('/feed');
source.onopen = () => { $('state').textContent = 'live'; $('state').className = 'live'; };
source.onerror = () => { $('state').textContent = 'connecting'; $('state').className = 'waiting'; };
source.onmessage = onMessage;
source.addEventListener('missed', (event) => {
  missed += Number(event.data);
  $('missed').textContent = missed;
  row(event.data + ' missed: this browser was too slow', 'gap');
});

status().catch(tell);
draw();
)js";

} // namespace gateway
