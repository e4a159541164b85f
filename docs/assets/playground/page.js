// The playground: an image, its negatives, and what the detector says of each.

import { Detector } from "./detector.js";
import { overlay, warmth } from "./heat.js";
import { NEGATIVES, defaults, written } from "./negatives.js";
import { fromCanvasPixels, toCanvasPixels } from "./pixels.js";
import { Draws } from "./random.js";
import { toSquare } from "./resize.js";

const SIDE = 96, MOST_PIXELS = 64e6;
const root = document.querySelector(".playground");
const samples = JSON.parse(root.dataset.samples);
const state = { image: null, name: "", pictures: [], detector: null };

/** An element with properties, attributes (`aria-…`, `role`, `for`) and children. */
function element(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given))
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const canvas = () => element("canvas", { width: SIDE, height: SIDE, role: "img" });

function paint(onto, image, words) {
  onto.getContext("2d").putImageData(toCanvasPixels(image), 0, 0);
  onto.setAttribute("aria-label", words);
}

/** The pixels of a file or of an address, brought to the detector's side. */
async function read(blob) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  if (bitmap.width * bitmap.height > MOST_PIXELS) throw new Error("it has more than 64 megapixels");
  const full = element("canvas", { width: bitmap.width, height: bitmap.height });
  const context = full.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";  // behind what is transparent
  context.fillRect(0, 0, full.width, full.height);
  context.drawImage(bitmap, 0, 0);
  return toSquare(fromCanvasPixels(context.getImageData(0, 0, full.width, full.height)), SIDE);
}

const number = (value) => Number(value.toPrecision(2)).toString();

/** What was found, in words, and the heat beside the picture. */
function tell(found, image, name, { heat, verdict }) {
  const { calibration, rate } = state.detector;
  paint(heat, overlay(image, warmth(found.map, calibration, rate), found.places), `Heat of ${name}`);
  heat.hidden = false;
  verdict.textContent = `${found.flagged ? "Anomalous" : "Normal"}: p = ${number(found.p)}, score ${found.score.toFixed(2)}`;
  verdict.dataset.score = found.score;
  verdict.dataset.p = found.p;
  verdict.classList.toggle("flagged", found.flagged);
}

// The image.

const plain = { picture: canvas(), heat: canvas(), verdict: element("p", { className: "verdict", role: "status" }) };
const said = element("p", { className: "said", role: "status" });
const thumbs = element("div", { className: "thumbs", role: "group", "aria-label": "Images to begin with" });
const partner = element("select", { id: "partner" });
const file = element("input", { type: "file", accept: "image/*", id: "own-image" });

async function choose(image, name) {
  Object.assign(state, { image, name });
  for (const button of thumbs.children)
    button.setAttribute("aria-pressed", String(button.dataset.name === name));
  paint(plain.picture, image, name);
  root.dispatchEvent(new Event("chosen"));
  if (!state.detector) return;
  const [found] = await state.detector.score([image]);
  if (state.image === image) tell(found, image, name, plain);
}

async function open(blob) {
  try {
    await choose(await read(blob), blob.name);
    said.textContent = "";
  } catch (error) {
    const why = error instanceof DOMException ? "it is no picture that this browser can read" : error.message;
    said.textContent = `${blob.name} is not shown: ${why}.`;
  }
}

/** The second image of those that mix two: the one chosen, or the next where it is the first. */
function second() {
  const chosen = state.pictures[partner.selectedIndex];
  return chosen.name === state.name ? state.pictures[(partner.selectedIndex + 1) % state.pictures.length] : chosen;
}

// A negative.

function control(negative, name, settings, changed) {
  const { kind, label, values, ...range } = NEGATIVES[negative].controls[name];
  const id = `${negative}-${name}`, shown = element("output", { htmlFor: id });
  const input = kind === "choice"
    ? element("select", { id }, ...values.map((value) => element("option", {}, String(value))))
    : element("input", { type: "range", id, min: range.min, max: range.max, step: range.step });
  input.value = settings[name];
  const row = element("div", { className: "control" },
    element("label", { htmlFor: id }, element("code", {}, name), ` ${label}`), input, kind === "choice" ? "" : shown);
  input.addEventListener("input", () => {
    settings[name] = kind === "choice" && typeof values[0] === "string" ? input.value : Number(input.value);
    changed(name);
  });
  const refresh = () => {
    input.value = settings[name];
    shown.textContent = settings[name];
    row.hidden = !(range.shown?.(settings) ?? true);
  };
  return { row, refresh };
}

function card(name) {
  const negative = NEGATIVES[name], settings = defaults(negative);
  const parts = { picture: canvas(), heat: canvas(), verdict: element("p", { className: "verdict" }) };
  parts.heat.hidden = true;
  const code = element("code", { className: "name" }), again = element("button", { type: "button", className: "again" }, "Draw again");
  again.setAttribute("aria-label", `Draw ${name} again`);
  let seed = 1, latest = 0;

  async function make() {
    if (!state.image) return;
    const number = ++latest, { image } = state;
    const params = negative.draw(new Draws(seed), image, settings);
    const made = negative.replay(image, params, settings, second().image);
    paint(parts.picture, made, `${name} of ${state.name}`);
    code.textContent = written(name, settings);
    controls.forEach(({ refresh }) => refresh());
    if (!state.detector) return;
    const [found] = await state.detector.score([made]);
    if (number === latest) tell(found, made, `${name} of ${state.name}`, parts);
  }
  let waiting = 0;
  const soon = () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(make);
  };
  const changed = (setting) => {
    if (setting === "low") settings.high = Math.max(settings.high, settings.low);
    if (setting === "high") settings.low = Math.min(settings.low, settings.high);
    soon();
  };
  const controls = Object.keys(settings).map((setting) => control(name, setting, settings, changed));
  again.addEventListener("click", () => {
    seed += 1;
    soon();
  });
  again.hidden = name === "horizontal_flip";  // of which nothing is drawn
  root.addEventListener("chosen", soon);
  if (negative.mixes) partner.addEventListener("input", soon);
  return element("section", { className: "negative", "aria-labelledby": `of-${name}` },
    element("h3", { id: `of-${name}` }, name), element("p", { className: "says" }, negative.says),
    element("div", { className: "pair" }, parts.picture, parts.heat), parts.verdict,
    ...controls.map(({ row }) => row), element("div", { className: "foot" }, code, again));
}

// The page.

function build() {
  plain.heat.hidden = true;
  partner.append(...samples.map(({ name }) => element("option", {}, name)));
  const drop = element("label", { className: "drop", htmlFor: "own-image" }, "Drop an image here, or choose one: ", file);
  root.replaceChildren(
    element("div", { className: "bench" },
      element("div", {}, element("div", { className: "pair" }, plain.picture, plain.heat),
        element("p", { className: "says" }, "The image as the detector sees it, and heat where it is not as good boards are.")),
      element("div", { className: "beside" }, plain.verdict, thumbs, drop,
        element("p", { className: "second" }, element("label", { htmlFor: "partner" }, "Mixed, where two are mixed, with "), partner), said)),
    element("h2", {}, "Its negatives"),
    element("div", { className: "negatives" }, ...Object.keys(NEGATIVES).map(card)));
  file.addEventListener("change", () => {
    if (file.files.length) open(file.files[0]);
    file.value = "";
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  document.addEventListener("dragleave", () => drop.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) open(event.dataTransfer.files[0]);
  });
}

async function begin() {
  build();
  state.pictures = await Promise.all(samples.map(async ({ name, file: address }) => {
    const answer = await fetch(new URL(address, import.meta.url));
    return { name, address, image: await read(await answer.blob()) };
  }));
  thumbs.append(...state.pictures.map(({ name, image }) => {
    const picture = canvas(), button = element("button", { type: "button", className: "thumb" }, picture, element("span", {}, name));
    paint(picture, image, "");
    picture.setAttribute("aria-hidden", "true");
    button.dataset.name = name;
    button.addEventListener("click", () => choose(image, name));
    return button;
  }));
  const [first] = state.pictures;
  await choose(first.image, first.name);
  if (root.dataset.absent) {
    plain.verdict.textContent = root.dataset.absent;
    return;
  }
  plain.verdict.textContent = "Loading the detector (14 MB) …";
  try {
    state.detector = await Detector.load();
    await choose(state.image, state.name);
  } catch (error) {
    plain.verdict.textContent = `There is no verdict: the detector did not load (${error.message}).`;
  }
}

begin();
