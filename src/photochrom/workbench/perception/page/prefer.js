/** The study of preferences: two colourings side by side; which would you rather keep? */

import { byId } from "/page/service/dom.js";
import * as api from "/page/api.js";
import { pressed, say, takePart } from "/page/flow.js";

const images = [byId("picture-1"), byId("picture-2")];
/** @type {HTMLButtonElement[]} */
const choices = Array.from(document.querySelectorAll("button.choice"));
const LEAST_MS = 300; // a key that is still down from the pair before answers nothing

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Show both at once, decoded, so that neither is there before the other. */
async function show(sources) {
  images.forEach((image, number) => { image.src = sources[number]; });
  await Promise.all(images.map((image) => image.decode()));
  byId("stage").classList.add("is-seen");
}

function hide(sources) {
  byId("stage").classList.remove("is-seen");
  for (const image of images) image.removeAttribute("src");
  sources.forEach((source) => URL.revokeObjectURL(source));
}

async function run(trial, trials) {
  for (const button of choices) button.disabled = true;
  await show(trial.sources);
  const seen = performance.now();
  trials.load(trial.trial + 1);
  await pause(LEAST_MS);
  for (const button of choices) button.disabled = false;
  say("Which would you rather keep? Press 1 for the first, 2 for the second.");
  byId("asked").focus({ preventScroll: true });
  const [first, second] = choices;
  const button = await pressed(choices, { 1: first, 2: second, ArrowLeft: first, ArrowRight: second });
  const answer = { chosen: Number(button.dataset.chosen), answer_ms: performance.now() - seen };
  hide(trial.sources);
  await trials.surely(() => api.choose(trials.participant, trial.trial, answer));
}

takePart(() => {}, run);
