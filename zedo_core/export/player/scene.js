// The scene: the viewpoint (`eye`), the floor, the people. World axes: y up, floor at 0, metres.

const STEEPEST = 1.52;                  // largest tilt in radians, almost straight down
const FIELD = 0.62;                     // field of view of the smaller side in radians
const NEAR_M = 0.15;
// Half width in metres of the limb that ends in a joint; 0.035 for others.
const GIRTH = [["hip", 0.055], ["knee", 0.062], ["ankle", 0.043], ["spine", 0.075], ["thorax", 0.082], ["neck", 0.045],
  ["head", 0.075], ["shoulder", 0.048], ["elbow", 0.042], ["wrist", 0.034]];
const girth = DATA.joints.map(({ name }) => (GIRTH.find(([part]) => name.includes(part)) || ["", 0.035])[1]);
const NAMES = ["left", "right", "centre", "rim", "grid", "shadow", "warn", "pale", "text", "soft", "card", "accent", ...[0, 1, 2, 3, 4, 5].map(i => `person-${i}`)];
const stage = document.getElementById("stage");
const eye = { heading: 0.45, tilt: 0.2, zoom: 1, pivot: [0, 1, 0], asCamera: false };
let colours = {}, bounds = { middle: [0, 1, 0], radius: 1.5, reach: 2, apart: 0 };

const personColour = p => colours[`person-${p % 6}`];

function readColours() {
  const style = getComputedStyle(document.documentElement);
  colours = Object.fromEntries(NAMES.map(name => [name, style.getPropertyValue(`--${name}`).trim()]));
}

// Interpolate between two colours #rrggbb.
function blend(a, b, k) {
  const part = (text, i) => parseInt(text.slice(1 + 2 * i, 3 + 2 * i), 16);
  return `rgb(${[0, 1, 2].map(i => Math.round(part(a, i) + k * (part(b, i) - part(a, i)))).join(",")})`;
}

// The extent of the people, which views are fitted to; the outermost 1 % on either side is ignored.
function measure() {
  const places = [[], [], []], step = Math.max(1, Math.floor(FRAMES / 600));
  let tallest = 0;
  for (let frame = 0; frame < FRAMES; frame += step) {
    for (let p = 0; p < PEOPLE; p++) {
      for (const joint of body(p, frame)) if (joint) joint.forEach((x, k) => places[k].push(x));
    }
  }
  if (!places[0].length) return;
  const box = places.map(values => {
    values.sort((a, b) => a - b);
    return [values[Math.floor(0.01 * (values.length - 1))], values[Math.ceil(0.99 * (values.length - 1))]];
  });
  tallest = Math.max(0.5, box[1][1]);
  const middle = [(box[0][0] + box[0][1]) / 2, tallest / 2, (box[2][0] + box[2][1]) / 2];
  const reach = Math.hypot(box[0][1] - box[0][0], box[2][1] - box[2][0]) / 2;
  bounds = { middle, reach, apart: apart(shownPeople()), radius: clamp(Math.hypot(reach, tallest / 2), 0.4, 40), tallest };
}

// The viewpoint: position, axes (right, down, forward), focal length and principal point in CSS pixels.
function lens(width, height, frame) {
  const least = Math.min(width, height);
  if (eye.asCamera) {
    const place = cameraAt(frame), [fx, fy, cx, cy, w, h] = intrinsicsAt(frame);
    const fit = Math.min(width / w, height / h);
    return { ...place, focal: [fx * fit, fy * fit], centre: [width / 2 + (cx - w / 2) * fit, height / 2 + (cy - h / 2) * fit] };
  }
  const { heading, tilt, pivot } = eye, focal = least / 2 / Math.tan(FIELD / 2);
  const forward = [-Math.sin(heading) * Math.cos(tilt), -Math.sin(tilt), -Math.cos(heading) * Math.cos(tilt)];
  const right = [Math.cos(heading), 0, -Math.sin(heading)];
  return { at: minus(pivot, scaled(forward, distance())), right, down: cross(forward, right), forward, focal: [focal, focal], centre: [width / 2, height / 2] };
}

// 90th percentile over frames of the largest distance in metres of the shown people from their centre.
function apart(people) {
  const step = Math.max(1, Math.floor(FRAMES / 300)), reaches = [];
  for (let frame = 0; frame < FRAMES; frame += step) {
    const roots = people.map(p => rootOf(p, frame)).filter(root => root);
    if (!roots.length) continue;
    const middle = scaled(roots.reduce(plus), 1 / roots.length);
    reaches.push(Math.max(...roots.map(root => norm(minus(root, middle)))));
  }
  return reaches.sort((a, b) => a - b)[Math.floor(0.9 * (reaches.length - 1))] || 0;
}

const fitted = () => (follows() ? 1.15 + bounds.apart : bounds.radius) / Math.sin(FIELD / 2) * 1.08;
const distance = () => fitted() / eye.zoom;

function cameraAt(frame) {
  const i = 12 * (READ.camera.length > 12 ? frame : 0), m = READ.camera;
  const column = k => [m[i + k], m[i + 3 + k], m[i + 6 + k]];
  return { at: [m[i + 9], m[i + 10], m[i + 11]], right: column(0), down: column(1), forward: column(2) };
}

function projector({ at, right, down, forward, focal, centre }) {
  return p => {
    if (!p) return null;
    const q = minus(p, at), depth = dot(q, forward);
    if (depth < NEAR_M) return null;
    return { x: centre[0] + focal[0] * dot(q, right) / depth, y: centre[1] + focal[1] * dot(q, down) / depth, depth, scale: focal[0] / depth };
  };
}

// Painting a frame

function paint(context, width, height, frame, shown) {
  context.clearRect(0, 0, width, height);
  context.lineCap = context.lineJoin = "round";
  const view = lens(width, height, frame), project = projector(view);
  if (shown.floor) paintFloor(context, project, view);
  const bodies = shown.people.map(p => ({ p, joints: body(p, frame) })).filter(({ joints }) => joints.some(j => j));
  bodies.forEach(({ joints }) => paintShadow(context, project, joints));
  if (shown.path) shown.people.forEach(p => paintPath(context, project, p, frame));
  if (!eye.asCamera && shown.floor) paintCamera(context, project, frame);
  const faint = [];                     // painted first, so as not to dim the bodies
  for (const { p, joints } of bodies) {
    if (shown.ghosts) for (let k = 0; k < GHOSTS; k++) addGhost(faint, project, ghost(p, k, frame));
    if (shown.spread) addSpread(faint, project, joints, p, frame);
  }
  const solid = bodies.map(({ p, joints }) => (filled(p, frame) ? filledBodyOf(project, joints) : bodyOf(project, joints, doubtful(p, frame)))).filter(body => body);
  for (const some of [faint, solid]) some.sort((a, b) => b.depth - a.depth).forEach(part => part.paint(context));
  context.globalAlpha = 1;
  if (DATA.people.length > 1) bodies.forEach(({ p, joints }) => paintName(context, project, p, joints));
}

function line(context, a, b, colour, width, alpha = 1) {
  if (!a || !b || !(width > 0)) return;
  context.globalAlpha = alpha;
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.beginPath();
  context.moveTo(a.x, a.y);
  context.lineTo(b.x, b.y);
  context.stroke();
}

function disc(context, at, radius, colour, alpha = 1) {
  context.globalAlpha = alpha;
  context.fillStyle = colour;
  context.beginPath();
  context.arc(at.x, at.y, Math.max(0, radius), 0, 2 * Math.PI);
  context.fill();
}

function paintFloor(context, project, view) {
  const around = follows() ? eye.pivot : bounds.middle, half = Math.max(2, 1.3 * (follows() ? 2.5 + bounds.apart : bounds.reach) + 1);
  const step = half > 14 ? 2 : half > 6 ? 1 : 0.5, cells = Math.ceil(half / step);
  const middle = [0, 2].map(k => Math.round(around[k] / step) * step);
  const corner = (i, j) => project([middle[0] + i * step, 0, middle[1] + j * step]);
  stage.dataset.grid = step;
  const below = view.at[1] < 0 ? 0.35 : 1;
  for (let i = -cells; i <= cells; i++) {
    for (let j = -cells; j < cells; j++) {
      const fade = clamp(1.05 - Math.hypot(i, j + 0.5) / cells, 0, 1) * below;
      if (fade <= 0.02) continue;
      const strong = Math.abs(Math.round((i * step + middle[0]) * 100)) % 100 === 0, other = Math.abs(Math.round((i * step + middle[1]) * 100)) % 100 === 0;
      line(context, corner(i, j), corner(i, j + 1), colours.grid, strong ? 1.1 : 0.6, fade * (strong ? 0.95 : 0.55));
      line(context, corner(j, i), corner(j + 1, i), colours.grid, other ? 1.1 : 0.6, fade * (other ? 0.95 : 0.55));
    }
  }
}

function paintShadow(context, project, joints) {
  const flat = joints.map(p => p && project([p[0], 0, p[2]])), some = flat.find(p => p);
  if (!some) return;
  for (const [width, alpha] of [[0.2, 0.07], [0.12, 0.1]]) {
    context.globalAlpha = alpha;
    context.strokeStyle = colours.shadow;
    context.lineWidth = width * some.scale;
    context.beginPath();                // a single path, since overlapping strokes would be darker
    for (const [a, b] of DATA.bones) if (flat[a] && flat[b]) { context.moveTo(flat[a].x, flat[a].y); context.lineTo(flat[b].x, flat[b].y); }
    context.stroke();
  }
}

function paintPath(context, project, p, frame) {
  const step = Math.max(1, Math.floor(FRAMES / 1500));
  const stretch = (from, to, width, alpha) => {
    context.globalAlpha = alpha;
    context.strokeStyle = personColour(p);
    context.lineWidth = width;
    context.beginPath();
    let open = false;
    for (let t = from; t <= to; t += step) {
      const root = rootOf(p, t), at = root && project([root[0], 0, root[2]]);
      if (at) { if (open) context.lineTo(at.x, at.y); else context.moveTo(at.x, at.y); }
      open = Boolean(at);
    }
    context.stroke();
  };
  stretch(0, FRAMES - 1, 1.5, 0.4);
  stretch(frameAt(READ.times[frame] - 2), frame, 3, 0.95);
  const root = rootOf(p, frame), at = root && project([root[0], 0, root[2]]);
  if (at) disc(context, at, Math.max(3, 0.035 * at.scale), personColour(p), 0.95);
}

// A small pyramid at the camera's position.
function paintCamera(context, project, frame) {
  const { at, right, down, forward } = cameraAt(frame), [fx, fy, , , w, h] = intrinsicsAt(frame), size = 0.32;
  const corner = (i, j) => project(plus(at, scaled(plus(forward, plus(scaled(right, i * w / 2 / fx), scaled(down, j * h / 2 / fy))), size)));
  const tip = project(at), corners = [corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)];
  corners.forEach((c, i) => { line(context, tip, c, colours.soft, 1.2, 0.8); line(context, c, corners[(i + 1) % 4], colours.soft, 1.2, 0.8); });
}

function addGhost(parts, project, joints) {
  const ends = joints.map(project);
  for (const [child, parent] of DATA.bones) {
    const a = ends[child], b = ends[parent];
    if (a && b) parts.push({ depth: (a.depth + b.depth) / 2, paint: context => line(context, a, b, colours[DATA.joints[child].side], Math.max(1.2, 0.9 * girth[child] * a.scale), 0.2) });
  }
}

function addSpread(parts, project, joints, p, frame) {
  joints.forEach((joint, j) => {
    const at = project(joint), spread = spreadOf(p, j, frame);
    if (!at || spread === null) return;
    const colour = colours[DATA.joints[j].side], radius = spread * at.scale;
    parts.push({ depth: at.depth, paint: context => {
      disc(context, at, radius, colour, 0.1);
      context.globalAlpha = 0.35;
      context.strokeStyle = colour;
      context.lineWidth = 1;
      context.stroke();
    } });
  });
}

// Limbs from the farthest to the nearest; pale if they are doubtful or interpolated.
function limbsOf(project, joints, pale) {
  const ends = joints.map(project);
  return DATA.bones.flatMap(([child, parent]) => {
    const a = ends[child], b = ends[parent];
    if (!a || !b) return [];
    const colour = colours[DATA.joints[child].side];
    return [{ a, b, depth: (a.depth + b.depth) / 2, width: Math.max(2.5, girth[child] * (a.scale + b.scale)),
      flesh: pale ? blend(colour, colours.pale, 0.5) : colour, dark: blend(colour, "#000000", 0.45) }];
  }).sort((a, b) => b.depth - a.depth);
}

const meanDepth = limbs => limbs.reduce((total, limb) => total + limb.depth, 0) / limbs.length;

// An interpolated person: thin and dashed.
function filledBodyOf(project, joints) {
  const limbs = limbsOf(project, joints, true);
  if (!limbs.length) return null;
  return { depth: meanDepth(limbs), paint: context => {
    context.lineCap = "butt";
    for (const { a, b, width, flesh } of limbs) {
      const thin = Math.max(1.5, 0.4 * width);
      context.setLineDash([2 * thin, 1.5 * thin]);
      line(context, a, b, flesh, thin);
    }
    context.setLineDash([]);
    context.lineCap = "round";
  } };
}

// A person: an outline around the body, then the limbs.
function bodyOf(project, joints, unsure) {
  const limbs = limbsOf(project, joints, unsure);
  if (!limbs.length) return null;
  return { depth: meanDepth(limbs), paint: context => {
    for (const { a, b, width, dark } of limbs) line(context, a, b, unsure ? colours.warn : dark, width + (unsure ? 6 : 3));
    limbs.forEach(limb => paintLimb(context, limb));
  } };
}

// A round limb lit from the upper left: an edge against the background, the fill, a highlight.
function paintLimb(context, { a, b, width, flesh, dark }) {
  context.lineCap = "butt";             // the edge must not overlap the neighbouring limbs
  line(context, a, b, dark, width + 2.5, 0.6);
  context.lineCap = "round";
  line(context, a, b, flesh, width);
  const along = Math.hypot(b.x - a.x, b.y - a.y) || 1, shift = 0.2 * width;
  let nx = -(b.y - a.y) / along, ny = (b.x - a.x) / along;
  if (nx * -0.6 + ny * -0.8 < 0) { nx = -nx; ny = -ny; }
  const move = (end, k) => ({ x: end.x + shift * nx + k * (b.x - a.x), y: end.y + shift * ny + k * (b.y - a.y) });
  line(context, move(a, 0.1), move(b, -0.1), "#ffffff", 0.26 * width, 0.3);
}

function paintName(context, project, p, joints) {
  const top = joints.filter(j => j).reduce((a, b) => (b[1] > a[1] ? b : a)), at = project(plus(top, [0, 0.12, 0]));
  if (!at) return;
  paintPill(context, { x: at.x, y: at.y - 15 }, p);
}

// A person's id in their colour.
function paintPill(context, at, p) {
  const text = `${DATA.people[p].id}`;
  context.font = "600 13px system-ui, 'Liberation Sans', sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  const half = context.measureText(text).width / 2 + 8;
  context.globalAlpha = 0.95;
  context.fillStyle = personColour(p);
  context.beginPath();
  context.roundRect(at.x - half, at.y - 11, 2 * half, 22, 11);
  context.fill();
  context.fillStyle = colours.card;
  context.fillText(text, at.x, at.y + 0.5);
}
