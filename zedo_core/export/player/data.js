"use strict";

// Decoding the result. A series is one value over all frames; each array holds series after series.

const DATA = JSON.parse(document.getElementById("data").textContent);
const FRAMES = DATA.frames, PEOPLE = DATA.people.length, JOINTS = DATA.joints.length, GHOSTS = DATA.ghosts;
const ABSENT = -32768;
const READ = {};

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const found = atob(text), bytes = new Uint8Array(found.length);
  for (let i = 0; i < found.length; i++) bytes[i] = found.charCodeAt(i);
  return bytes;
}

async function inflate(text) {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Differences of consecutive values of all series: all low bytes, then all high bytes.
async function unpack16(text) {
  const bytes = await inflate(text), count = bytes.length / 2, values = new Int16Array(count);
  for (let start = 0; start < count; start += FRAMES) {
    let value = 0;
    for (let i = start; i < start + FRAMES; i++) {
      value = (value + bytes[i] + 256 * bytes[count + i]) & 0xffff;
      values[i] = value;
    }
  }
  return values;
}

async function unpack() {
  const { blobs } = DATA;
  for (const name of ["chosen", "ghosts", "pixels"]) READ[name] = blobs[name] ? await unpack16(blobs[name]) : null;
  for (const name of ["spread", "doubtful", "filled"]) READ[name] = await inflate(blobs[name]);
  for (const name of ["times", "camera"]) READ[name] = new Float32Array((await inflate(blobs[name])).buffer);
  for (const name of ["error"]) READ[name] = new Uint16Array((await inflate(blobs[name])).buffer);
  for (const name of ["numbers"]) READ[name] = new Int32Array((await inflate(blobs[name])).buffer);
}

function point(values, series, frame) {
  const i = 3 * series * FRAMES + frame, x = values[i];
  return x === ABSENT ? null : [x * DATA.unit_m, values[i + FRAMES] * DATA.unit_m, values[i + 2 * FRAMES] * DATA.unit_m];
}

const body = (person, frame) => DATA.joints.map((_, j) => point(READ.chosen, person * JOINTS + j, frame));
const ghost = (person, k, frame) => DATA.joints.map((_, j) => point(READ.ghosts, (person * GHOSTS + k) * JOINTS + j, frame));
const present = (person, frame) => READ.error[person * FRAMES + frame] !== 0xffff;
const doubtful = (person, frame) => READ.doubtful[person * FRAMES + frame] === 1;
const filled = (person, frame) => READ.filled[person * FRAMES + frame] === 1;
const errorOf = (person, frame) => READ.error[person * FRAMES + frame];

function spreadOf(person, joint, frame) {
  const value = READ.spread[(person * JOINTS + joint) * FRAMES + frame];
  return value === 255 ? null : value * DATA.spread_unit_m;
}

function pixelOf(person, joint, frame) {
  const i = 2 * (person * JOINTS + joint) * FRAMES + frame, x = READ.pixels[i];
  return x === ABSENT ? null : [x * DATA.pixel_unit, READ.pixels[i + FRAMES] * DATA.pixel_unit];
}

// fx, fy, cx, cy, width and height in pixels: of the one camera, or of each picture's own.
const intrinsicsAt = frame => (DATA.all_intrinsics ? DATA.all_intrinsics[frame] : DATA.intrinsics);

function rootOf(person, frame) {
  const found = DATA.root.map(j => point(READ.chosen, person * JOINTS + j, frame)).filter(p => p);
  return found.length ? scaled(found.reduce(plus), 1 / found.length) : null;
}

// The last frame that begins at or before this time.
function frameAt(seconds) {
  let low = 0, high = FRAMES - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (READ.times[middle] <= seconds) low = middle; else high = middle - 1;
  }
  return low;
}

// Small vectors

const plus = (a, b) => a.map((x, i) => x + b[i]);
const minus = (a, b) => a.map((x, i) => x - b[i]);
const scaled = (a, k) => a.map(x => x * k);
const dot = (a, b) => a.reduce((total, x, i) => total + x * b[i], 0);
const norm = a => Math.sqrt(dot(a, a));
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const clamp = (x, low, high) => Math.min(high, Math.max(low, x));
const mixed = (a, b, k) => a.map((x, i) => x + k * (b[i] - x));
