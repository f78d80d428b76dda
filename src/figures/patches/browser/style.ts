/** The display's style; `--` colors are set from the theme. */
export const patchStyle = `
:host { display: block; max-width: 100%; }
* { box-sizing: border-box; }
.patches { color: var(--text); background: var(--background); border: 1px solid var(--grid); border-radius: 10px;
  padding: 14px 16px; font: 13.5px/1.5 var(--font); max-width: 600px; container-type: inline-size; }
h3 { font-size: 16px; line-height: 1.3; margin: 0; font-weight: 600; }
.hint { margin: 3px 0 12px; color: var(--muted); }
fieldset { border: 0; margin: 0 0 8px; padding: 0; display: grid; grid-template-columns: 56px 1fr; }
legend { float: left; padding: 3px 0; color: var(--muted); }
.choices { display: flex; flex-wrap: wrap; gap: 3px; }
.choices label { cursor: pointer; } .choices input { position: absolute; opacity: 0; pointer-events: none; }
.choices span { display: block; min-width: 32px; text-align: center; padding: 3px 9px; border: 1px solid var(--axis);
  border-radius: 6px; }
.choices label:hover span { border-color: var(--accent); }
.choices input:checked + span { background: var(--accent); border-color: var(--accent); color: #fff; }
.choices input:focus-visible + span, canvas:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
.stage { display: block; width: 100%; max-width: 400px; margin: 12px auto 0; border-radius: 4px; cursor: crosshair;
  touch-action: manipulation; }
.scale { display: flex; align-items: center; gap: 8px; margin: 9px auto 0; max-width: 400px; font-size: 12.5px;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar { flex: 1; min-width: 40px; height: 10px; border-radius: 3px; border: 1px solid var(--grid); }
.check { display: inline-flex; align-items: center; gap: 6px; cursor: pointer; margin-top: 8px; }
.check input { margin: 0; accent-color: var(--accent); }
.readout { margin: 8px 0 0; min-height: 3em; }
@container (max-width: 420px) { fieldset { grid-template-columns: 1fr; } .choices span { padding: 6px 11px; } }
`;
