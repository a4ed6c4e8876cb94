// The player: a duet on a canvas, with nothing but the browser. Runs inside the <iframe srcdoc> that player.py writes.
// Lines that start with // and leading blanks are dropped when it is put into a page, so no string here spans two lines.
'use strict';
(() => {
const data = JSON.parse(document.getElementById('choreo').textContent);
const { fps, frames } = data, end = frames - 1, root = document.documentElement;
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));

// ---- the motion: int16 back to metres --------------------------------------------------------------------------
const bodies = [...data.ghosts.map((g, i) => ({ ...data.skeletons[g.skeleton], ...g, ghost: true, hollow: i === 1 })),
  ...data.dancers.map((d, i) => ({ ...data.skeletons[d.skeleton], ...d, hollow: i === 1 }))];
for (const body of bodies) {
  const whole = new Int16Array(bytes(body.data).buffer);
  body.at = Float32Array.from(whole, (q, i) => body.offset[i % 3] + body.scale[i % 3] * q);
  body.size = body.parents.length;
  body.last = body.at.length / body.size / 3 - 1;
  // A bone is as thick as what hangs from it: the trunk more than a finger.
  const below = new Array(body.size).fill(0);
  for (let j = body.size - 1; j > 0; j--) below[body.parents[j]] += below[j] + 1;
  // A pale edge tells a limb from what it passes in front of; where bones meet in the trunk it would only cut.
  body.edged = below.map((n, j) => n < 6 && body.parents.filter(p => p === body.parents[j]).length < 3);
  body.thick = below.map(n => 0.036 + 0.013 * Math.log2(1 + n));
  body.now = new Float32Array(body.size * 3);
  body.seen = new Float32Array(body.size * 3);
}
const dancers = bodies.filter(b => !b.ghost), ties = data.edges;
const weights = ties && bytes(ties.weights);

// ---- where the camera may look: the middle of the dancers, smoothed over a second --------------------------------
const middle = new Float32Array(frames * 2);
{
  const raw = new Float32Array(frames * 2);
  for (let t = 0; t < frames; t++) for (const d of dancers) for (let k = 0; k < 2; k++)
    raw[t * 2 + k] += d.at[t * d.size * 3 + k] / dancers.length;
  const half = Math.round(fps * 0.6);
  for (let t = 0; t < frames; t++) for (let k = 0; k < 2; k++) {
    let sum = 0, n = 0;
    for (let s = Math.max(t - half, 0); s <= Math.min(t + half, end); s += 2) { sum += raw[s * 2 + k]; n++; }
    middle[t * 2 + k] = sum / n;
  }
}
// Horizontal radius and height of all that moves, seen from a still middle or from the one that follows.
const extent = follow => {
  const low = [1e9, 1e9, 1e9], high = [-1e9, -1e9, -1e9];
  for (const d of dancers) for (let i = 0; i < d.at.length; i++) {
    const k = i % 3, t = Math.floor(i / d.size / 3);
    const x = d.at[i] - (follow && k < 2 ? middle[t * 2 + k] : 0);
    if (x < low[k]) low[k] = x;
    if (x > high[k]) high[k] = x;
  }
  const mid = low.map((x, k) => (x + high[k]) / 2);
  return { mid, radius: Math.hypot(high[0] - low[0], high[1] - low[1]) / 2, tall: Math.max(high[2] - data.floor, 0.5) };
};
const room = [extent(false), extent(true)];

// ---- state -----------------------------------------------------------------------------------------------------
const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
const first = data.loop[0], view = {};
let time = first, from = first, to = data.loop[1], speed = data.speed, threshold = ties ? ties.threshold : 1;
let playing = data.autoplay && !calm && frames > 1, inSight = true, asked = 0, before = 0, draws = 0;
let follow, ghosts = true, trails = data.trails.on, palette, width, height, ratio, focal, eye, away;
const home = () => {
  follow = room[0].radius > 1.5 && room[1].radius < 0.9 * room[0].radius;
  Object.assign(view, { turn: data.camera[0], tilt: data.camera[1], zoom: 1, pan: [0, 0, 0] });
};
home();

// ---- the page: stage, legend, bar ------------------------------------------------------------------------------
const add = (parent, tag, props = {}, attributes = {}) => {
  const node = parent.appendChild(Object.assign(document.createElement(tag), props));
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  return node;
};
add(document.head, 'style', { textContent: [
  'html,body{margin:0;height:100%;overflow:hidden}',
  'body{display:flex;flex-direction:column;background:var(--paper);color:var(--ink);font:13px/1.35 system-ui,sans-serif}',
  '.stage{flex:1;position:relative;min-height:0}canvas{position:absolute;width:100%;height:100%;cursor:grab;touch-action:none}',
  'canvas:active{cursor:grabbing}',
  ':focus-visible{outline:2px solid var(--b);outline-offset:-2px;border-radius:4px}',
  '.legend{position:absolute;left:12px;top:9px;pointer-events:none;max-width:70%}.legend b{display:block;font-weight:600}',
  '.legend span{margin-right:14px;color:var(--soft);white-space:nowrap}.legend svg{width:30px;height:12px;margin-right:5px;vertical-align:-1px}',
  '.credit{position:absolute;right:12px;bottom:4px;font-size:11px;color:var(--soft);pointer-events:none;max-width:90%;text-align:right}',
  '.bar{display:flex;flex-wrap:wrap;align-items:center;gap:2px 4px;padding:4px 8px 6px}.bar label{display:flex;align-items:center;gap:4px;color:var(--soft)}',
  'button,select{font:inherit;color:inherit;background:none;border:0;border-radius:4px;height:28px;min-width:28px;padding:0 6px;cursor:pointer}',
  'select option{background:var(--paper);color:var(--ink)}button:hover,select:hover{background:var(--grid)}',
  'select{appearance:none;text-align:center}button[aria-pressed=true]{background:var(--grid)}',
  'button svg{width:14px;height:14px;fill:currentColor;vertical-align:-2px}',
  'input[type=range]{appearance:none;-webkit-appearance:none;height:20px;margin:0;background:none;cursor:pointer;width:90px}',
  '.scrub{flex:1 1 100%}input::-webkit-slider-runnable-track{height:4px;border-radius:2px;background:var(--track,var(--grid))}',
  'input::-moz-range-track{height:4px;border-radius:2px;background:var(--track,var(--grid))}',
  'input::-webkit-slider-thumb{-webkit-appearance:none;width:14px;height:14px;margin-top:-5px;border-radius:7px;background:var(--ink)}',
  'input::-moz-range-thumb{width:14px;height:14px;border:0;border-radius:7px;background:var(--ink)}',
  '.time{margin-left:auto;color:var(--soft);font-variant-numeric:tabular-nums}',
  '@media(pointer:coarse){.bar button,.bar select{height:44px;min-width:44px}.bar input[type=range]{height:44px}}',
  '.help{position:absolute;inset:0;overflow:auto;background:var(--paper);padding:10px 16px;columns:2 250px}.help[hidden]{display:none}',
  '.help p{margin:0 0 5px;break-inside:avoid}kbd{font:12px ui-monospace,monospace;background:var(--grid);border-radius:3px;padding:0 4px}',
].join('') });
const stage = add(document.body, 'div', { className: 'stage' });
const canvas = add(stage, 'canvas', { tabIndex: 0 }, { role: 'img', 'aria-label': data.alt });
const pen = canvas.getContext('2d'), state = canvas.dataset;

const legend = add(stage, 'div', { className: 'legend' });
if (data.title) add(legend, 'b', { textContent: data.title });
const key = (name, drawing) => {
  const item = add(legend, 'span');
  item.innerHTML = '<svg viewBox="0 0 30 12" aria-hidden="true">' + drawing + '</svg>';
  item.append(name);
  return item;
};
const line = (style, more = '') => '<path d="M3 6H27" stroke-linecap="round" fill="none" style="' + style + '"/>' + more;
key(data.dancers[0].name, line('stroke:var(--a);stroke-width:5', '<circle cx="15" cy="6" r="5" style="fill:var(--a)"/>'));
if (data.dancers[1]) key(data.dancers[1].name, line('stroke:var(--b);stroke-width:6', line('stroke:var(--paper);stroke-width:2.4') +
  '<circle cx="15" cy="6" r="4.2" style="fill:var(--paper);stroke:var(--b);stroke-width:2"/>'));
const ghostKey = data.ghosts.length ? key('ghost', line('stroke:var(--ghost);stroke-width:4')) : null;
if (ties) key('edges', line('stroke:var(--string);stroke-width:2'));
if (data.credit) add(stage, 'div', { className: 'credit', textContent: data.credit });

const bar = add(document.body, 'div', { className: 'bar' }, { role: 'toolbar', 'aria-label': 'Player' });
const scrub = add(bar, 'input', { type: 'range', className: 'scrub', min: 0, max: end, step: 1 }, { 'aria-label': 'Frame' });
const icon = d => '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="' + d + '"/></svg>';
const PLAY = 'M3 1.5l11 6.5-11 6.5z', PAUSE = 'M3 2h3.4v12H3zM9.6 2H13v12H9.6z';
const button = (label, hint, picture, act) => {
  const node = add(bar, 'button', { type: 'button', title: label + ' (' + hint + ')', onclick: act }, { 'aria-label': label });
  if (picture) node.innerHTML = icon(picture);
  return node;
};
const toggle = (label, hint, act) => Object.assign(button(label, hint, '', act), { textContent: label });
const play = button('Play', 'space', PLAY, () => run(!playing));
button('One frame back', 'left arrow', 'M13 2v12L5 8zM3 2h2v12H3z', () => step(-1));
button('One frame forward', 'right arrow', 'M3 2v12l8-6zM11 2h2v12h-2z', () => step(1));
button('Loop starts here', '[', 'M5 2h5v2H7v8h3v2H5z', () => mark(0));
button('Loop ends here', ']', 'M11 2H6v2h3v8H6v2h5z', () => mark(1));
const pace = add(bar, 'select', { title: 'Speed (up and down arrows)' }, { 'aria-label': 'Speed' });
const paces = [...new Set([0.1, 0.25, 0.5, 1, 1.5, 2, speed])].sort((x, y) => x - y);
for (const p of paces) add(pace, 'option', { value: p, textContent: p + '\u00d7' });
pace.onchange = () => { speed = +pace.value; wake(); };
const following = toggle('Keep in view', 'f', () => { follow = !follow; wake(); });
const trailing = toggle('Trails', 't', () => { trails = !trails; wake(); });
const haunting = data.ghosts.length ? toggle('Ghost', 'g', () => { ghosts = !ghosts; wake(); }) : null;
const cut = ties && add(add(bar, 'label', { textContent: 'Edges \u2265' }), 'input',
  { type: 'range', className: 'cut', min: 0, max: 1.01, step: 0.01, value: threshold }, { 'aria-label': 'Show edges from this weight' });
const cutAt = ties && add(cut.parentNode, 'span');
if (ties) cut.oninput = () => { threshold = +cut.value; wake(); };
button('Reset view and loop', 'r', 'M8 2a6 6 0 1 1-5.7 4.2l1.9.6A4 4 0 1 0 8 4v3L3.5 3.3 8 0z', () => reset());
button('Help', '?', '', () => aid()).textContent = '?';
const clock = add(bar, 'span', { className: 'time' });
// ---- the map of phrases (left out where there is none) ----------------------------------------------------------
const atlas = add(stage, 'div', { className: 'map' }, { role: 'group', 'aria-label': 'Map of phrases' });
add(document.head, 'style', { textContent: '.stage{margin-left:38%}.map{position:absolute;right:100%;top:0;bottom:0;width:61.3%;border-right:1px solid var(--grid)}' +
  '.map button{position:absolute;transform:translate(-50%,-50%);height:26px;min-width:26px;padding:0}.map button:hover{background:none}' +
  '.map button::after{content:"";display:block;width:10px;height:10px;margin:auto;border-radius:9px;background:var(--soft)}' +
  '.map button:hover::after,.map button[aria-pressed=true]::after{background:var(--a);outline:3px solid var(--a);outline-offset:2px}' });
const dots = data.map.at.map(([x, y], k) => add(atlas, 'button', { type: 'button', style: 'left:' + x + '%;top:' + y + '%',
  onclick: () => visit(k) }, { 'aria-label': 'Phrase ' + (k + 1) + ' of ' + data.map.at.length }));
const visit = k => {
  [from, to] = [k * data.map.length, (k + 1) * data.map.length - 1];
  time = from;
  run(!calm);
};
const here = k => dots.forEach((dot, i) => dot.setAttribute('aria-pressed', i === k));
// ---- end of the map --------------------------------------------------------------------------------------------

const help = add(stage, 'div', { className: 'help', hidden: true, tabIndex: -1 }, { role: 'note', 'aria-label': 'Help' });
for (const [keys, does] of [['drag', 'orbit'], ['shift+drag', 'move the view'],
  ['two fingers', 'zoom, move sideways, scroll the page'], ['wheel', 'zoom, once you have clicked the stage or with ctrl'], ['space', 'play or pause'],
  ['\u2190 \u2192', 'one frame (with shift: orbit)'], ['\u2191 \u2193', 'faster, slower (with shift: tilt)'], ['Home End', 'first, last frame'],
  ['[ ]', 'loop starts, ends here'], ['+ \u2212', 'zoom'], ['f', 'keep the dancers in view'], ['g', 'ghost'], ['t', 'trails'],
  ['r', 'reset view and loop'], ['?', 'this help (Esc closes)'], ['floor', 'one square is one metre']]) {
  const item = add(help, 'p');
  add(item, 'kbd', { textContent: keys });
  item.append(' ' + does);
}

// ---- verbs -----------------------------------------------------------------------------------------------------
const run = on => { playing = on && frames > 1; if (playing && time > to) time = from; before = 0; wake(); };
const go = frame => { playing = false; time = clamp(Math.round(frame), 0, end); wake(); };
const step = n => go(Math.floor(Math.min(time, end)) + n);
const mark = side => {
  const here = Math.floor(Math.min(time, end));
  if (side) { to = here; from = Math.min(from, to); } else { from = here; to = Math.max(to, from); }
  if (from === to) [from, to] = side ? [0, to || end] : [from < end ? from : 0, end];
  wake();
};
const reset = () => { home(); [from, to] = data.loop; wake(); };
const aid = (show = help.hidden) => { help.hidden = !show; (show ? help : canvas).focus(); };
const zoom = by => { view.zoom = clamp(view.zoom * by, 0.2, 12); wake(); };
const orbit = (dx, dy) => { view.turn -= dx; view.tilt = clamp(view.tilt + dy, 0.03, 1.55); wake(); };
const shift = (dx, dy) => {
  const k = away / focal, [right, up] = eye;
  view.pan = view.pan.map((x, i) => x - (dx * right[i] - dy * up[i]) * k);
  wake();
};
const wake = () => { asked = asked || requestAnimationFrame(tick); };
function tick(now) {
  asked = 0;
  if (playing && inSight && !document.hidden) {
    time += before ? Math.min(now - before, 100) / 1000 * fps * speed : 0;
    if (time >= to + 1) time = from + (time - from) % (to + 1 - from);
    before = now;
    wake();
  } else before = 0;
  draw();
}

// ---- drawing ---------------------------------------------------------------------------------------------------
const mixed = {};
const mix = (colour, k) => {
  const name = colour + k;
  if (!mixed[name]) mixed[name] = '#' + [1, 3, 5].map(i => [palette[colour], palette.paper].map(c => parseInt(c.substr(i, 2), 16)))
    .map(([x, y]) => Math.round(x + (y - x) * k / 20).toString(16).padStart(2, '0')).join('');
  return mixed[name];
};
const soft = document.createElement('canvas');
soft.width = soft.height = 64;
{
  const ink = soft.getContext('2d'), blur = ink.createRadialGradient(32, 32, 0, 32, 32, 32);
  [[0, 0.5], [0.35, 0.32], [0.7, 0.08], [1, 0]].forEach(([at, alpha]) => blur.addColorStop(at, 'rgba(0,0,0,' + alpha + ')'));
  ink.fillStyle = blur;
  ink.fillRect(0, 0, 64, 64);
}
const look = frame => {
  const [c, s, u, v] = [Math.cos(view.turn), Math.sin(view.turn), Math.cos(view.tilt), Math.sin(view.tilt)];
  const { mid, radius, tall } = room[+follow], t = Math.floor(frame), next = Math.min(t + 1, end), part = frame - t;
  eye = [[-s, c, 0], [-v * c, -v * s, u], [-u * c, -u * s, -v]];
  eye.spot = [0, 1].map(k => mid[k] + view.pan[k] + (follow ? middle[t * 2 + k] * (1 - part) + middle[next * 2 + k] * part : 0));
  eye.spot.push(data.floor + tall * 0.47 + view.pan[2]);
  focal = height * 1.9;
  const fit = Math.max(focal * radius / (0.44 * width), 1.9 * (tall * u + radius * v * 0.8) / 0.86) + radius * 0.4;
  away = (data.camera[2] || fit) / view.zoom;
};
// One point [x, y, z] to the screen: out[o], out[o + 1] in pixels, out[o + 2] how far away in metres.
const project = (x, y, z, out, o) => {
  const [right, up, ahead] = eye, [a, b, c] = eye.spot;
  x -= a; y -= b; z -= c;
  const far = Math.max(away + x * ahead[0] + y * ahead[1] + z * ahead[2], 0.05), k = focal / far;
  out[o] = width / 2 + (x * right[0] + y * right[1]) * k;
  out[o + 1] = height * 0.52 - (x * up[0] + y * up[1] + z * up[2]) * k;
  out[o + 2] = far;
};
const pose = (body, frame, out) => {
  const t = Math.min(Math.floor(frame), body.last), next = Math.min(t + 1, body.last), n = body.size * 3, part = frame - Math.floor(frame);
  for (let i = 0; i < n; i++) out[i] = body.at[t * n + i] * (1 - part) + body.at[next * n + i] * part;
};
const stroke = (x1, y1, x2, y2, w, colour) => {
  pen.lineWidth = w;
  pen.strokeStyle = colour;
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
};
const disc = (x, y, r, colour) => { pen.fillStyle = colour; pen.beginPath(); pen.arc(x, y, r, 0, 7); pen.fill(); };

function floor() {
  const reach = room[+follow].radius + 2.6, [cx, cy] = eye.spot, n = Math.ceil(reach), p = new Float32Array(6);
  const lines = Array.from({ length: 8 }, () => []);
  for (let i = -n; i <= n; i++) for (let k = -2 * n; k < 2 * n; k++) for (const swap of [0, 1]) {
    const a = Math.round(swap ? cy : cx) + i, b = Math.round(swap ? cx : cy) + k / 2;
    const ends = [[a, b], [a, b + 0.5]].map(e => (swap ? e.reverse() : e));
    const off = Math.hypot((ends[0][0] + ends[1][0]) / 2 - cx, (ends[0][1] + ends[1][1]) / 2 - cy) / reach;
    if (off >= 1) continue;
    ends.forEach(([x, y], o) => project(x, y, data.floor, p, o * 3));
    if (Math.min(p[2], p[5]) > 0.1) lines[Math.floor((1 - off * off) * 7.99)].push([p[0], p[1], p[3], p[4]]);
  }
  pen.lineWidth = 1;
  pen.lineCap = 'butt';
  pen.strokeStyle = palette.grid;
  lines.forEach((some, level) => {
    pen.globalAlpha = (level + 1) / 8;
    pen.beginPath();
    for (const [x1, y1, x2, y2] of some) { pen.moveTo(x1, y1); pen.lineTo(x2, y2); }
    pen.stroke();
  });
  pen.globalAlpha = 1;
}
function shadow(body) {
  const p = new Float32Array(3), squash = Math.sin(view.tilt) * 0.9 + 0.06;
  for (let o = 0; o < body.now.length; o += 3) {
    const high = Math.max(body.now[o + 2] - data.floor, 0);
    project(body.now[o], body.now[o + 1], data.floor, p, 0);
    const r = (0.11 + 0.09 * high) * focal / p[2];
    pen.globalAlpha = palette.shadow / (1 + 2.2 * high);
    pen.drawImage(soft, p[0] - r, p[1] - r * squash, 2 * r, 2 * r * squash);
  }
  pen.globalAlpha = 1;
}
function trail(body, who, frame) {
  const long = Math.round(fps * 1.2), start = Math.max(Math.floor(frame) - long, data.map ? from : 0), p = new Float32Array(6), colour = 'ab'[who];
  pen.lineCap = who ? 'butt' : 'round';
  for (const j of data.trails.joints[who]) for (let t = start; t < frame; t++) {
    if (who && t % 3 === 2) continue;
    for (const o of [0, 3]) {
      const i = (Math.min(t + o / 3, body.last) * body.size + j) * 3;
      project(body.at[i], body.at[i + 1], body.at[i + 2], p, o);
    }
    pen.globalAlpha = 0.75 * Math.max(1 - (frame - t) / long, 0);
    stroke(p[0], p[1], p[3], p[4], 0.018 * focal / p[2], palette[colour]);
  }
  pen.globalAlpha = 1;
}
function draw() {
  const frame = Math.min(time, data.map && time < to + 1 && playing ? to : end), whole = Math.floor(frame), items = [];
  look(frame);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = palette.paper;
  pen.fillRect(0, 0, width, height);
  floor();
  const scene = bodies.filter(b => !b.ghost || ghosts);
  for (const body of scene) {
    pose(body, frame, body.now);
    const { now, seen } = body;
    for (let o = 0; o < now.length; o += 3) project(now[o], now[o + 1], now[o + 2], seen, o);
    if (!body.ghost) shadow(body);
  }
  if (trails) dancers.forEach((d, who) => trail(d, who, frame));
  pen.lineCap = 'round';
  for (const body of scene) limbs(body, items);
  if (ties) state.edges = drawEdges(whole, items);
  items.sort((x, y) => y[0] - x[0]).forEach(item => item[1]());
  refresh(frame, whole);
}
function limbs(body, items) {
  const { seen, parents, thick, edged, hollow, ghost, head, torso } = body, colour = ghost ? 'ghost' : hollow ? 'b' : 'a';
  const room = 1.3, faded = far => (ghost ? 0 : Math.round(clamp((far - away) / room + 0.5, 0, 1) * 6));
  for (let j = 0; j < body.size; j++) {
    const x = seen[j * 3], y = seen[j * 3 + 1], far = seen[j * 3 + 2], w = thick[j] * focal / far * (ghost ? 0.7 : 1);
    const tint = mix(colour, faded(far)), i = parents[j] * 3;
    if (i >= 0 && !(head && head[0] === j)) items.push([(far + seen[i + 2]) / 2, () => {
      const px = seen[i], py = seen[i + 1];
      if (!ghost && edged[j]) {
        pen.lineCap = 'butt';
        const dx = (px - x) * 0.12, dy = (py - y) * 0.12;
        stroke(x + dx, y + dy, px - dx, py - dy, w + 3, palette.paper);
        pen.lineCap = 'round';
      }
      stroke(x, y, px, py, w, tint);
      if (hollow) stroke(x, y, px, py, w * 0.46, palette.paper);
    }]);
    if (!ghost && !(head && head[0] === j)) items.push([far - 0.03, () => {
      disc(x, y, w * (hollow ? 0.66 : 0.62), tint);
      if (hollow) disc(x, y, w * 0.34, palette.paper);
    }]);
  }
  if (torso && !ghost) {
    const far = torso.reduce((sum, j) => sum + seen[j * 3 + 2] / 4, 0);
    items.push([far + 0.12, () => {
      pen.lineJoin = 'round';
      pen.lineWidth = 0.09 * focal / far;
      pen.strokeStyle = pen.fillStyle = mix(colour, hollow ? 16 : 10);
      pen.beginPath();
      for (const j of torso) pen.lineTo(seen[j * 3], seen[j * 3 + 1]);
      pen.closePath();
      pen.stroke();
      pen.fill();
    }]);
  }
  if (!head) return;
  const [j, i, t] = head, p = [0, 1, 2].map(k => body.now[i * 3 + k] + t * (body.now[j * 3 + k] - body.now[i * 3 + k]));
  const out = [0, 0, 0], neck = seen.subarray(i * 3, i * 3 + 3);
  project(...p, out, 0);
  const r = 0.1 * focal / out[2], tint = mix(colour, faded(out[2]));
  items.push([out[2] - 0.02, () => {
    stroke(neck[0], neck[1], out[0], out[1], thick[j] * 1.3 * focal / out[2], tint);
    if (!ghost) disc(out[0], out[1], r + 1.5, palette.paper);
    disc(out[0], out[1], r, tint);
    if (hollow) disc(out[0], out[1], r * 0.72, palette.paper);
  }]);
}
function drawEdges(whole, items) {
  const [a, b] = dancers, n = ties.pairs.length, row = ties.moving ? whole * n : 0;
  let shown = 0;
  ties.pairs.forEach(([i, j], e) => {
    const weight = weights[row + e] / 255;
    if (weight < threshold - 0.002) return;
    shown++;
    const p = a.seen.subarray(i * 3, i * 3 + 3), q = b.seen.subarray(j * 3, j * 3 + 3), far = (p[2] + q[2]) / 2;
    items.push([far, () => {
      pen.globalAlpha = 0.35 + 0.6 * weight;
      stroke(p[0], p[1], q[0], q[1], Math.max((0.006 + 0.012 * weight) * focal / far, 0.8), palette.string);
      const way = ties.ways[e];
      if (way) {
        const [s, g] = way > 0 ? [p, q] : [q, p], turn = Math.atan2(g[1] - s[1], g[0] - s[0]), r = 0.045 * focal / far;
        const x = s[0] + (g[0] - s[0]) * 0.62, y = s[1] + (g[1] - s[1]) * 0.62;
        pen.fillStyle = palette.string;
        pen.beginPath();
        for (const k of [0, 2.5, -2.5]) pen.lineTo(x + r * Math.cos(turn + k), y + r * Math.sin(turn + k));
        pen.fill();
      }
      pen.globalAlpha = 1;
    }]);
  });
  return shown;
}
const shown = {};
const put = (show, field, value) => { if (shown[field] !== value) { shown[field] = value; show(value); } };
function refresh(frame, whole) {
  // What this page says of itself, so that a test waits for a state and never for seconds.
  const phase = !playing ? 'paused' : inSight && !document.hidden ? 'playing' : 'resting';
  Object.assign(state, { frame: whole, playing, phase, draws: ++draws, turn: view.turn.toFixed(4), tilt: view.tilt.toFixed(4), away: away.toFixed(4),
    loop: from + '-' + to, follow, threshold });
  put(x => { scrub.value = x; scrub.setAttribute('aria-valuetext', (x / fps).toFixed(2) + ' seconds'); }, 'frame', whole);
  put(x => { clock.textContent = x; }, 'clock', 'frame ' + whole + ' of ' + end + ' \u00b7 ' + (whole / fps).toFixed(2) + ' of ' + (end / fps).toFixed(2) + ' s');
  put(x => { play.innerHTML = icon(x ? PAUSE : PLAY); play.setAttribute('aria-label', x ? 'Pause' : 'Play'); }, 'play', playing);
  put(x => scrub.style.setProperty('--track', x), 'loop', 'linear-gradient(90deg,var(--grid) ' + from / end * 100 + '%,var(--ghost) 0 ' + to / end * 100 + '%,var(--grid) 0)');
  put(x => { pace.value = x; }, 'speed', speed);
  put(x => following.setAttribute('aria-pressed', x), 'follow', follow);
  put(x => trailing.setAttribute('aria-pressed', x), 'trails', trails);
  if (haunting) put(x => { haunting.setAttribute('aria-pressed', x); ghostKey.hidden = !x; }, 'ghost', ghosts);
  if (data.map) put(here, 'here', Math.floor(whole / data.map.length));
  if (ties) put(x => { cut.value = x; cutAt.textContent = x > 1 ? 'none' : x.toFixed(2); }, 'cut', threshold);
}

// ---- hands: mouse, touch, keys ---------------------------------------------------------------------------------
const held = new Map();
// Two fingers that move together scroll what the player stands in; where that is out of reach, they move the view.
const scroller = () => {
  let box = host && frameElement;
  while (box && box.parentElement && !(box.scrollHeight > box.clientHeight && /auto|scroll/.test(getComputedStyle(box).overflowY))) box = box.parentElement;
  return box;
};
canvas.addEventListener('pointerdown', e => { held.set(e.pointerId, [e.screenX, e.screenY]); canvas.setPointerCapture(e.pointerId); });
canvas.addEventListener('pointermove', e => {
  if (!held.has(e.pointerId)) return;
  const now = [e.screenX, e.screenY], old = held.get(e.pointerId), dx = now[0] - old[0], dy = now[1] - old[1], others = [...held].filter(([id]) => id !== e.pointerId);
  held.set(e.pointerId, now);
  if (others.length) {
    const [, [x, y]] = others[0], around = scroller();
    zoom(Math.hypot(now[0] - x, now[1] - y) / Math.max(Math.hypot(old[0] - x, old[1] - y), 1));
    shift(dx / 2, around ? 0 : dy / 2);
    if (around) around.scrollBy({ top: -dy / 2, behavior: 'instant' });
  } else if (e.shiftKey || e.buttons & 4) shift(dx, dy);
  else orbit(dx * 0.008, dy * 0.006);
});
for (const name of ['pointerup', 'pointercancel']) canvas.addEventListener(name, e => held.delete(e.pointerId));
canvas.addEventListener('dblclick', () => run(!playing));
canvas.addEventListener('wheel', e => {
  // The page scrolls past an untouched player; only one that was clicked, or ctrl, takes the wheel.
  if (!(e.ctrlKey || document.hasFocus() && document.activeElement === canvas)) return;
  e.preventDefault();
  zoom(Math.exp(-clamp(e.deltaY, -200, 200) * 0.002));
}, { passive: false });
scrub.oninput = () => go(+scrub.value);
const faster = n => { speed = paces[clamp(paces.indexOf(speed) + n, 0, paces.length - 1)]; wake(); };
const keys = { ' ': () => run(!playing), ArrowLeft: e => (e.shiftKey ? orbit(-0.1, 0) : step(-1)), ArrowRight: e => (e.shiftKey ? orbit(0.1, 0) : step(1)),
  ArrowUp: e => (e.shiftKey ? orbit(0, 0.08) : faster(1)), ArrowDown: e => (e.shiftKey ? orbit(0, -0.08) : faster(-1)),
  Home: () => go(from), End: () => go(to), '[': () => mark(0), ']': () => mark(1), '+': () => zoom(1.15), '=': () => zoom(1.15), '-': () => zoom(1 / 1.15),
  f: () => following.click(), g: () => haunting && haunting.click(), t: () => trailing.click(), r: reset, '?': () => aid(), Escape: () => help.hidden || aid(false) };
document.addEventListener('keydown', e => {
  const own = e.target === cut || e.target === pace;
  if (e.ctrlKey || e.metaKey || e.altKey || !keys[e.key] || own && e.key.length > 1) return;
  if (e.target.tagName === 'BUTTON' && e.key === ' ') return;
  e.preventDefault();
  keys[e.key](e);
});

// ---- surroundings: size, theme, out of sight -------------------------------------------------------------------
const dark = matchMedia('(prefers-color-scheme: dark)');
let host = null;
try { host = parent !== window && parent.document; } catch { host = null; }
// The page around knows best (the book's switch, JupyterLab, VS Code, Colab); else what the system prefers.
const theme = () => {
  let said = '';
  if (host) {
    const { documentElement: top, body } = host;
    said = [top.dataset.theme, top.getAttribute('theme'), body.dataset.vscodeThemeKind].join(' ');
    if (body.dataset.jpThemeLight) said = body.dataset.jpThemeLight === 'true' ? 'light' : 'dark';
  }
  state.theme = /dark|high-contrast(?!-light)/.test(said) ? 'dark' : /light/.test(said) ? 'light' : dark.matches ? 'dark' : 'light';
  palette = data.palette[state.theme];
  for (const name in mixed) delete mixed[name];
  for (const name in palette) root.style.setProperty('--' + name, palette[name]);
  wake();
};
const fit = () => {
  ratio = Math.min(devicePixelRatio || 1, 2);
  width = stage.clientWidth || 1;
  height = stage.clientHeight || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  // A canvas is blank after a change of size; do not leave it so until the next frame.
  if (palette) draw();
};
theme();
fit();
dark.addEventListener('change', theme);
if (host) for (const node of [host.documentElement, host.body]) new MutationObserver(theme).observe(node, { attributes: true });
new ResizeObserver(fit).observe(stage);
new IntersectionObserver(([seen]) => { inSight = seen.isIntersecting; wake(); }).observe(canvas);
document.addEventListener('visibilitychange', wake);
})();
