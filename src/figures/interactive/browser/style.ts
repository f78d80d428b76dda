/** The style of a figure in a page; `--` colors are set from the theme. */
export const plotStyle = `
:host { display: block; }
.plot { position: relative; outline: none; font: 12.5px/1.45 var(--font); color: var(--text); }
.plot:focus-visible { box-shadow: 0 0 0 2px var(--accent); border-radius: 4px; }
.drawing svg { display: block; user-select: none; -webkit-user-select: none; }
.entry { cursor: pointer; }
.tip { position: absolute; z-index: 2; pointer-events: none; max-width: 260px; padding: 5px 9px; border-radius: 6px;
  background: var(--background); border: 1px solid var(--axis); box-shadow: 0 2px 10px rgba(0,0,0,.18);
  font-variant-numeric: tabular-nums; }
.tip b { font-weight: 600; } .tip div { overflow-wrap: anywhere; }
.ring { position: absolute; width: 13px; height: 13px; margin: -7.5px 0 0 -7.5px; border-radius: 50%; pointer-events: none;
  border: 2px solid var(--text); }
.rectangle { position: absolute; pointer-events: none; border: 1px solid var(--accent); background: color-mix(in srgb, var(--accent) 14%, transparent); }
.tools { position: absolute; right: 4px; top: 4px; display: flex; gap: 4px; opacity: 0; transition: opacity .12s; }
.plot:hover .tools, .plot:focus-within .tools, .zoomed .tools { opacity: 1; }
button { font: 11.5px/1 var(--font); color: var(--muted); background: var(--background); border: 1px solid var(--axis);
  border-radius: 5px; padding: 4px 7px; cursor: pointer; }
button:hover, button:focus-visible { color: var(--text); border-color: var(--accent); outline: none; }
@media (hover: none) { .tools { display: none; } .zoomed .tools { display: flex; } }
@media (prefers-reduced-motion: reduce) { .tools { transition: none; } }
[hidden] { display: none; }
`;
