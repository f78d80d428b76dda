import { type BrowserBlob, type Element, make, page } from "./dom";

/** Offers bytes as a file. The link must be in the page while it is pressed: VS Code looks for it there. */
export function download(blob: BrowserBlob, name: string, place: Element): void {
  const url = page.URL.createObjectURL(blob);
  const link = make("a", { href: url, download: name, hidden: "" });
  place.append(link);
  link.click();
  link.remove();
  page.setTimeout(() => page.URL.revokeObjectURL(url), 60_000);
}
