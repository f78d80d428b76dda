import { make } from "./dom";

/** Offers bytes as a file. The link must be in the page while it is pressed: VS Code looks for it there. */
export function download(blob: Blob, name: string, place: Element): void {
  const url = URL.createObjectURL(blob);
  const link = make("a", { href: url, download: name, hidden: "" });
  place.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
