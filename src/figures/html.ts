/** Text made safe for HTML content and attribute values. */
export function escapeHtml(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}

/** JSON that can stand inside a `<script>` element. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value).replace(/</g, "\\u003c");
}

/** Bytes as a data URL. */
export function dataUrl(mime: string, content: string | Uint8Array): string {
  return `data:${mime};base64,${Buffer.from(content).toString("base64")}`;
}
