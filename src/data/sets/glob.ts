/**
 * What a glob means, for paths with "/" between their parts: `*` and `?` within a part, `[abc]` one of some characters,
 * `**` any parts or none; everything below a folder where it comes last. Reference: fsspec, glob_translate.
 */
export function globRegex(pattern: string): RegExp {
  const parts = pattern.replace(/^(?:\.?\/)+/, "").split("/");
  const last = parts.length - 1;
  const translated = parts.map((part, i) => {
    if (part === "**") return i === last ? ".+" : "(?:[^/]+/)*";
    return part.replace(tokens, translate) + (i === last ? "" : "/");
  });
  return new RegExp(`^${translated.join("")}$`, "s");
}

/** A set of characters, in which "]" comes first if at all, or one character. */
const tokens = /\[(!?)(\]?[^\]]*)\]|./gs;

function translate(token: string, not: string | undefined, set: string | undefined): string {
  if (set !== undefined) return `[${not ? "^" : ""}${set.replace(/[\\[\]^]/g, "\\$&")}]`;
  if (token === "*") return "[^/]*";
  return token === "?" ? "[^/]" : token.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
