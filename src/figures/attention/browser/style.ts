/** The viewer's style; `--` colors are set from the theme. */
export const viewerStyle = `
:host { display: block; max-width: 100%; }
* { box-sizing: border-box; }
.viewer { color: var(--text); background: var(--background); border: 1px solid var(--grid); border-radius: 10px;
  padding: 16px 18px 14px; font: 13.5px/1.5 var(--font); max-width: 1000px; container-type: inline-size; }
.single { max-width: 560px; } .single.bench { max-width: 1100px; } .bench { max-width: 1240px; }
h3 { font-size: 16px; line-height: 1.3; margin: 0; font-weight: 600; }
.hint, .unseen-hint { margin: 3px 0 12px; color: var(--muted); }
.controls { display: grid; gap: 8px; margin-bottom: 14px; }
.setting { display: grid; grid-template-columns: 46px 1fr; align-items: center; }
.name { color: var(--muted); }
.segments { display: flex; flex-wrap: wrap; gap: 3px; }
.segments label { cursor: pointer; }
.segments input { position: absolute; opacity: 0; pointer-events: none; }
.segments span { display: block; min-width: 30px; text-align: center; padding: 3px 9px; border: 1px solid var(--axis);
  border-radius: 6px; }
.segments label:hover span, button:hover { border-color: var(--accent); }
.segments input:checked + span { background: var(--accent); border-color: var(--accent); color: #fff; }
.segments input:focus-visible + span, .stage:focus-visible, button:focus-visible, .check input:focus-visible {
  outline: 3px solid var(--focus); outline-offset: 2px; }
.details { display: flex; flex-wrap: wrap; gap: 4px 18px; align-items: center; padding-left: 46px; }
.check { display: inline-flex; align-items: center; gap: 6px; cursor: pointer; }
.check input { margin: 0; accent-color: var(--accent); } .check input[type=range] { width: 110px; }
.panels { display: grid; grid-template-columns: repeat(var(--count), minmax(0, 1fr)); gap: 22px; }
.panel { min-width: 0; display: grid; grid-template-columns: minmax(0, 1fr); gap: 0 26px; align-content: flex-start; }
.seen { min-width: 0; display: flex; flex-wrap: wrap; align-items: center; gap: 0 14px; align-content: flex-start; }
.seen > * { flex: 0 0 100%; min-width: 0; }
h4 { margin: 0 0 6px; font-size: 14.5px; font-weight: 600; line-height: 1.35; }
.subtitle { display: block; font-weight: 400; color: var(--muted); font-size: 12.5px; min-height: 2.7em; }
.reserving { display: grid; } .reserving > * { grid-area: 1 / 1; } .unseen { visibility: hidden; }
.seen > .stage { display: block; margin: 0 auto; border-radius: 4px; cursor: crosshair; touch-action: manipulation; }
.legend { display: flex; align-items: center; gap: 8px; margin-top: 9px; flex: 0 0 100%; font-variant-numeric: tabular-nums;
  font-size: 12.5px; white-space: nowrap; }
.bar { flex: 1; min-width: 40px; height: 10px; border-radius: 3px; border: 1px solid var(--grid); }
.seen > .what { flex: 1 1 150px; color: var(--muted); font-size: 12.5px; margin-top: 5px; }
.caption { margin: 0 0 5px; color: var(--muted); font-size: 12.5px; }
.segments em { font-style: normal; color: var(--muted); padding: 3px 4px 3px 0; }
button { font: inherit; color: inherit; background: none; border: 1px solid var(--axis); border-radius: 6px; cursor: pointer; }
.seen > .class-token { flex: 0 0 auto; padding: 2px 9px 2px 6px; font-size: 12.5px; margin-top: 6px; display: inline-flex;
  align-items: center; gap: 6px; font-variant-numeric: tabular-nums; }
.class-token[aria-pressed=true] { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
.swatch { width: 14px; height: 14px; border-radius: 3px; border: 1px solid var(--axis); }
.readout { margin: 8px 0 10px; min-height: 4.5em; text-wrap: pretty; }
.heads { display: grid; grid-template-columns: repeat(auto-fill, minmax(80px, 1fr)); gap: 8px; }
.said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); margin: 0; }
.bench .readout { min-height: 6em; }
.answer { margin: 0 0 6px; min-height: 3em; text-wrap: pretty; }
.choices { display: grid; gap: 2px; margin-bottom: 14px; }
.choice { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1.2fr) 9.6em; align-items: center; gap: 10px; width: 100%;
  border-color: transparent; padding: 3px 8px; text-align: left; font-size: 13px; }
.choice[aria-checked=true] { border-color: var(--accent); background: var(--tint); }
.choice b { font-weight: 600; font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; }
.class-name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.choice .meter { position: relative; height: 8px; border-radius: 4px; }
.choice .meter i { position: absolute; inset: 0 auto 0 0; } .choice .meter .before { background: var(--axis); }
.choice .meter i + i { opacity: .92; }
.heads-by-layers { margin-top: 14px; } .heads-by-layers .caption { margin-top: 5px; } .heads-by-layers .setting { grid-template-columns: auto 1fr; gap: 10px; margin-bottom: 5px; }
.head-grid { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 3px 8px; align-items: start; margin-bottom: 8px; }
.layer-name { font-size: 12px; line-height: 24px; color: var(--muted); text-align: right; font-variant-numeric: tabular-nums; }
.cells { display: flex; flex-wrap: wrap; gap: 2px; }
.cell { width: 26px; height: 24px; border-radius: 4px; border: 1px solid var(--grid); padding: 0; position: relative; }
.cell[aria-pressed=true]::after { content: "×"; position: absolute; inset: 1px; border-radius: 3px; font: 700 18px/19px var(--font);
  background: var(--background); color: var(--text); }
.head { padding: 3px; display: block; text-align: left; border-color: var(--grid); }
.head canvas { display: block; width: 100%; image-rendering: pixelated; border-radius: 3px; }
.head[aria-pressed=true] { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
.label { display: flex; justify-content: space-between; white-space: nowrap; font-size: 11px; line-height: 1.6; color: var(--muted); }
.label b { font-weight: 600; color: var(--text); font-variant-numeric: tabular-nums; }
.meter { display: block; height: 3px; background: var(--grid); border-radius: 2px; overflow: hidden; }
.meter i { display: block; height: 100%; background: var(--accent); }
.foot { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; border-top: 1px solid var(--grid); margin-top: 14px; padding-top: 10px; }
.foot button { padding: 3px 11px; } .foot .note { color: var(--muted); font-size: 12.5px; flex: 1 1 260px; }
.made { flex: 0 0 100%; } .made img { max-width: 100%; border: 1px solid var(--grid); border-radius: 4px; }
.explain, .unseen-explain { margin: 0 0 12px; padding: 7px 11px; border-left: 3px solid var(--accent); background: var(--tint); border-radius: 0 6px 6px 0; }
@container (min-width: 780px) { .single.bench .panel { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
  .single.bench .seen { position: sticky; top: 8px; align-self: start; } }
@container (min-width: 520px) { .single .subtitle { min-height: 0; } }
@container (max-width: 620px) { .panels { grid-template-columns: minmax(0, 1fr); } .readout { min-height: 7.5em; } .bench .readout { min-height: 9em; } .seen > .what { flex-basis: 100%; } }
@container (max-width: 420px) { .setting { grid-template-columns: 1fr; gap: 2px; } .details { padding-left: 0; } .segments span { padding: 5px 9px; }
  .head-grid { gap: 3px 5px; } .layer-name { font-size: 10.5px; line-height: 26px; } .cell { width: 24px; height: 26px; } }
@media (max-width: 420px) { .viewer { padding: 12px 10px; } }
`;
