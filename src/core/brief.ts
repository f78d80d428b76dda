const LONGEST = 80;

/** A value from a file for a message: as JSON, short, whatever it is (deeply nested, cyclic, without a text of its own). */
export function brief(value: unknown, longest = LONGEST): string {
  try {
    const text = JSON.stringify(value) ?? "nothing";
    return text.length > longest ? `${text.slice(0, longest)}…` : text;
  } catch {
    return "a value that cannot be shown (nested too deeply?)";
  }
}
