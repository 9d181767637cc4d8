"use strict";
// The map viewer of a dataset's page. Maps stand in the page as skymask/products/viewer.py encodes them.
(() => {
  const { viewer, colours, regions, convergence, axes } = JSON.parse(document.getElementById("data").textContent);
  const [ny, nx] = viewer.shape;                       // of the maps as they are shown
  const block = viewer.block;                          // their pixels stand for block x block pixels
  const element = id => document.getElementById(id);
  const canvas = element("sky");
  const context = canvas.getContext("2d");

  const MASK = { used: [217, 230, 242], excluded: [213, 94, 0], added: [90, 20, 0], released: [0, 114, 178] };
  const MASK_KEYS = [["used", "used"], ["excluded", "excluded"], ["added", "excluded since the iteration before"], ["released", "used again"]];
  // In print, a minus sign is one, and zero has none.
  const numberText = (value, digits) => (Number(value.toFixed(digits)) || 0).toFixed(digits).replace("-", "−");
  const BLINK_MS = 800, PLAY_MS = 900, STEP = 1.25, MAX_ZOOM = 64, GRID = 48;

  // ---- Maps

  async function unpack(text) {
    const packed = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  async function decode(layer) {
    const bytes = await unpack(layer.data), n = nx * ny, values = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      const code = bytes[i] << 8 | bytes[n + i];
      values[i] = code === 0 ? NaN : code === 65534 ? -Infinity : code === 65535 ? Infinity : layer.offset + layer.step * (code - 1);
    }
    return values;
  }

  async function decodeMask(text) {
    const bytes = await unpack(text);
    return Uint8Array.from({ length: nx * ny }, (_, i) => bytes[i >> 3] >> (7 - (i & 7)) & 1);
  }

  // What has been decoded is kept.
  const kept = new Map();
  function once(key, make) {
    if (!kept.has(key)) kept.set(key, make());
    return kept.get(key);
  }
  const values = layer => once(layer.name, () => decode(layer));
  const mask = k => once(`mask ${k}`, () => decodeMask(viewer.masks[k]));
  const last = viewer.masks.length - 1;                // the final mask; before it those of the iterations

  const layers = [...viewer.layers];
  layers.splice(layers.findIndex(layer => layer.name === "coverage"), 0, { name: "exclusion_mask", unit: "" });
  const state = { layer: layers.find(layer => layer.name === "significance"), iteration: last, blinking: null, playing: null, region: null };
  const shownLayer = () => state.blinking?.other ? layers[element("other").value] : state.layer;

  // ---- Colours

  const tables = {};
  for (const [name, text] of Object.entries(colours)) {
    const anchors = text.split(" ").map(hex => [0, 2, 4].map(i => parseInt(hex.slice(i, i + 2), 16)));
    tables[name] = Array.from({ length: 256 }, (_, i) => {
      const at = i / 255 * (anchors.length - 1), k = Math.min(Math.floor(at), anchors.length - 2);
      return anchors[k].map((low, channel) => Math.round(low + (at - k) * (anchors[k + 1][channel] - low)));
    });
  }

  function colourOf(layer, value) {
    const [low, high] = layer.limits;
    let part;
    if (layer.colours === "signed") {
      const limit = Math.max(Math.abs(low), Math.abs(high)) || 1;
      part = 0.5 + 0.5 * Math.min(Math.max(value, low), high) / limit;
    } else {
      part = Math.min(Math.max((value - low) / (high - low || 1), 0), 1);
      if (layer.stretch === "square root") part = Math.sqrt(part);
    }
    return tables[layer.colours][Math.round(255 * part)];
  }

  function painted(colour) {
    const image = new ImageData(nx, ny), pixels = new Uint32Array(image.data.buffer);
    for (let y = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++) {
        const rgb = colour(y * nx + x);
        if (rgb) pixels[(ny - 1 - y) * nx + x] = 255 << 24 | rgb[2] << 16 | rgb[1] << 8 | rgb[0];
      }
    }
    const picture = new OffscreenCanvas(nx, ny);
    picture.getContext("2d").putImageData(image, 0, 0);
    return picture;
  }

  async function picture(layer) {
    if (layer.name !== "exclusion_mask") {
      const map = await values(layer);
      return once(`picture ${layer.name} ${layer.limits}`, () => painted(i => isNaN(map[i]) ? null : colourOf(layer, map[i])));
    }
    const covered = await values(viewer.layers.find(other => other.name === "coverage"));
    const now = await mask(state.iteration), before = state.iteration > 0 ? await mask(state.iteration - 1) : now;
    return once(`picture mask ${state.iteration}`, () => painted(i => !covered[i] ? null
      : now[i] ? (before[i] ? MASK.used : MASK.released) : (before[i] ? MASK.added : MASK.excluded)));
  }

  // Sides between used and excluded pixels, in pixels from the upper left corner of the picture.
  function border(used) {
    const path = new Path2D();
    const isUsed = (x, y) => x < 0 || y < 0 || x >= nx || y >= ny || used(y * nx + x);
    for (let y = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++) {
        if (isUsed(x, y)) continue;
        const top = ny - 1 - y;
        if (isUsed(x, y + 1)) { path.moveTo(x, top); path.lineTo(x + 1, top); }
        if (isUsed(x, y - 1)) { path.moveTo(x, top + 1); path.lineTo(x + 1, top + 1); }
        if (isUsed(x - 1, y)) { path.moveTo(x, top); path.lineTo(x, top + 1); }
        if (isUsed(x + 1, y)) { path.moveTo(x + 1, top); path.lineTo(x + 1, top + 1); }
      }
    }
    return path;
  }

  // ---- Sky

  const sky = (() => {
    const bytes = Uint8Array.from(atob(viewer.sky.vectors), letter => letter.charCodeAt(0));
    const numbers = new Float64Array(bytes.buffer), [rows, columns] = viewer.sky.nodes;
    const [height, width] = viewer.full_shape;
    const place = (at, size, nodes) => {
      const u = (at + 0.5) / size * (nodes - 1), k = Math.min(Math.max(Math.floor(u), 0), nodes - 2);
      return [k, u - k];
    };
    // Longitude and latitude of a pixel of the full map, counted from 0, in degrees.
    return (x, y) => {
      const [i, v] = place(y, height, rows), [j, u] = place(x, width, columns), vector = [0, 0, 0];
      for (const [row, column, weight] of [[i, j, (1 - u) * (1 - v)], [i, j + 1, u * (1 - v)], [i + 1, j, (1 - u) * v], [i + 1, j + 1, u * v]]) {
        for (let axis = 0; axis < 3; axis++) vector[axis] += weight * numbers[3 * (row * columns + column) + axis];
      }
      const degrees = 180 / Math.PI;
      return [(Math.atan2(vector[1], vector[0]) * degrees + 360) % 360, Math.atan2(vector[2], Math.hypot(vector[0], vector[1])) * degrees];
    };
  })();

  const full = at => at * block + (block - 1) / 2;

  // ---- View: where the upper left corner of the picture is, and how large its pixels are, in pixels of the screen

  const view = { x: 0, y: 0, size: 1, fitted: true };
  const cursor = { x: Math.floor(nx / 2), y: Math.floor(ny / 2), shown: false };

  function fit() {
    view.size = Math.min(canvas.width / nx, canvas.height / ny);
    view.x = (canvas.width - nx * view.size) / 2;
    view.y = (canvas.height - ny * view.size) / 2;
    view.fitted = true;
    draw();
  }

  function zoom(factor, x = canvas.width / 2, y = canvas.height / 2) {
    const least = Math.min(canvas.width / nx, canvas.height / ny) / 2;
    const size = Math.min(Math.max(view.size * factor, least), MAX_ZOOM * devicePixelRatio);
    view.x = x - (x - view.x) * size / view.size;
    view.y = y - (y - view.y) * size / view.size;
    view.size = size;
    view.fitted = false;
    draw();
  }

  function pan(dx, dy) {
    view.x += dx;
    view.y += dy;
    view.fitted = false;
    draw();
  }

  function showAt(x, y, pixels) {
    view.size = Math.min(Math.min(canvas.width, canvas.height) / pixels, MAX_ZOOM * devicePixelRatio);
    view.x = canvas.width / 2 - (x + 0.5) * view.size;
    view.y = canvas.height / 2 - (ny - y - 0.5) * view.size;
    view.fitted = false;
    draw();
  }

  let asked = false;
  function draw() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(async () => {
      asked = false;
      const layer = shownLayer(), iteration = state.iteration;
      const shown = await picture(layer), used = await mask(iteration);
      const outline = pressed("outline") ? once(`border ${iteration}`, () => border(i => used[i])) : null;
      // A later drawing that was faster.
      if (layer !== shownLayer() || iteration !== state.iteration) return;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, canvas.width, canvas.height);
      context.setTransform(view.size, 0, 0, view.size, view.x, view.y);
      context.imageSmoothingEnabled = view.size < 1;
      context.drawImage(shown, 0, 0);
      if (pressed("grid")) graticule();
      if (outline) stroke(outline, [["#ffffff", 3], ["#000000", 1.2]]);
      if (state.region) stroke(state.region.path, [["#000000", 5], ["#f0e442", 2.5]]);
      if (cursor.shown) crosshair();
      if (pressed("numbers")) names();
    });
  }

  function stroke(path, pens) {
    for (const [colour, width] of pens) {
      context.strokeStyle = colour;
      context.lineWidth = width * devicePixelRatio / view.size;
      context.stroke(path);
    }
  }

  function crosshair() {
    const cross = new Path2D(), x = cursor.x + 0.5, y = ny - cursor.y - 0.5, arm = 9 * devicePixelRatio / view.size;
    for (const [dx, dy] of [[arm, 0], [0, arm]]) { cross.moveTo(x - dx, y - dy); cross.lineTo(x + dx, y + dy); }
    stroke(cross, [["#ffffff", 4], ["#000000", 1.5]]);
  }

  // Words on the map, light within dark.
  function write(words, x, y, align = "center", baseline = "middle", weight = "bold") {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.font = `${weight} ${12 * devicePixelRatio}px system-ui, sans-serif`;
    context.textAlign = align;
    context.textBaseline = baseline;
    context.lineJoin = "round";
    context.strokeStyle = "#000000";
    context.lineWidth = 3 * devicePixelRatio;
    context.strokeText(words, x, y);
    context.fillStyle = "#ffffff";
    context.fillText(words, x, y);
  }

  function names() {
    for (const region of regions.filter(region => region.peak_x >= 0)) {
      write(region.region, view.x + ((region.peak_x + 0.5) / block) * view.size, view.y + (ny - (region.peak_y + 0.5) / block) * view.size);
    }
  }

  // The largest of 1, 2, 5, 10, ... and their decimal fractions, and of 15, 30, 45, with which a span has so many steps.
  function niceStep(span, steps) {
    const powers = [-4, -3, -2, -1, 0].flatMap(power => [1, 2, 5].map(digit => digit * 10 ** power));
    return [...powers, 10, 15, 30, 45].findLast(step => span / step >= steps) ?? powers[0];
  }

  // Lines of equal longitude and latitude over what is seen of the map: where they cross the sides of a grid of cells.
  function graticule() {
    const left = Math.max(view.x, 0), right = Math.min(view.x + nx * view.size, canvas.width);
    const top = Math.max(view.y, 0), bottom = Math.min(view.y + ny * view.size, canvas.height);
    if (left >= right || top >= bottom) return;
    const at = (i, j) => [left + (right - left) * i / GRID, bottom - (bottom - top) * j / GRID];
    const nodes = Array.from({ length: GRID + 1 }, (_, j) => Array.from({ length: GRID + 1 }, (_, i) => {
      const [x, y] = at(i, j);
      return sky((x - view.x) / view.size * block - 0.5, (ny - (y - view.y) / view.size) * block - 0.5);
    }));
    const middle = nodes[GRID / 2][GRID / 2][0];
    // Continuous around the middle of what is seen.
    for (const row of nodes) for (const node of row) node[0] = middle + (node[0] - middle + 540) % 360 - 180;
    const all = nodes.flat(), lines = new Path2D(), words = [];
    for (const axis of [0, 1]) {
      const numbers = all.map(node => node[axis]), low = Math.min(...numbers), high = Math.max(...numbers);
      const step = niceStep(high - low, 3), digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
      for (let k = Math.ceil(low / step); k <= high / step; k++) {
        let label = null;
        const cross = (i, j, u, v) => {
          const a = nodes[j][i][axis] - k * step, b = nodes[v][u][axis] - k * step;
          if (a < 0 === b < 0 || Math.abs(a - b) > 90) return [];
          const [p, q] = [at(i, j), at(u, v)], part = a / (a - b);
          return [[p[0] + part * (q[0] - p[0]), p[1] + part * (q[1] - p[1])]];
        };
        for (let j = 0; j < GRID; j++) {
          for (let i = 0; i < GRID; i++) {
            const points = [cross(i, j, i + 1, j), cross(i, j, i, j + 1), cross(i + 1, j, i + 1, j + 1), cross(i, j + 1, i + 1, j + 1)].flat();
            if (points.length < 2) continue;
            lines.moveTo(...points[0]);
            lines.lineTo(...points[1]);
            // Longitudes are told at the lower edge, latitudes at the left one.
            if (axis === 0 ? j === 0 : i === 0) label ??= points[0];
          }
        }
        if (label) words.push([`${numberText(axis ? k * step : (k * step + 360) % 360, digits)}°`, label, axis]);
      }
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.lineWidth = devicePixelRatio;
    context.strokeStyle = "rgb(110 110 110 / 60%)";
    context.stroke(lines);
    const gap = 4 * devicePixelRatio;
    for (const [degrees, [x, y], axis] of words) {
      if (axis === 0) write(degrees, Math.min(Math.max(x, left + 24 * devicePixelRatio), right - 24 * devicePixelRatio), bottom - gap, "center", "bottom", "normal");
      else write(degrees, left + gap, Math.min(Math.max(y, top + 3 * gap), bottom - 8 * gap), "left", "middle", "normal");
    }
    write(axes[0], right - gap, bottom - gap, "right", "bottom");
    write(axes[1], left + gap, top + gap, "left", "top");
    context.setTransform(view.size, 0, 0, view.size, view.x, view.y);
  }

  // ---- What is said

  const pressed = id => element(id).ariaPressed === "true";
  const press = (id, on) => element(id).setAttribute("aria-pressed", on);
  const title = layer => layer.name.replaceAll("_", " ");

  function text(value, layer) {
    if (isNaN(value)) return "undefined";
    if (!isFinite(value)) return value > 0 ? "infinite" : "-infinite";
    const digits = Number.isInteger(layer.step) ? 0 : Math.min(Math.max(Math.ceil(-Math.log10(layer.step)), 0), 12);
    return `${numberText(value, digits)}${layer.unit ? ` ${layer.unit}` : ""}`;
  }

  async function tell() {
    const { x, y } = cursor, layer = shownLayer(), i = y * nx + x, used = (await mask(state.iteration))[i];
    const [longitude, latitude] = sky(full(x), full(y));
    const value = layer.name === "exclusion_mask" ? "" : `, ${title(layer)} ${text((await values(layer))[i], layer)}`;
    const pixel = block === 1 ? `pixel ${x}, ${y}` : `pixels ${x * block} to ${x * block + block - 1}, ${y * block} to ${y * block + block - 1}`;
    if (cursor.x !== x || cursor.y !== y) return;
    element("readout").textContent = `${axes[0]} ${numberText(longitude, 4)}°, ${axes[1]} ${numberText(latitude, 4)}° (${pixel})${value}, ${used ? "used" : "excluded"}`;
  }

  function tellIteration() {
    const k = state.iteration, row = convergence[k - 1];
    const count = k === last ? "" : k === 0 ? ": what the user excluded" : `: ${row.excluded} excluded, +${row.added} −${row.released}`;
    element("iteration").value = k;
    element("told").value = k === last ? "final mask" : `iteration ${k} of ${last - 1}${count}`;
    element("iteration").setAttribute("aria-valuetext", element("told").value);
  }

  function tellColours() {
    const layer = state.layer, bar = element("colours"), isMask = layer.name === "exclusion_mask";
    bar.parentElement.querySelectorAll("label, canvas").forEach(part => { part.hidden = isMask; });
    if (isMask) {
      element("unit").innerHTML = MASK_KEYS.map(([key, words]) => `<span class="key" style="background: rgb(${MASK[key]})"></span> ${words}`).join(" ");
      return;
    }
    const [low, high] = layer.limits, strip = bar.getContext("2d");
    for (let i = 0; i < 256; i++) {
      strip.fillStyle = `rgb(${colourOf(layer, low + i / 255 * (high - low))})`;
      strip.fillRect(i, 0, 1, 1);
    }
    element("low").value = Number(low.toPrecision(4));
    element("high").value = Number(high.toPrecision(4));
    element("unit").textContent = `${layer.unit}${layer.stretch === "linear" ? "" : ` (${layer.stretch} scale)`}`;
    element("steps").textContent = text(layer.step, layer);
  }

  // ---- Controls

  function chooseLayer(layer) {
    state.layer = layer;
    element("layers").querySelectorAll("input")[layers.indexOf(layer)].checked = true;
    tellColours();
    refresh();
  }

  function chooseIteration(k) {
    state.iteration = Math.min(Math.max(k, 0), last);
    tellIteration();
    refresh();
  }

  function refresh() {
    draw();
    if (cursor.shown) tell();
  }

  function blink(on) {
    press("blink", on);
    clearInterval(state.blinking?.timer);
    const turn = () => { state.blinking.other = !state.blinking.other; refresh(); };
    state.blinking = on ? { other: false, timer: setInterval(turn, BLINK_MS) } : null;
    if (on) turn();
    refresh();
  }

  function play(on) {
    press("play", on);
    clearInterval(state.playing);
    if (!on) return;
    chooseIteration(0);
    state.playing = setInterval(() => state.iteration === last ? play(false) : chooseIteration(state.iteration + 1), PLAY_MS);
  }

  // The excluded pixels that are connected with one of them, at sides or corners.
  async function regionAround(start) {
    const used = await mask(last), inside = new Uint8Array(nx * ny), stack = [];
    const visit = i => { if (!used[i] && !inside[i]) { inside[i] = 1; stack.push(i); } };
    visit(start);
    while (stack.length) {
      const i = stack.pop(), x = i % nx, y = Math.floor(i / nx);
      for (let v = Math.max(y - 1, 0); v <= Math.min(y + 1, ny - 1); v++) {
        for (let u = Math.max(x - 1, 0); u <= Math.min(x + 1, nx - 1); u++) visit(v * nx + u);
      }
    }
    return inside;
  }

  const peak = region => Math.floor(region.peak_y / block) * nx + Math.floor(region.peak_x / block);

  function mark(region, inside) {
    state.region = region && { path: border(i => !inside[i]) };
    for (const row of document.querySelectorAll("#regions tbody tr")) {
      const chosen = region && Number(row.dataset.region) === region.region;
      row.setAttribute("aria-selected", Boolean(chosen));
    }
    draw();
  }

  async function chooseRegionAt(i) {
    const inside = await regionAround(i), region = regions.find(one => one.peak_x >= 0 && inside[peak(one)]);
    mark(region, inside);
  }

  async function goToRegion(region) {
    if (region.peak_x < 0) return;
    const inside = await regionAround(peak(region));
    let left = nx, right = 0, bottom = ny, top = 0;
    inside.forEach((is, i) => {
      if (!is) return;
      left = Math.min(left, i % nx); right = Math.max(right, i % nx);
      bottom = Math.min(bottom, Math.floor(i / nx)); top = Math.max(top, Math.floor(i / nx));
    });
    mark(region, inside);
    showAt((left + right) / 2, (bottom + top) / 2, 1.5 * Math.max(right - left, top - bottom) + 10);
    element("map").scrollIntoView({ block: "nearest" });
  }

  function moveCursor(x, y) {
    cursor.x = Math.min(Math.max(x, 0), nx - 1);
    cursor.y = Math.min(Math.max(y, 0), ny - 1);
    cursor.shown = true;
    refresh();
  }

  function pointAt(event) {
    const box = canvas.getBoundingClientRect(), scale = canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }

  function hover(x, y) {
    const column = Math.floor((x - view.x) / view.size), row = ny - 1 - Math.floor((y - view.y) / view.size);
    if (column < 0 || row < 0 || column >= nx || row >= ny) return false;
    Object.assign(cursor, { x: column, y: row, shown: false });
    tell();
    return true;
  }

  const pointers = new Map();
  let moved = 0;
  canvas.addEventListener("pointerdown", event => {
    canvas.setPointerCapture(event.pointerId);
    if (!pointers.size) moved = 0;
    pointers.set(event.pointerId, pointAt(event));
  });
  canvas.addEventListener("pointermove", event => {
    const [x, y] = pointAt(event), before = pointers.get(event.pointerId);
    if (!before) { hover(x, y); return; }
    moved += Math.hypot(x - before[0], y - before[1]);
    if (pointers.size === 1) pan(x - before[0], y - before[1]);
    else {
      const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const apart = place => Math.hypot(place[0] - other[0], place[1] - other[1]) || 1;
      zoom(apart([x, y]) / apart(before), (x + other[0]) / 2, (y + other[1]) / 2);
    }
    pointers.set(event.pointerId, [x, y]);
  });
  canvas.addEventListener("pointerup", event => {
    pointers.delete(event.pointerId);
    if (moved < 4 * devicePixelRatio && hover(...pointAt(event))) chooseRegionAt(cursor.y * nx + cursor.x);
  });
  canvas.addEventListener("pointercancel", event => pointers.delete(event.pointerId));
  canvas.addEventListener("wheel", event => {
    event.preventDefault();
    zoom(event.deltaY < 0 ? STEP : 1 / STEP, ...pointAt(event));
  }, { passive: false });

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const KEYS = {
    "+": () => zoom(STEP), "=": () => zoom(STEP), "-": () => zoom(1 / STEP), 0: fit,
    "[": () => chooseIteration(state.iteration - 1), "]": () => chooseIteration(state.iteration + 1),
    b: () => blink(!state.blinking), m: () => element("outline").click(), g: () => element("grid").click(),
    Enter: () => chooseRegionAt(cursor.y * nx + cursor.x),
  };
  canvas.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key], layer = layers[Number(event.key) - 1];
    if (arrow && event.shiftKey) pan(-40 * arrow[0], 40 * arrow[1]);
    else if (arrow) moveCursor(cursor.x + arrow[0], cursor.y + arrow[1]);
    else if (KEYS[event.key]) KEYS[event.key]();
    else if (layer) chooseLayer(layer);
    else return;
    event.preventDefault();
  });

  layers.forEach((layer, number) => {
    const label = document.createElement("label"), input = document.createElement("input");
    Object.assign(input, { type: "radio", name: "layer", value: layer.name });
    input.addEventListener("change", () => chooseLayer(layer));
    label.append(input, title(layer));
    element("layers").append(label);
    element("other").append(new Option(title(layer), number));
  });
  element("other").value = layers.findIndex(layer => layer.name === "counts");
  element("other").addEventListener("change", refresh);
  element("zoom-in").addEventListener("click", () => zoom(STEP));
  element("zoom-out").addEventListener("click", () => zoom(1 / STEP));
  element("fit").addEventListener("click", fit);
  for (const id of ["outline", "numbers", "grid"]) element(id).addEventListener("click", () => { press(id, !pressed(id)); draw(); });
  element("blink").addEventListener("click", () => blink(!state.blinking));
  element("play").addEventListener("click", () => play(!pressed("play")));
  element("iteration").max = last;
  element("iteration").addEventListener("input", event => { play(false); chooseIteration(Number(event.target.value)); });
  for (const [id, end] of [["low", 0], ["high", 1]]) {
    element(id).addEventListener("change", event => {
      const limits = [...state.layer.limits];
      limits[end] = event.target.valueAsNumber;
      if (limits[0] < limits[1]) state.layer.limits = limits;
      tellColours();
      draw();
    });
  }
  document.addEventListener("DOMContentLoaded", () => {
    for (const row of document.querySelectorAll("#regions tbody tr")) {
      const go = () => goToRegion(regions.find(region => region.region === Number(row.dataset.region)));
      row.addEventListener("click", go);
      row.addEventListener("keydown", event => { if (event.key === "Enter") go(); });
    }
  });

  element("error").textContent = `${(viewer.sky.error * 3600).toPrecision(2)} arcsec`;
  element("blocks").textContent = block === 1 ? "" : `The map is shown in blocks of ${block} x ${block} pixels: the mean of counts and background, the highest significance, excess and radius; a block with an excluded pixel is excluded.`;
  element("readout").textContent = "Point at the map for coordinates and values.";
  canvas.style.aspectRatio = `${nx} / ${ny}`;
  new ResizeObserver(() => {
    canvas.width = canvas.clientWidth * devicePixelRatio;
    canvas.height = canvas.clientHeight * devicePixelRatio;
    if (view.fitted) fit(); else draw();
  }).observe(canvas);
  chooseLayer(state.layer);
  chooseIteration(last);
})();
