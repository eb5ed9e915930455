/** ICC profiles. */

import { text } from "./bytes.js";

/** Whether a profile describes sRGB, by its own description. */
export function isSrgb(icc) {
  if (text(icc.subarray(16, 20)) !== "RGB ") return false;
  let described = "";
  for (let at = 128; at < icc.length; at += 8192) described += text(icc.subarray(at, at + 8192));
  return /sRGB/.test(described.replaceAll("\0", ""));
}
