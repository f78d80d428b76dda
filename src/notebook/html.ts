export { dataUrl, escapeHtml } from "../figures/html";

/** Text without terminal color codes. */
export function stripAnsi(text: string): string {
  return text.replace(new RegExp(`${String.fromCharCode(27)}\\[[0-9;?]*[A-Za-z]`, "g"), "");
}
