/** How drawings look: the colours of `app.css` as values, as a canvas knows no properties of CSS. */

import type { ChartOption } from './echarts';

export interface Look {
  text: string;
  quiet: string;
  grid: string;
  line: string;
  surface: string;
  raised: string;
  accent: string;
  shade: string;
  sunken: string;
  /** How wide it is drawn, pixels: names get less room where there is little. */
  width: number;
}

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** The colours that are in force. */
export function look(width: number): Look {
  const [text, quiet, grid, line] = [token('text'), token('quiet'), token('grid'), token('line')];
  const [surface, raised, accent, shade] = [
    token('surface'),
    token('raised'),
    token('accent'),
    token('shade'),
  ];
  return { text, quiet, grid, line, surface, raised, accent, shade, sunken: token('sunken'), width };
}

/** What all drawings have in common. */
export function base(look: Look): ChartOption {
  return {
    animation: false,
    textStyle: { fontFamily: 'system-ui, sans-serif', fontSize: 11, color: look.quiet },
    tooltip: {
      confine: true,
      transitionDuration: 0,
      padding: [8, 10],
      borderWidth: 1,
      borderColor: look.line,
      backgroundColor: look.raised,
      textStyle: { color: look.text, fontSize: 12 },
    },
  };
}

/** A line of a tooltip. */
export interface TooltipRow {
  colour?: string | undefined;
  name: string;
  value: string;
}

/**
 * What a tooltip shows, as nodes: names from the network become text and never HTML, and no style is written into HTML, which the
 * pages' policy refuses.
 */
export function tooltip(head: string, rows: TooltipRow[], more = 0, foot?: string): HTMLElement {
  const box = document.createElement('div');
  const add = (parent: HTMLElement, kind: string, text: string, css: Partial<CSSStyleDeclaration> = {}) => {
    const made = document.createElement(kind);
    made.textContent = text;
    Object.assign(made.style, css);
    parent.append(made);
    return made;
  };
  add(box, 'div', head, { fontWeight: '600', marginBottom: rows.length > 0 ? '4px' : '0' });
  const table = add(box, 'div', '', {
    display: 'grid',
    gridTemplateColumns: 'auto minmax(0, 1fr) auto',
    gap: '2px 8px',
    alignItems: 'center',
    maxWidth: 'min(30rem, 84vw)',
    fontVariantNumeric: 'tabular-nums',
  });
  for (const { colour, name, value } of rows) {
    add(table, 'span', '', {
      width: '10px',
      height: '10px',
      borderRadius: '2px',
      background: colour ?? 'transparent',
    });
    add(table, 'bdi', name, { overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' });
    add(table, 'span', value, { textAlign: 'right', paddingLeft: '12px', whiteSpace: 'nowrap' });
  }
  if (more > 0) add(box, 'div', `and ${String(more)} more`, { marginTop: '4px', opacity: '0.75' });
  if (foot) add(box, 'div', foot, { marginTop: '4px', fontStyle: 'italic' });
  return box;
}
