import { brief } from "../../core/brief";
import { LuvitError } from "../../core/errors";

/** What one place of a pattern takes: any number of places, or one that fits. */
type Token<Place> = "any number" | ((place: Place) => boolean);

/**
 * What a glob means, for paths with "/" between their parts: `*` and `?` within a part, `[abc]` one of some characters,
 * `**` any parts or none; everything below a folder where it comes last. Patterns come from files of strangers: none takes
 * longer than its length times the path's. Reference: fsspec, glob_translate.
 *
 * @throws LuvitError("bad-dataset") for a set of characters that is none.
 */
export function globMatcher(pattern: string): (path: string) => boolean {
  const parts = pattern.replace(/^(?:\.?\/)+/, "").split("/");
  const tokens = parts.flatMap((part, i): Token<string>[] => {
    if (part !== "**") return [partMatcher(part, pattern)];
    return i === parts.length - 1 ? [() => true, "any number"] : ["any number"];
  });
  return (path) => fits(path.split("/"), tokens);
}

function partMatcher(part: string, pattern: string): (name: string) => boolean {
  const tokens = [...part.matchAll(/\[(!?)(\]?[^\]]*)\]|./gs)].map(([token, not, set]): Token<string> => {
    if (set !== undefined) return setMatcher(not === "!", set, pattern);
    if (token === "*") return "any number";
    return token === "?" ? () => true : (character) => character === token;
  });
  return (name) => fits(name.split(""), tokens);
}

/** A set of characters, in which "]" comes first if at all. */
function setMatcher(not: boolean, set: string, pattern: string): (character: string) => boolean {
  try {
    const characters = new RegExp(`^[${not ? "^" : ""}${set.replace(/[\\[\]^]/g, "\\$&")}]$`, "s");
    return (character) => characters.test(character);
  } catch {
    throw new LuvitError(
      "bad-dataset",
      `the pattern ${brief(pattern)} has a set of characters that is none, [${set}]`,
    );
  }
}

/** Only the last "any number" is ever tried again: what it might give back to an earlier one, it can take itself. */
function fits<Place>(places: readonly Place[], tokens: readonly Token<Place>[]): boolean {
  let [at, next, star, tried] = [0, 0, -1, 0];
  while (at < places.length) {
    const token = tokens[next];
    if (token === "any number") {
      star = next++;
      tried = at;
    } else if (token?.(places[at]!)) {
      at++;
      next++;
    } else if (star >= 0) {
      next = star + 1;
      at = ++tried;
    } else return false;
  }
  return tokens.slice(next).every((token) => token === "any number");
}
