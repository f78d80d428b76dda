/**
 * Brings the element around the running script to life, or where no script says where it stands every one of the class
 * that is not alive yet; where that fails, the static image in it stays.
 */
export function upgradeHosts(className: string, upgrade: (host: HTMLElement) => Promise<void>): void {
  const own = document.currentScript?.parentElement;
  // Jupyter Notebook 6 runs scripts from the document's head.
  const hosts = own?.classList.contains(className)
    ? [own]
    : [...document.querySelectorAll<HTMLElement>(`.${className}:not([data-ready])`)];
  for (const host of hosts) {
    if (host.dataset.ready) continue;
    host.dataset.ready = "true";
    const alive = () => {
      host.dataset.alive = "true";
    };
    upgrade(host).then(alive, (error: unknown) => console.warn("the static image stays:", error));
  }
}
