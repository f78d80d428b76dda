// Makes data/text/devils-dictionary.txt from the file that Debian's package dict-devil installs:
//   zcat -f /usr/share/dictd/devil.dict.dz | node scripts/make-toy-text.mjs
// The book (Ambrose Bierce, 1911) is in the public domain. Header and dictionary bookkeeping are cut off, spaces at line
// ends removed, and entries that hold words read as slurs today are left out.
import { writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const slurs =
  /negro|nigger|\bjews?\b|jewish|hebrew|redskin|chinaman|chinese|mongol|\bsavages?\b|mulatto|darky|white man|squaw|hottentot/i;

const source = (await text(process.stdin))
  .replace(/\r/g, "")
  .replace(/\n abcdefghijklmnopqrstuvwxyz\s*$/, "\n");
const entries = source
  .slice(source.indexOf("\nABDICATION,"))
  .split(/\n(?=[A-Z][A-Z' -]+(?:,|\.|\n))/)
  .map((entry) => entry.replace(/[ \t]+$/gm, "").trim());
const kept = entries.filter(
  (entry) => entry && !slurs.test(entry) && !entry.startsWith("00-") && /[a-z]{3}/.test(entry),
);
const target = fileURLToPath(new URL("../data/text/devils-dictionary.txt", import.meta.url));
writeFileSync(target, `${kept.join("\n\n")}\n`);
console.log(`${kept.length} of ${entries.length} entries, ${kept.join("\n\n").length} bytes`);
