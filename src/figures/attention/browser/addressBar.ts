import { fromAddress, toAddress } from "./address";
import type { ViewerHeader } from "./payload";
import type { ViewState } from "./state";

/**
 * The address of a page of its own, kept in step with what is looked at; of a notebook's page, which is not the viewer's,
 * nothing is read or written.
 */
export class AddressBar {
  private readonly isOwn = document.body.dataset.luvitPage !== undefined;
  private due: number | undefined;

  constructor(private readonly header: ViewerHeader) {}

  read(): Partial<ViewState> {
    return this.isOwn ? fromAddress(location.hash, this.header) : {};
  }

  /** Calls back when the address was changed by hand, or by going back. */
  follow(react: (part: Partial<ViewState>) => void): void {
    if (this.isOwn) addEventListener("hashchange", () => react(this.read()));
  }

  /** Browsers take a few hundred changes a minute, so only where the pointer came to rest is written. */
  write(state: ViewState): void {
    if (!this.isOwn) return;
    clearTimeout(this.due);
    this.due = setTimeout(() => history.replaceState(null, "", `#${toAddress(state)}`), 250);
  }
}
