import { describe, expect, it } from 'vitest';
import { exploring, seriesView, topView } from './exploring';

const of = (query: string) => {
  const parameters = new URLSearchParams(query);
  return exploring((name) => parameters.get(name) ?? undefined);
};

describe('exploring', () => {
  it('begins with applications as areas', () => {
    expect(of('')).toEqual({
      groups: ['applications'],
      by: 'octets',
      drawing: 'areas',
      limit: 10,
      previous: false,
    });
  });
  it('takes what makes sense', () => {
    expect(
      of('group=sites,servers,sites,colours,ports,clients&by=flows&view=heatmap&limit=20&previous=1'),
    ).toEqual({
      groups: ['sites', 'servers'],
      by: 'flows',
      drawing: 'heatmap',
      limit: 20,
      previous: true,
    });
    expect(of('group=colours&by=taste&view=pie&limit=1e9')).toEqual(of(''));
  });
  it('asks for what is drawn', () => {
    expect(seriesView(of('previous=1'))).toEqual({
      series: { dimension: 'applications', by: 'octets', limit: 10, previous: true },
    });
    expect(topView(of(''))).toBeUndefined();
    expect(seriesView(of('view=table'))).toBeUndefined();
    expect(topView(of('view=table&group=ports'))).toEqual({
      top: { dimension: 'ports', by: 'octets', limit: 10 },
    });
  });
});
