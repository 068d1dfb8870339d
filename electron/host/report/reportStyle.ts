// The window's tokens (renderer/ui/tokens.css) by value: the report is one file and imports nothing.
const light = `
  --bg: #ffffff; --panel: #f6f7f9; --line: #dcdfe4; --line-strong: #b9bec7; --grid: #e6e8ec;
  --text: #16181c; --text-2: #474e59; --text-3: #616975; --accent: #3a49c9;
  --baseline: #0072b2; --optimized: #d55e00; --as-published: #a4487c; --other-variant: #6a4fc4;
  --prefill: #007a59; --decode: #2a86c0; --mixed: #5d6570; --fault: #b5301c; --warning: #8a6100; --good: #00704f;`;
const dark = `
  --bg: #101113; --panel: #16181b; --line: #272b31; --line-strong: #3b414a; --grid: #22262b;
  --text: #e7e9ec; --text-2: #aab1bb; --text-3: #8b939e; --accent: #93a2ff;
  --baseline: #56b4e9; --optimized: #e69f00; --as-published: #cc79a7; --other-variant: #b3a4f0;
  --prefill: #1fb58c; --decode: #8fd3ff; --mixed: #b6bdc8; --fault: #ff7a52; --warning: #f0c659; --good: #4cc79b;`;

/** Paper is always light. */
export const reportStyle = `
:root { color-scheme: light dark; ${light} }
@media screen and (prefers-color-scheme: dark) { :root { ${dark} } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--bg); color: var(--text);
  font: 14px/1.5 Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums; }
main { max-width: 1000px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0; font-weight: 650; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 16px; font-weight: 650; margin: 40px 0 4px; padding-top: 16px; border-top: 1px solid var(--line); }
h3 { font-size: 13px; font-weight: 600; margin: 20px 0 6px; color: var(--text-2); }
p { margin: 6px 0; max-width: 74ch; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
small, .small { font-size: 12px; color: var(--text-2); }
code, pre { font-family: "JetBrains Mono", ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: 12px; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 4px; padding: 10px 12px; margin: 8px 0;
  white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.45; }
.eyebrow { color: var(--text-3); font-size: 12px; margin: 0 0 6px; }
.badges { display: flex; gap: 8px; flex-wrap: wrap; margin: 10px 0 0; }
.badge { display: inline-block; border: 1px solid var(--line-strong); border-radius: 4px; padding: 1px 8px; font-size: 12px;
  color: var(--text-2); }
.badge.simulated { border-style: dashed; color: var(--text); font-style: italic;
  background: repeating-linear-gradient(135deg, transparent 0 4px, var(--line) 4px 5px); }
.badge.fault { border-color: var(--fault); color: var(--fault); }
.verdict { font-size: 19px; line-height: 1.4; font-weight: 550; margin: 20px 0 8px; max-width: 62ch; overflow-wrap: anywhere; }
.note { border-left: 3px solid var(--warning); background: var(--panel); padding: 6px 12px; margin: 8px 0; max-width: none;
  overflow-wrap: anywhere; }
.note.fault { border-color: var(--fault); }
.note.good { border-color: var(--good); }
.note b { font-weight: 650; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 16px 0 0; font-size: 13px; }
.facts dt { color: var(--text-3); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 12px; margin: 20px 0 0; }
.tile { border: 1px solid var(--line); border-radius: 4px; background: var(--panel); padding: 10px 14px 12px; }
.tile .name { font-size: 12px; color: var(--text-2); }
.tile .value { font-size: 24px; font-weight: 600; line-height: 1.25; }
.tile .value .unit { font-size: 13px; font-weight: 500; color: var(--text-2); }
.tile .was, .tile .change { font-size: 12px; color: var(--text-2); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 12.5px; margin: 8px 0; }
th, td { text-align: right; padding: 3px 10px; border-bottom: 1px solid var(--line); vertical-align: middle; }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
th { font-weight: 550; color: var(--text-2); vertical-align: bottom; }
th.text, td.text { text-align: left; }
.value-list th.text, .value-list td.text { overflow-wrap: anywhere; }
td.glyph, th.glyph { width: 190px; padding: 0 10px; }
th.glyph { font-weight: 400; }
tr.first td { border-top: 1px solid var(--line-strong); }
tbody tr:first-child.first td { border-top: 0; }
td.key { white-space: nowrap; text-align: left; }
.value-list td.key { color: var(--text-2); white-space: normal; overflow-wrap: anywhere; width: 26%; }
.paths td.key { width: 46%; }
.unit { color: var(--text-3); }
.better { color: var(--good); font-weight: 550; }
.worse { color: var(--fault); font-weight: 550; }
.muted { color: var(--text-3); }
.num { white-space: nowrap; }
figure { margin: 12px 0 0; min-width: 0; }
figcaption { font-size: 12.5px; color: var(--text-2); margin-bottom: 2px; }
figcaption b { color: var(--text); font-weight: 600; }
.row { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 24px; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font-family: inherit; }
.key-line { display: inline-flex; align-items: center; gap: 6px; margin-right: 14px; white-space: nowrap; }
.key-line svg { display: inline-block; width: 26px; height: 12px; }
.key-line .label { overflow: hidden; text-overflow: ellipsis; max-width: 42ch; }
.legend { font-size: 12px; color: var(--text-2); display: flex; flex-wrap: wrap; margin: 2px 0 4px; }
.empty { border: 1px dashed var(--line-strong); border-radius: 4px; padding: 10px 14px; color: var(--text-2); margin: 12px 0;
  font-size: 13px; }
details { margin: 8px 0; }
summary { cursor: pointer; color: var(--text-2); font-size: 13px; }
sup.fn { font-size: 10px; line-height: 0; margin-left: 2px; font-weight: 400; }
ol.definitions { font-size: 12.5px; padding-left: 26px; columns: 2; column-gap: 32px; margin: 8px 0; color: var(--text-2); }
ol.definitions li { break-inside: avoid; margin-bottom: 4px; }
ol.definitions b { color: var(--text); font-weight: 600; }
footer { margin-top: 40px; padding-top: 12px; border-top: 1px solid var(--line); color: var(--text-3); font-size: 12px; }
@media (max-width: 700px) {
  main { padding: 20px 14px 40px; }
  .row { grid-template-columns: 1fr; }
  ol.definitions { columns: 1; }
}
@page { size: A4; margin: 14mm 13mm 16mm; }
@media print {
  html { font-size: 12px; }
  body { font-size: 11px; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  main { max-width: none; padding: 0; }
  h1 { font-size: 20px; }
  .verdict { font-size: 15px; }
  h2 { font-size: 14px; margin-top: 22px; padding-top: 10px; break-after: avoid; }
  h3, figcaption, .legend, h2 + p { break-after: avoid; }
  h3, summary { font-size: 11px; }
  sup.fn { font-size: 7.5px; }
  figure, .tile, .note, .figures, .row, tr, dl { break-inside: avoid; }
  thead { display: table-header-group; }
  table { font-size: 10px; }
  th, td { padding: 2px 6px; }
  td.glyph, th.glyph { width: 130px; }
  figcaption, .legend, small, .small, ol.definitions { font-size: 10px; }
  .tile { padding: 6px 10px; }
  .tile .value { font-size: 17px; }
  .figures { grid-template-columns: repeat(4, 1fr); gap: 8px; }
  .row { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 16px; }
  .scroll { overflow: visible; }
  pre, code { font-size: 9.5px; }
  details:not([open]) { display: none; }
  a { color: inherit; }
}
`;
