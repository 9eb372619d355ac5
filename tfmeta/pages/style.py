"""How pages look: light and dark, on a phone and on paper, without a font to load."""

STYLE = """
:root {
  --ground: #ffffff; --ink: #1f2328; --faint: #59636e; --line: #d1d9e0;
  --panel: #f6f8fa; --blue: #0969da; --right: 9 105 218; --wrong: 207 34 46;
  --red: #cf222e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0d1117; --ink: #f0f6fc; --faint: #9198a1; --line: #3d444d;
    --panel: #151b23; --blue: #4493f8; --right: 31 111 235; --wrong: 218 54 51;
    --red: #f85149;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1rem; max-inline-size: 64rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0.5rem 0; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 0.5rem; border-block-end: 1px solid
  var(--line); padding-block-end: 0.25rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 0.4rem; }
p { margin: 0.5rem 0; }
small, .file, figcaption, caption, dt { color: var(--faint); }
small { font-weight: normal; }
.lead { font-size: 1.15rem; }
code, pre { font: 0.875rem/1.5 ui-monospace, monospace; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px;
  padding: 0.75rem; white-space: pre-wrap; }
table { border-collapse: collapse; inline-size: 100%; margin: 0.5rem 0; }
th, td { text-align: start; padding: 0.25rem 0.5rem; vertical-align: top;
  border-block-end: 1px solid var(--line); }
thead th { color: var(--faint); font-weight: 600; font-size: 0.875rem; }
thead th, .whole { overflow-wrap: normal; }
.whole { white-space: nowrap; }
tbody th { font-weight: 600; }
caption { text-align: start; font-size: 0.875rem; padding-block-end: 0.25rem; }
.bar { inline-size: 35%; vertical-align: middle; }
.track { background: var(--panel); border: 1px solid var(--line); border-radius: 3px;
  block-size: 0.9rem; min-inline-size: 3rem; }
.track div { background: var(--blue); border-radius: 2px; block-size: 100%; }
figure { margin: 0.75rem 0; }
figcaption { font-size: 0.875rem; }
.curve { inline-size: 100%; max-inline-size: 40rem; block-size: auto; }
.curve text { fill: var(--faint); font: 13px system-ui, sans-serif; }
.grid line { stroke: var(--line); }
.chance line { stroke: var(--faint); stroke-dasharray: 2 4; }
.measured polygon, .continued polygon { fill: rgb(var(--right) / 0.18); }
.continued polygon { fill: rgb(var(--right) / 0.08); }
.measured polyline, .continued polyline { fill: none; stroke: var(--blue);
  stroke-width: 2.5; }
.continued polyline { stroke-dasharray: 6 5; }
.dot line { stroke: var(--blue); stroke-opacity: 0.5; }
.dot circle { fill: var(--blue); stroke: var(--blue); stroke-width: 2; }
.open circle { fill: var(--ground); }
.wide { overflow-x: auto; }
.matrix { inline-size: auto; font-size: 0.8rem; font-variant-numeric: tabular-nums; }
.matrix th, .matrix td { padding: 0.1rem 0.3rem; border: 1px solid var(--line);
  white-space: nowrap; }
.matrix caption { white-space: nowrap; }
.matrix td { text-align: center; min-inline-size: 1.7rem; }
.matrix tbody th { position: sticky; inset-inline-start: 0; background: var(--ground); }
.matrix thead th { vertical-align: bottom; }
.matrix thead span { writing-mode: vertical-rl; transform: rotate(180deg); }
.many { font-size: 0.65rem; }
.many th, .many td { padding: 0 0.1rem; }
.many td { min-inline-size: 1rem; }
.many thead th { font-size: inherit; line-height: 1; }
.matrix .right { background: rgb(var(--right) / var(--share)); }
.matrix .wrong { background: rgb(var(--wrong) / var(--share)); }
.cards, .pairs { display: flex; flex-wrap: wrap; gap: 0.75rem;
  align-items: flex-start; }
.card { margin: 0; inline-size: 9rem; padding: 0.4rem; background: var(--panel);
  border: 1px solid var(--line); border-radius: 6px; font-size: 0.8rem;
  line-height: 1.35; }
.card:has(blockquote) { inline-size: 18rem; max-inline-size: 100%; }
.card figcaption { font-size: inherit; color: var(--ink); }
.card.wrong { border: 2px solid var(--red); }
.sheet .card { inline-size: 7rem; }
.sheet { gap: 0.4rem; }
.seen { display: flex; justify-content: center; min-block-size: 2rem; }
.seen img { inline-size: 100%; block-size: auto; max-block-size: 9rem;
  object-fit: contain; }
.seen img.few { image-rendering: pixelated; }
.none { display: none; }
blockquote { margin: 0 0 0.25rem; font-size: 0.95rem; }
.pair { display: flex; flex-wrap: wrap; gap: 0.4rem; inline-size: 19.5rem;
  max-inline-size: 100%; border: 1px solid var(--line); border-radius: 6px;
  padding: 0.4rem; }
.pair p { inline-size: 100%; margin: 0; font-size: 0.8rem; }
dl { display: grid; grid-template-columns: minmax(6rem, auto) 1fr; gap: 0.25rem 1rem;
  margin: 0.5rem 0; }
dd { margin: 0; }
@media (max-width: 40rem) {
  .cards { gap: 0.4rem; }
  .card { inline-size: calc(50% - 0.2rem); }
  .sheet .card { inline-size: calc(33.3% - 0.3rem); }
  .cards > .card:has(blockquote), .pair { inline-size: 100%; }
  .pair .card { inline-size: calc(50% - 0.2rem); }
  th, td { padding: 0.25rem; }
  .bar { display: none; }
  .whole { white-space: normal; }
  tbody th, tbody td:first-child { min-inline-size: 7rem; }
  .matrix tbody th { min-inline-size: 0; }
}
@media print {
  :root { --ground: #ffffff; --ink: #000000; --faint: #444444; --line: #bbbbbb;
    --panel: #ffffff; --blue: #0969da; --right: 9 105 218; --wrong: 207 34 46; }
  body { max-inline-size: none; padding: 0; font-size: 0.85rem;
    print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .card, .pair, tr, .curve { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .wide { overflow: visible; }
}
"""
