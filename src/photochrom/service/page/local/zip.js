/** A zip of files that are compressed already, without further compression (PKWARE APPNOTE 6.3). */

import { crc32, joined, latin, little } from "./bytes.js";

const MADE_ON = 0x21; // 1 January 1980: no date is claimed
const UTF8 = 0x0800;

/**
 * @param {{name: string, blob: Blob}[]} files
 * @returns {Promise<Blob>}
 */
export async function zipOf(files) {
  const parts = [];
  const directory = [];
  let at = 0;
  for (const { name, blob } of files) {
    const content = new Uint8Array(await blob.arrayBuffer());
    const title = new TextEncoder().encode(name);
    const common = joined(
      little(UTF8, 2), little(0, 2), little(0, 2), little(MADE_ON, 2), little(crc32(content), 4),
      little(content.length, 4), little(content.length, 4), little(title.length, 2), little(0, 2));
    const local = joined(latin("PK\x03\x04"), little(20, 2), common, title);
    directory.push(joined(latin("PK\x01\x02"), little(20, 2), little(20, 2), common, little(0, 10), little(at, 4), title));
    parts.push(local, blob);
    at += local.length + content.length;
  }
  const central = joined(...directory);
  const count = little(files.length, 2);
  const end = joined(latin("PK\x05\x06"), little(0, 4), count, count, little(central.length, 4), little(at, 4), little(0, 2));
  return new Blob([...parts, central, end], { type: "application/zip" });
}

/** Names that differ: a second `a.jpg` becomes `a-2.jpg`. */
export function distinct(names) {
  const used = new Set();
  return names.map((name) => {
    const [, stem, suffix] = /^(.*?)(\.[^.]*)?$/s.exec(name);
    let found = name;
    for (let number = 2; used.has(found.toLowerCase()); number += 1) found = `${stem}-${number}${suffix ?? ""}`;
    used.add(found.toLowerCase());
    return found;
  });
}
