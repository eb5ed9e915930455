/** Read a settings file, such as the sidecar of a coloured photograph. */

import { DEFAULTS, freshId, scaleHints } from "./state.js";

const NOT_ONE = "This is not a settings file. Choose one that photochrom has saved, such as photo-color.json.";

/** Whether a file is a settings file rather than a photograph. */
export function isSettings(file) {
  return /\.json$/i.test(file.name) || file.type === "application/json";
}

/**
 * Read wishes for a photograph.
 * @param {File} file
 * @param {{width: number, height: number}} info  Size of the photograph that they are for.
 * @param {Set<string>} methods  Names of the available methods.
 * @returns {Promise<{wishes: Object, missing: string|null, unused: boolean}>}  `missing` names a
 *   reference that has to be given again; `unused`: whether they need the command to be followed.
 * @throws {Error}  With a message that says what is wrong.
 */
export async function readSettings(file, info, methods) {
  let table;
  try {
    table = JSON.parse(await file.text());
  } catch {
    throw new Error(NOT_ONE);
  }
  const { method, look, wishes, size } = table ?? {};
  if (typeof method !== "string" || !look || !wishes || !(size?.length === 2)) throw new Error(NOT_ONE);
  if (!methods.has(method)) throw new Error(`These settings need the method “${method}”, which is not available here.`);
  const hints = (wishes.hints ?? []).map((hint) => ({ colour: null, radius: 8, ...hint, id: freshId("hint") }));
  return {
    wishes: {
      ...DEFAULTS,
      method,
      vividness: look.vividness ?? null,
      saturation: look.saturation ?? 1,
      restore: Boolean(look.restore),
      white_lightness: look.white_lightness ?? null,
      hints: fitted(hints, size, info),
      source: wishes.palette?.length ? { kind: "palette", colours: wishes.palette } : DEFAULTS.source,
      candidate: wishes.candidate ?? 0,
      seed: wishes.seed ?? 0,
    },
    missing: wishes.reference?.file?.split(/[\\/]/).at(-1) ?? null,
    unused: (look.short_side_px ?? null) !== null || (table.float_range ?? null) !== null,
  };
}

function fitted(hints, [width, height], info) {
  if (!hints.length) return hints;
  const factor = info.width / width;
  if (Math.abs((factor * height) / info.height - 1) > 0.01) {
    throw new Error(
      `These settings have hints for a photograph of ${width} × ${height} pixels; this one has ` +
      `${info.width} × ${info.height}, another aspect ratio.`);
  }
  return factor === 1 ? hints : scaleHints(hints, factor);
}
