// User interaction, playback, and scheduling of drawing

const $ = id => document.getElementById(id);
const root = document.documentElement, seek = $("seek"), lanes = $("lanes"), video = document.querySelector("#video video"), overlay = document.querySelector("#video canvas");
const state = { frame: 0, seconds: 0, playing: false, speed: 1, person: -1, hasVideo: false, layers: { ghosts: true, spread: true, path: true, floor: true, follow: false, spin: false } };
const STEP = Math.PI / 36, SPIN = 0.35;
const SPEEDS = [...$("speed").options].map(option => Number(option.value));
let planned = false, last = 0, stale = true;

const follows = () => state.layers.follow;
const shownPeople = () => (state.person < 0 ? DATA.people.map((_, p) => p) : [state.person]);

// Drawing

function canvasOf(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas, ratio = Math.min(window.devicePixelRatio || 1, 3);
  const wanted = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wanted[0] || canvas.height !== wanted[1]) [canvas.width, canvas.height] = wanted;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}

function refresh() {
  const { context, width, height } = canvasOf(stage);
  aim();
  if (width && height) paint(context, width, height, state.frame, { ...state.layers, people: shownPeople() });
  if (state.hasVideo) paintOverlay();
  updateStatus();
  stale = false;
  stage.dataset.drawn = Number(stage.dataset.drawn || 0) + 1;
}

// Point the eye at the centre of the scene, or of the people shown.
function aim() {
  if (!follows()) { eye.pivot = bounds.middle; return; }
  const roots = shownPeople().map(p => rootOf(p, state.frame)).filter(p => p);
  if (roots.length) eye.pivot = scaled(roots.reduce(plus), 1 / roots.length);
}

// The projected people on the video: outlined where doubtful, dashed where interpolated.
function paintOverlay() {
  const { context, width, height } = canvasOf(overlay), [, , , , w, h] = DATA.intrinsics;
  context.clearRect(0, 0, width, height);
  if (!READ.pixels || !width) return;
  const fit = Math.min(width / w, height / h), left = (width - w * fit) / 2, above = (height - h * fit) / 2;
  context.lineCap = "round";
  for (const p of shownPeople()) {
    const ends = DATA.joints.map((_, j) => { const at = pixelOf(p, j, state.frame); return at && { x: left + (at[0] + 0.5) * fit, y: above + (at[1] + 0.5) * fit }; });
    const thick = Math.max(2, Math.min(width, height) / 130), gap = filled(p, state.frame), unsure = doubtful(p, state.frame) && !gap;
    context.setLineDash(gap ? [2 * thick, 2.5 * thick] : []);
    if (!gap) for (const [child, parent] of DATA.bones) line(context, ends[child], ends[parent], unsure ? "#ff5c8d" : "#0a0b0e", thick + (unsure ? 5 : 2), unsure ? 1 : 0.7);
    for (const [child, parent] of DATA.bones) line(context, ends[child], ends[parent], { left: "#48a8ff", right: "#ff8048", centre: "#eceef2" }[DATA.joints[child].side], thick, gap ? 0.7 : 1);
    context.setLineDash([]);
    const top = ends.filter(end => end).sort((a, b) => a.y - b.y)[0];
    if (top && PEOPLE > 1) paintPill(context, { x: clamp(top.x, left + 18, left + w * fit - 18), y: clamp(top.y - 18, above + 11, above + h * fit - 11) }, p);
  }
}

// One lane per person: present, doubtful, and, faintly, interpolated frames.
function paintLanes() {
  const { context, width, height } = canvasOf(lanes), rows = Math.max(1, PEOPLE), gap = 2, tall = (height - gap * (rows - 1)) / rows;
  context.clearRect(0, 0, width, height);
  const scale = width / Math.max(1, FRAMES);
  for (let p = 0; p < PEOPLE; p++) {
    const y = p * (tall + gap), quiet = state.person >= 0 && state.person !== p;
    context.globalAlpha = 0.25;
    context.fillStyle = colours.grid;
    context.fillRect(0, y, width, tall);
    runs(frame => (present(p, frame) ? (filled(p, frame) ? 3 : doubtful(p, frame) ? 2 : 1) : 0), (kind, from, to) => {
      context.globalAlpha = quiet ? 0.25 : [0, 0.7, 1, 0.35][kind];
      context.fillStyle = kind === 2 ? colours.warn : personColour(p);
      context.fillRect(from * scale, y, Math.max(1, (to - from) * scale), tall);
    });
  }
}

function runs(kindOf, onRun) {
  for (let from = 0, frame = 1; frame <= FRAMES; frame++) {
    if (frame < FRAMES && kindOf(frame) === kindOf(from)) continue;
    if (kindOf(from)) onRun(kindOf(from), from, frame);
    from = frame;
  }
}

const clock = seconds => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(2).padStart(5, "0")}`;

function updateStatus() {
  const { frame } = state, begin = READ.times[0], end = READ.times[FRAMES - 1];
  const now = READ.times[frame] - begin, number = READ.numbers[frame];
  $("time").replaceChildren(make("b", {}, clock(now)), ` / ${clock(end - begin)}`, make("span", {}, ` · frame ${number}`));
  seek.value = frame;
  const gaps = shownPeople().filter(p => filled(p, frame)), unsure = shownPeople().filter(p => doubtful(p, frame) && !filled(p, frame));
  const words = [unsure.length ? ", doubtful" : "", gaps.length ? ", interpolated" : ""].join("");
  seek.setAttribute("aria-valuetext", `frame ${number}, ${now.toFixed(2)} seconds${words}`);
  $("warning").hidden = !words;
  if (words) {
    const named = (p, what) => `${DATA.people.length > 1 ? `person ${DATA.people[p].id}: ` : ""}${what}`;
    const reasons = [...unsure.map(p => named(p, `expected error ${errorOf(p, frame)} mm`)), ...gaps.map(p => named(p, "interpolated in a gap"))];
    $("warning").replaceChildren(make("b", {}, unsure.length ? "⚠ Doubtful" : "Not observed"), ` — ${reasons.join(", ")}`);
  }
  const degrees = x => Math.round(x * 180 / Math.PI);
  Object.assign(stage.dataset, { frame, number, heading: ((degrees(eye.heading) + 180) % 360 + 360) % 360 - 180, tilt: degrees(eye.tilt), zoom: eye.zoom.toFixed(2), view: eye.asCamera ? "camera" : "free", person: state.person, playing: state.playing });
}

// Time

function plan() {
  if (!planned) { planned = true; requestAnimationFrame(tick); }
}

function redraw() { stale = true; plan(); }

function tick(now) {
  planned = false;
  const passed = Math.min(0.25, (now - last) / 1000);
  last = now;
  if (state.playing) advance(passed);
  if (state.layers.spin && !eye.asCamera) { eye.heading += SPIN * passed; stale = true; }
  if (stale) refresh();
  if (state.playing || state.layers.spin) plan();
}

function advance(passed) {
  const begin = READ.times[0], end = READ.times[FRAMES - 1] + DATA.frame_s;
  const followsVideo = state.hasVideo && !video.paused;  // its clock keeps both in step
  state.seconds = followsVideo ? video.currentTime : state.seconds + passed * state.speed;
  if (state.seconds >= end || (state.hasVideo && video.ended)) { state.seconds = begin; seekVideo(); if (state.hasVideo) video.play().catch(() => {}); }
  const frame = frameAt(state.seconds + 1e-4);
  if (frame !== state.frame) { state.frame = frame; stale = true; }
}

function play(wanted) {
  state.playing = wanted && FRAMES > 1;
  last = performance.now();
  $("play").classList.toggle("playing", state.playing);
  $("play").setAttribute("aria-label", state.playing ? "Pause" : "Play");
  if (state.hasVideo) {
    if (state.playing) { seekVideo(); video.playbackRate = state.speed; video.play().catch(() => {}); } else { video.pause(); seekVideo(); }
  }
  redraw();
}

function go(frame) {
  state.frame = clamp(Math.round(frame), 0, FRAMES - 1);
  state.seconds = READ.times[state.frame];
  seekVideo();
  redraw();
}

// A quarter of a frame past its beginning, which might round to the previous frame.
function seekVideo() {
  if (state.hasVideo) video.currentTime = Math.max(0, state.seconds + 0.25 * DATA.frame_s);
}

function step(by) { play(false); go(state.frame + by); }

function setSpeed(speed) {
  state.speed = speed;
  $("speed").value = String(speed);
  if (state.hasVideo) video.playbackRate = speed;
}

// Selection of people, layers and views

function choose(person) {
  state.person = person < PEOPLE ? person : -1;
  bounds.apart = apart(shownPeople());
  [...$("people").children].forEach((button, i) => {
    const now = i - 1 === state.person;
    button.setAttribute("aria-checked", now);
    button.tabIndex = now ? 0 : -1;
  });
  paintLanes();
  redraw();
}

function toggle(name) {
  const button = document.querySelector(`[data-layer=${name}]`);
  if (button.hidden) return;
  state.layers[name] = !state.layers[name];
  button.setAttribute("aria-pressed", state.layers[name]);
  if (name === "follow" || name === "spin") leaveCamera();
  redraw();
}

const VIEWS = { front: [0, 0.08], side: [Math.PI / 2, 0.08], top: [0, STEEPEST] };

function look(name) {
  eye.asCamera = name === "camera";
  if (!eye.asCamera) { [eye.heading, eye.tilt] = VIEWS[name]; eye.zoom = 1; }
  mark(name);
  redraw();
}

function mark(name) {
  document.querySelectorAll("#views button").forEach(button => {
    button.classList.toggle("now", button.dataset.view === name);
    button.setAttribute("aria-pressed", button.dataset.view === name);
  });
}

// Rotation begins at the camera's viewpoint.
function leaveCamera() {
  if (!eye.asCamera) return;
  const { forward } = cameraAt(state.frame);
  eye.heading = Math.atan2(-forward[0], -forward[2]);
  eye.tilt = clamp(Math.asin(clamp(-forward[1], -1, 1)), -STEEPEST, STEEPEST);
  eye.asCamera = false;
  mark("");
}

function turn(heading, tilt) {
  leaveCamera();
  eye.heading += heading;
  eye.tilt = clamp(eye.tilt + tilt, -STEEPEST, STEEPEST);
  mark("");
  redraw();
}

function zoom(factor) {
  leaveCamera();
  eye.zoom = clamp(eye.zoom * factor, 0.2, 20);
  redraw();
}

function reset() {
  Object.assign(eye, { heading: 0.45, tilt: 0.2, zoom: 1, asCamera: false });
  mark("");
  redraw();
}

// Mouse, finger, keyboard

function listen() {
  const pointers = new Map();
  const gap = () => { const [a, b] = [...pointers.values()]; return Math.hypot(a[0] - b[0], a[1] - b[1]); };
  stage.addEventListener("pointerdown", event => {
    if (event.button) return;
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
  });
  stage.addEventListener("pointermove", event => {
    const from = pointers.get(event.pointerId);
    if (!from) return;
    const before = pointers.size === 2 ? gap() : 0;
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    const share = 0.009 / pointers.size;
    turn(-share * (event.clientX - from[0]), share * (event.clientY - from[1]));
    if (before) zoom(gap() / before);
  });
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, event => pointers.delete(event.pointerId));
  stage.addEventListener("wheel", event => {
    event.preventDefault();
    const speed = event.ctrlKey ? 0.01 : 0.0015;        // browsers report a pinch on a trackpad as a wheel with Ctrl
    zoom(Math.exp(-speed * event.deltaY * (event.deltaMode ? 20 : 1)));
  }, { passive: false });
  stage.addEventListener("dblclick", reset);
  document.addEventListener("keydown", press);
  let resume = false;
  seek.addEventListener("pointerdown", () => { resume = state.playing; play(false); });
  seek.addEventListener("input", () => go(Number(seek.value)));
  seek.addEventListener("change", () => { if (resume) play(true); resume = false; });
  $("play").addEventListener("click", () => play(!state.playing));
  $("back").addEventListener("click", () => step(-1));
  $("on").addEventListener("click", () => step(1));
  $("speed").addEventListener("change", () => setSpeed(Number($("speed").value)));
  $("theme").addEventListener("click", nextTheme);
  $("about").addEventListener("click", () => help($("help").hidden));
  document.querySelectorAll("[data-layer]").forEach(button => button.addEventListener("click", () => toggle(button.dataset.layer)));
  document.querySelectorAll("[data-view]").forEach(button => button.addEventListener("click", () => look(button.dataset.view)));
  new ResizeObserver(() => { paintLanes(); redraw(); }).observe($("room"));
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select")) return;
  const button = event.target.closest("button");
  const actions = {
    ",": () => step(-1), ".": () => step(1), "+": () => zoom(1.15), "=": () => zoom(1.15), "-": () => zoom(1 / 1.15), "0": reset,
    "[": () => setSpeed(SPEEDS[Math.max(0, SPEEDS.indexOf(state.speed) - 1)]), "]": () => setSpeed(SPEEDS[Math.min(SPEEDS.length - 1, SPEEDS.indexOf(state.speed) + 1)]),
    a: () => choose(-1), g: () => toggle("ghosts"), u: () => toggle("spread"), p: () => toggle("path"), o: () => toggle("floor"), f: () => toggle("follow"), s: () => toggle("spin"),
    t: nextTheme, v: nextView, "?": () => help($("help").hidden), Escape: () => help(false),
  };
  for (let k = 1; k <= Math.min(9, PEOPLE); k++) actions[k] = () => choose(k - 1);
  if (!button) actions[" "] = () => play(!state.playing);
  if (button && button.parentNode === $("people")) {
    const move = by => { choose((state.person + 1 + by + PEOPLE + 1) % (PEOPLE + 1) - 1); $("people").querySelector("[aria-checked=true]").focus(); };
    Object.assign(actions, { ArrowRight: () => move(1), ArrowLeft: () => move(-1) });
  } else {
    Object.assign(actions, event.shiftKey
      ? { ArrowLeft: () => turn(STEP, 0), ArrowRight: () => turn(-STEP, 0), ArrowUp: () => turn(0, -STEP), ArrowDown: () => turn(0, STEP) }
      : { ArrowLeft: () => step(-1), ArrowRight: () => step(1), Home: () => step(-FRAMES), End: () => step(FRAMES) });
  }
  const action = actions[event.key] || actions[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
}

function nextView() {
  const names = [...document.querySelectorAll("#views button")].filter(b => !b.hidden).map(button => button.dataset.view);
  const now = document.querySelector("#views .now");
  look(names[(names.indexOf(now ? now.dataset.view : "") + 1) % names.length]);
}

// Colours, help

const THEMES = ["auto", "light", "dark"], dark = matchMedia("(prefers-color-scheme: dark)");
let theme = "auto";

function applyTheme() {
  root.dataset.theme = theme === "auto" ? (dark.matches ? "dark" : "light") : theme;
  root.style.colorScheme = root.dataset.theme;
  $("theme").textContent = { auto: "◐", light: "☀", dark: "☾" }[theme];
  $("theme").setAttribute("aria-label", `Colours: ${theme === "auto" ? "system" : theme}`);
  readColours();
  for (const dot of document.querySelectorAll("[data-dot]")) dot.style.background = personColour(Number(dot.dataset.dot));
  for (const key of document.querySelectorAll("[data-key]")) key.style.background = colours[key.dataset.key];
  if (READ.times) { paintLanes(); redraw(); }
}

function nextTheme() {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  applyTheme();
}

function help(open) {
  $("help").hidden = !open;
  $("about").setAttribute("aria-expanded", open);
  (open ? $("help") : $("about")).focus({ preventScroll: true });
}

// Setting up

function make(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function setUpPeople() {
  const box = $("people");
  box.hidden = PEOPLE < 2 || DATA.unrelated;
  const chip = (person, ...inside) => {
    const button = make("button", { type: "button", onclick: () => choose(person) }, ...inside);
    button.setAttribute("role", "radio");
    return button;
  };
  box.append(chip(-1, "All"), ...DATA.people.map(({ id }, p) => {
    const dot = make("span", { className: "dot" });
    dot.dataset.dot = p;
    return chip(p, dot, make("span", { className: "unseen" }, "person "), `${id}`);
  }));
}

function setUpHelp() {
  const rows = entries => make("dl", {}, ...entries.flatMap(([name, value]) => [make("dt", {}, ...[name].flat()), make("dd", {}, ...[value].flat())]));
  const keys = text => text.split(" ").flatMap(key => [make("kbd", {}, key), " "]);
  const colour = name => { const key = make("span", { className: "key" }); key.dataset.key = name; return key; };
  $("help").append(
    make("h2", {}, "Navigation"),
    rows([["drag, one finger", "rotate"], ["wheel, two fingers", "zoom"], ["double click, double tap", "reset"], [keys("space"), "play, pause"], [keys("← →"), "one frame back, forward"], [keys("Home End"), "first, last frame"], [keys("[ ]"), "slower, faster"],
      [[...keys("Shift"), ...keys("← → ↑ ↓")], "rotate"], [keys("+ − 0"), "zoom, reset"], [keys("V"), "next view"], [keys("1 … 9"), "one person"], [keys("A"), "all people"], [keys("G U P O F S T"), "ghosts, uncertainty, path, floor, follow, rotate, colours"]]),
    make("h2", {}, "What is shown"),
    rows([[colour("left"), "left limbs"], [colour("right"), "right limbs"], [colour("centre"), "trunk and head"], [colour("warn"), "doubtful: " + DATA.doubt], ["dashed", "interpolated in a gap"],
      ["ghosts", GHOSTS ? `the ${GHOSTS === 1 ? "next best hypothesis" : `${GHOSTS} next best hypotheses`} of ${DATA.hypotheses}` : "none in this file"], ["circles", "expected error of each joint"], ["floor", "squares of 0.5 m, with stronger lines every metre; 1 or 2 m in large scenes"]]),
    make("h2", {}, "This result"), rows(DATA.facts));
}

async function setUpVideo() {
  const source = DATA.video;
  if (!source) return;
  const content = document.getElementById("video-data").textContent;
  $("video").hidden = false;
  root.style.setProperty("--aspect", String(DATA.intrinsics[4] / DATA.intrinsics[5]));
  const failed = () => {
    state.hasVideo = false;
    const note = $("video").querySelector(".note");
    note.hidden = false;
    note.textContent = source.embedded ? "This browser cannot play the embedded video; the 3D view plays without it." : `The video ${source.name} could not be played; it is expected at ${source.path}, relative to this page.`;
    redraw();
  };
  video.addEventListener("error", failed, { once: true });
  video.addEventListener("loadeddata", () => { state.hasVideo = true; $("video").dataset.ready = true; seekVideo(); if (state.playing) play(true); redraw(); }, { once: true });
  video.addEventListener("seeked", redraw);
  video.src = source.embedded ? URL.createObjectURL(new Blob([bytesOf(content)], { type: source.type })) : source.path;
}

async function start() {
  setUpPeople();
  setUpHelp();
  $("facts").textContent = DATA.summary;
  root.style.setProperty("--lanes", `${Math.max(22, Math.min(6, PEOPLE) * 10)}px`);
  applyTheme();
  try {
    await unpack();
  } catch (error) {
    $("loading").textContent = `This browser cannot decode the poses (${error.message}); use a newer one.`;
    throw error;
  }
  $("loading").hidden = true;
  seek.max = FRAMES - 1;
  state.seconds = READ.times[0];
  document.querySelector("[data-layer=ghosts]").hidden = !GHOSTS;
  document.querySelector("[data-layer=spread]").hidden = !DATA.has_spread;
  if (DATA.unrelated) { toggle("path"); document.querySelector("[data-layer=path]").hidden = true; }  // of nobody
  if (FRAMES < 2) for (const id of ["play", "back", "on", "speed"]) $(id).disabled = true;
  measure();
  if (bounds.reach > 2 && 1.15 + bounds.apart < 0.6 * bounds.radius) toggle("follow");
  choose(-1);
  mark("");
  listen();
  dark.addEventListener("change", applyTheme);
  refresh();
  setUpVideo();
}

start();
