import {createHash} from 'node:crypto'

/** The page's only style sheet. Text and bars keep a contrast of at least 4.5 and 3 to 1 on both backgrounds. */
export const STYLE = `
:root { color-scheme: light dark; --text: #1b1f24; --soft: #57606a; --back: #ffffff; --card: #f6f8fa; --line: #d0d7de;
  --kind1: #0969da; --kind2: #8250df; --kind3: #bf3989; --kind4: #bc4c00; --kind5: #1a7f37; --kind6: #6e7781;
  --kind7: #9a6700; --bad: #a40e26; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --soft: #9da7b3; --back: #0d1117; --card: #161b22;
  --line: #3d444d; --kind1: #4493f8; --kind2: #ab7df8; --kind3: #db61a2; --kind4: #db6d28; --kind5: #3fb950;
  --kind6: #9198a1; --kind7: #d29922; --bad: #ff7b72; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem; background: var(--back); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.3rem; margin-top: 2.5rem; } h3 { font-size: 1.1rem; overflow-wrap: anywhere; }
p, li { overflow-wrap: anywhere; }
th[scope=row] { overflow-wrap: break-word; max-width: 22rem; }
.soft { color: var(--soft); }
.bad { color: var(--bad); }
section.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; margin: 1rem 0; padding: 1rem; }
figure { margin: 1rem 0; }
figcaption { font-weight: 600; }
svg { display: block; width: 100%; height: auto; margin: .4rem 0; }
ul.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; margin: 0; padding: 0; }
.dot { border-radius: 50%; display: inline-block; height: .75em; margin-right: .4em; width: .75em; }
.kind1 { fill: var(--kind1); } .kind2 { fill: var(--kind2); } .kind3 { fill: var(--kind3); }
.kind4 { fill: var(--kind4); } .kind5 { fill: var(--kind5); } .kind6 { fill: var(--kind6); }
.kind7 { fill: var(--kind7); }
.dot.kind1 { background: var(--kind1); } .dot.kind2 { background: var(--kind2); } .dot.kind3 { background: var(--kind3); }
.dot.kind4 { background: var(--kind4); } .dot.kind5 { background: var(--kind5); } .dot.kind6 { background: var(--kind6); }
.dot.kind7 { background: var(--kind7); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
@media print { body { max-width: none; } details > * { display: block; } }
`

/** Nothing may be loaded or run, whatever a name in the directory says; this one style sheet is known by its hash. */
export const CONTENT_SECURITY_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'`
