"""The style of the page. It has no picture and no font of its own, and follows the reader's light or dark."""

STYLE = """
:root{color-scheme:light dark;--ink:#1c2127;--dim:#5a6470;--paper:#fff;--card:#f6f7f9;--edge:#d5dae0;--link:#0b57b7;
--bad:#b3261e;--odd:#8a5a00;--good:#1b6e3c;--wait:#aeb6c0;--response:#5c7893;--after:#d3d9e0;--probe:#b9c2cc;--step:#e3c48a;
--waited:#c2185b;--task:#2f7fb8;--net:#c62828;--io:#d35400;--cpu:#7b3fb5;--gil:#a0306b;--pool:#1665b0;--lock:#00786c}
@media (prefers-color-scheme:dark){:root{--ink:#e4e8ec;--dim:#9aa5b1;--paper:#14171a;--card:#1d2125;--edge:#373e46;
--link:#7db4ff;--bad:#ff8a80;--odd:#f0b95a;--good:#7fd39b;--wait:#67717c;--response:#86a5c4;--after:#3a424b;
--probe:#525b65;--step:#7d6a3d;--waited:#ff6fa5;--task:#5fb0e8;--net:#ff6f61;--io:#ff9f43;--cpu:#bb8bf0;--gil:#f07ab8;--pool:#64a9ff;
--lock:#38c2b1}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:72rem;background:var(--paper);color:var(--ink);line-height:1.5;
font-family:system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.1rem;margin:0;color:var(--dim)}h2{font-size:1.3rem;margin:2rem 0 .5rem}h3{font-size:1rem;
margin:0 .4rem .2rem 0;display:inline-block;font-family:ui-monospace,monospace}
p{margin:.3rem 0}a{color:var(--link)}
.verdict{font-size:1.7rem;font-weight:600;line-height:1.2}.verdict.bad{color:var(--bad)}.verdict.good{color:var(--good)}
.verdict.odd{color:var(--odd)}
.dim,.of,.more,.axis,.lane,dt{color:var(--dim);font-size:.875rem}
nav{display:flex;flex-wrap:wrap;gap:.3rem 1rem;padding:.5rem 0;border-bottom:1px solid var(--edge)}
.skip{position:absolute;left:-999rem}.skip:focus{position:static}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}
pre{background:var(--paper);border:1px solid var(--edge);border-radius:.3rem;padding:.4rem .6rem;margin:.4rem 0;
white-space:pre-wrap}
.item{background:var(--card);border:1px solid var(--edge);border-radius:.4rem;padding:.7rem .9rem;margin:.6rem 0}
.item:target{border-color:var(--link)}
#first li{margin:.5rem 0}ul{margin:.3rem 0;padding-left:1.2rem}
dl{display:grid;grid-template-columns:5rem 1fr;gap:.1rem .6rem;margin:.4rem 0}dd{margin:0}
details{margin:.3rem 0}summary{cursor:pointer;color:var(--dim);font-size:.875rem}
.badge{display:inline-block;border:1px solid;border-radius:1rem;padding:0 .5rem;font-size:.8rem;color:var(--dim)}
.badge.failed,.badge.sync-network,.badge.sync-io,.badge.cpu,.badge.gil,.badge.pool-starved,.badge.contention{
color:var(--bad)}
.badge.inconclusive,.badge.not-exercised,.badge.accepted{color:var(--odd)}.badge.passed{color:var(--good)}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--edge);vertical-align:top;white-space:nowrap}
td:first-child,td:last-child{white-space:normal;min-width:11rem}
td:nth-child(n+3):nth-child(-n+6),th:nth-child(n+3):nth-child(-n+6){text-align:right}
th{vertical-align:bottom;white-space:normal;overflow-wrap:normal;min-width:5.5rem}
th button{all:unset;cursor:pointer;text-decoration:underline dotted}
th button:focus-visible{outline:3px solid var(--link)}
.filter{display:block;margin:.4rem 0}.filter input{font:inherit;padding:.2rem .5rem;width:min(100%,22rem)}
.time{margin:.5rem 0}.lane{display:grid;grid-template-columns:11rem 1fr;gap:.6rem;align-items:center;
min-height:1.3rem;margin:0}
.lane+.lane{margin-top:2px}
.lane svg{display:block;background:linear-gradient(90deg,var(--edge) 1px,transparent 1px) 0 0/25% 100%;
border-right:1px solid var(--edge)}
.axis i{font-style:normal}.axis{display:flex;margin:0;justify-content:space-between;padding-left:11.6rem}
.key{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;list-style:none;padding:0;font-size:.875rem;color:var(--dim)}
.swatch{display:inline-block;width:1.4rem;height:.7rem;margin-right:.4rem;background:var(--edge)}
.wait{fill:var(--wait);background:var(--wait)}.response{fill:var(--response);background:var(--response)}
.after{fill:var(--after);background:var(--after)}.probe{fill:var(--probe);background:var(--probe)}
.step{fill:var(--step);background:var(--step)}.waited{fill:var(--waited);background:var(--waited)}.task{fill:var(--task);background:var(--task)}
.swatch.stall{background:linear-gradient(90deg,var(--net) 25%,var(--io) 25% 50%,var(--cpu) 50% 75%,var(--pool) 75%)}
.lane .sync-network{fill:var(--net)}.lane .sync-io{fill:var(--io)}.lane .cpu,.lane .loop-total{fill:var(--cpu)}
.lane .gil{fill:var(--gil)}.lane .pool-starved{fill:var(--pool)}.lane .contention{fill:var(--lock)}
@media (max-width:40rem){body{padding:.6rem}.verdict{font-size:1.35rem}.lane{grid-template-columns:1fr;gap:0;
margin-top:.25rem}.axis{padding-left:0}dl{grid-template-columns:1fr}dd{margin-bottom:.3rem}.item{padding:.5rem .6rem}}
@media print{body{max-width:none;padding:0}nav,.filter,.skip{display:none}.item,tr{break-inside:avoid}
.wide{overflow:visible}th,td{white-space:normal}details::details-content{content-visibility:visible;display:block}
svg,.swatch,.verdict{print-color-adjust:exact;-webkit-print-color-adjust:exact}a{color:inherit;text-decoration:none}}
"""
