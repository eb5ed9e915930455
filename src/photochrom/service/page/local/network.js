/** Run the network in ONNX Runtime Web: `photochrom.colorization.network`. */

import { plane, resize, roundEven } from "./planes.js";

const KEPT = 6; // predictions without hints that are remembered
const SETTING = ["temperature", "rebalance", "saturation", "evenness", "ceiling"];

/**
 * @typedef {import("./planes.js").Plane} Plane
 * @typedef {{temperature: number, rebalance: number, saturation: number, evenness: number, ceiling: number}} Look
 * @typedef {{ab: Plane[], mask: Plane}} Hints
 * @typedef {{lightness: Plane, hints?: Hints|null, histogram?: Float32Array|null, chroma?: number|null, vividness?: number|null}} Request
 * @typedef {{ab: Plane[], confidence: Plane, logits: Logits}} Prediction
 * @typedef {{width: number, height: number, bins: number, data: Float32Array}} Logits
 */

export class Network {
  /**
   * @param {any} ort      ONNX Runtime Web.
   * @param {any} session
   * @param {any} info     The description of the method.
   */
  constructor(ort, session, info) {
    this.ort = ort;
    this.session = session;
    this.info = info;
    this.inputs = new Set(session.inputNames);
    this.kept = new Map(); // key -> what was found without hints
    this.lost = null;
    this.plainly = null; // opens another runtime and session, after these failed
  }

  /**
   * Prepare for the loss of the processor that the session runs on.
   * @param {Promise<never>} lost
   * @param {() => Promise<{ort: any, session: any}>} plainly  Open a session on another one.
   */
  guard(lost, plainly) {
    this.lost = lost;
    this.plainly = plainly;
  }

  /** Go on with the other session. */
  async retreat() {
    const open = this.plainly;
    [this.lost, this.plainly] = [null, null];
    this.session.release().catch(() => {}); // may wait for a processor that is gone
    this.kept.clear(); // what it gave last may be damaged
    Object.assign(this, await open());
  }

  /** The parameters of a vividness; of the default for null. */
  look(vividness) {
    const wanted = vividness ?? this.info.vividness;
    const path = this.info.vividness_path;
    const after = Math.min(Math.max(path.findIndex(([at]) => at >= wanted), 1), path.length - 1);
    const [low, high] = [path[after - 1], path[after]];
    const share = Math.min(1, Math.max(0, (wanted - low[0]) / (high[0] - low[0])));
    return /** @type {Look} */ (Object.fromEntries(SETTING.map((name, i) => {
      const [one, other] = [low[i + 1] ?? 0, high[i + 1] ?? 0];
      return [name, one + (other - one) * share];
    })));
  }

  /**
   * Predict the colours of one picture.
   * @param {Request} request
   * @param {string} key  Of the picture and its guidance but for hints and vividness.
   * @param {() => Promise<void>} pause  Awaited between views; throws if nobody waits any more.
   * @returns {Promise<Prediction>}
   */
  async predict(request, key, pause) {
    const look = this.look(request.vividness);
    const feed = this.feed(request, look);
    const found = request.hints ? await this.lookAround(feed, this.info.views, null, pause)
      : await this.recall(feed, key, JSON.stringify(look), pause);
    return {
      ab: shown(planesOf(found.ab), look),
      confidence: planesOf(found.confidence)[0],
      logits: { bins: found.logits.dims[1], height: found.logits.dims[2], width: found.logits.dims[3], data: found.logits.data },
    };
  }

  /** The distribution does not depend on the vividness: another one needs only the last view again. */
  async recall(feed, key, look, pause) {
    const known = this.kept.get(key) ?? { before: null, logits: null, looks: new Map() };
    this.kept.delete(key);
    this.kept.set(key, known);
    if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value);
    if (!known.looks.has(look)) {
      const views = [...this.info.views, [1, false]];
      const found = await this.lookAround(feed, views, known, pause);
      known.logits ??= found.logits; // the same for every vividness, and large
      known.looks.set(look, { ...found, logits: known.logits });
      if (known.looks.size > KEPT) known.looks.delete(known.looks.keys().next().value);
    }
    return known.looks.get(look);
  }

  /** Run the network on views; each is given the mean of the previous ones. */
  async lookAround(feed, views, known, pause) {
    let before = known?.before ?? null;
    let found = null;
    for (let count = before ? views.length : 1; count <= views.length; count += 1) {
      await pause();
      const [scale, mirrored] = views[count - 1];
      const view = turned(scaledTo(feed, scale, this.info.stride), mirrored);
      if (before) Object.assign(view, turned({ others: before }, mirrored), { others_share: one(1 - 1 / count) });
      const isLast = count === views.length;
      found = turned(await this.run(view, isLast ? ["ab", "confidence", "logits"] : ["logits"]), mirrored);
      if (!isLast) before = found.logits;
    }
    if (known) known.before = before;
    return found;
  }

  async run(feed, wanted) {
    const found = await this.answer(feed, wanted);
    return Object.fromEntries(wanted.map((name) => [name, { data: found[name].data, dims: found[name].dims }]));
  }

  async answer(feed, wanted) {
    const ask = () => this.session.run(this.tensors(feed), wanted);
    if (!this.plainly) return ask();
    try {
      return await Promise.race([ask(), this.lost]);
    } catch {
      await this.retreat();
      return ask();
    }
  }

  tensors(feed) {
    const { Tensor } = this.ort;
    return Object.fromEntries(Object.entries(feed)
      .filter(([name]) => this.inputs.has(name))
      .map(([name, { data, dims }]) => [name, new Tensor("float32", data, dims)]));
  }

  /** @param {Request} request */
  feed({ lightness, hints, histogram, chroma }, look) {
    const { width, height } = lightness;
    const bins = this.info.centres.length;
    const hintAb = new Float32Array(2 * width * height);
    const mask = hints?.mask.data ?? new Float32Array(width * height);
    hints?.ab.forEach(({ data }, i) => hintAb.set(data.map((v, at) => v * mask[at]), i * width * height));
    const guidance = new Float32Array(bins + 1);
    if (histogram) guidance.set(histogram);
    guidance[bins] = chroma ?? 0;
    return {
      lightness: { data: lightness.data, dims: [1, 1, height, width] },
      hint_ab: { data: hintAb, dims: [1, 2, height, width] },
      hint_mask: { data: mask, dims: [1, 1, height, width] },
      histogram: { data: guidance, dims: [1, bins + 1] },
      global_mask: { data: Float32Array.of(histogram ? 1 : 0, chroma === null || chroma === undefined ? 0 : 1), dims: [1, 2] },
      temperature: one(look.temperature),
      rebalance: one(look.rebalance),
      evenness: one(look.evenness),
      others: { data: new Float32Array(bins), dims: [1, bins, 1, 1] },
      others_share: one(0),
    };
  }
}

const one = (value) => ({ data: Float32Array.of(value), dims: [1] });

/** Resize a picture's planes to multiples of the stride. */
function scaledTo(feed, scale, stride) {
  if (scale === 1) return { ...feed };
  const [, , height, width] = feed.lightness.dims;
  const [high, wide] = [height, width].map((side) => Math.max(1, roundEven((side * scale) / stride)) * stride);
  const out = { ...feed };
  for (const name of ["lightness", "hint_ab", "hint_mask"]) {
    const planes = planesOf(feed[name]).map((each) => resize(each, high, wide));
    out[name] = { data: joined(planes), dims: [1, planes.length, high, wide] };
  }
  const share = out.hint_mask.data; // a colour that fills half a pixel must not become grayer
  out.hint_ab.data = out.hint_ab.data.map((v, at) => v / Math.max(share[at % share.length], 1e-6));
  return out;
}

/** Mirror planes, or leave them as they are. */
function turned(values, mirrored) {
  if (!mirrored) return values;
  return Object.fromEntries(Object.entries(values).map(([name, { data, dims }]) => {
    if (dims.length !== 4) return [name, { data, dims }];
    const width = dims[3];
    const out = new Float32Array(data.length);
    for (let row = 0; row < data.length; row += width) {
      for (let x = 0; x < width; x += 1) out[row + x] = data[row + width - 1 - x];
    }
    return [name, { data: out, dims }];
  }));
}

/** @returns {Plane[]}  The planes of a tensor (1, C, h, w). */
function planesOf({ data, dims: [, count, height, width] }) {
  return Array.from({ length: count }, (_, i) => plane(width, height, data.slice(i * width * height, (i + 1) * width * height)));
}

function joined(planes) {
  const out = new Float32Array(planes.length * planes[0].data.length);
  planes.forEach(({ data }, i) => out.set(data, i * data.length));
  return out;
}

/**
 * Colours with the look's saturation, softly bounded by its ceiling: `Setting.shown`.
 * @param {Plane[]} ab
 */
function shown([a, b], { saturation, ceiling }) {
  for (let i = 0; i < a.data.length; i += 1) {
    const [x, y] = [a.data[i] * saturation, b.data[i] * saturation];
    const less = ceiling ? (1 + (Math.hypot(x, y) / ceiling) ** 4) ** 0.25 : 1;
    a.data[i] = x / less;
    b.data[i] = y / less;
  }
  return [a, b];
}
