/** What a browser calls itself, in two words. No DOM. */

/** The first that is found is it: most call themselves by those below, too. */
const BROWSERS: [string, RegExp][] = [
  ['Edge', /\bEdgA?\//],
  ['Opera', /\bOPR\//],
  ['Firefox', /\b(Firefox|FxiOS)\//],
  ['Chrome', /\b(Chrome|Chromium|CriOS|HeadlessChrome)\//],
  ['Safari', /\bSafari\//],
];
const SYSTEMS: [string, RegExp][] = [
  ['iPhone', /\biPhone\b/],
  ['iPad', /\biPad\b/],
  ['Android', /\bAndroid\b/],
  ['Windows', /\bWindows\b/],
  ['ChromeOS', /\bCrOS\b/],
  ['macOS', /\bMac OS X\b/],
  ['Linux', /\bLinux\b/],
];

/** `Firefox, Windows`; what it says itself where that is not known; `''` if it says nothing. */
export function browser(agent: string): string {
  const named = (all: [string, RegExp][]) => all.find(([, like]) => like.test(agent))?.[0];
  const name = named(BROWSERS);
  return name ? [name, named(SYSTEMS)].filter(Boolean).join(', ') : agent;
}
