/** Whether the page around an element is dark: what Jupyter and VS Code say, else the background behind it. */
export function isDark(host: Element): boolean {
  const { body, documentElement } = document;
  const jupyter = body.dataset.jpThemeLight;
  if (jupyter !== undefined) return jupyter === "false";
  const code = body.dataset.vscodeThemeKind;
  if (code !== undefined) return /dark|high-contrast$/.test(code);
  for (let at: Element | null = host; at; at = at.parentElement) {
    const light = lightness(getComputedStyle(at).backgroundColor);
    if (light !== undefined) return light < 128;
  }
  const prefersDark = matchMedia("(prefers-color-scheme: dark)").matches;
  return prefersDark && getComputedStyle(documentElement).colorScheme.includes("dark");
}

/** Calls back when the theme may have changed. */
export function onThemeChange(react: () => void): void {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", react);
  const attributes = {
    attributes: true,
    attributeFilter: ["class", "data-jp-theme-light", "data-vscode-theme-kind", "style"],
  };
  const observer = new MutationObserver(react);
  for (const element of [document.body, document.documentElement]) observer.observe(element, attributes);
}

/** 0 to 255; undefined for a color that lets most of what is behind it through. */
function lightness(color: string): number | undefined {
  const [r, g, b, alpha = 1] = (color.match(/[\d.]+/g) ?? []).map(Number);
  if (r === undefined || alpha < 0.5) return undefined;
  return 0.3 * r + 0.59 * g! + 0.11 * b!;
}
