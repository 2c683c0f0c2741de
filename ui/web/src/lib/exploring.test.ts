import { describe, expect, it } from 'vitest';
import {
  colouredOf,
  exploring,
  groupText,
  picturePath,
  seriesView,
  titleOf,
  topView,
  withGroup,
  withMore,
} from './exploring';

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
      groups: ['sites', 'servers', 'ports'],
      by: 'flows',
      drawing: 'heatmap',
      limit: 20,
      previous: true,
    });
    expect(of('group=colours&by=taste&view=pie&limit=1e9')).toEqual(of(''));
  });

  it('asks for what is drawn, by all dimensions together', () => {
    expect(seriesView(of('previous=1'))).toEqual({
      series: { dimension: 'applications', by: 'octets', limit: 10, previous: true },
    });
    expect(topView(of(''))).toBeUndefined();
    expect(seriesView(of('view=table'))).toBeUndefined();
    expect(topView(of('view=table&group=ports'))).toEqual({
      top: { dimension: 'ports', by: 'octets', limit: 10 },
    });
    expect(seriesView(of('group=clients,servers&view=heatmap&previous=1'))).toEqual({
      series: { dimension: 'clients,servers', by: 'octets', limit: 10 },
    });
  });

  it('draws bands between two ends, even if only one is said', () => {
    expect(topView(of('view=sankey&group=clients,applications,servers'))).toEqual({
      top: { dimension: 'clients,applications,servers', by: 'octets', limit: 40 },
    });
    expect(of('view=sankey').groups).toEqual(['clients', 'applications']);
    expect(of('view=sankey&group=conversations&limit=5')).toMatchObject({
      groups: ['clients', 'servers', 'ports'],
      limit: 5,
    });
  });

  it('has one to three dimensions, each once', () => {
    expect(withMore(['applications'])).toEqual(['applications', 'servers']);
    expect(withMore(['servers', 'applications'])).toEqual(['servers', 'applications', 'clients']);
    expect(withMore(['sites', 'ports', 'clients'])).toHaveLength(3);
    expect(withGroup(['sites', 'ports'], 1, 'clients')).toEqual(['sites', 'clients']);
    expect(withGroup(['sites', 'ports', 'clients'], 0, 'clients')).toEqual(['clients', 'ports', 'sites']);
  });

  it('has a picture on the server', () => {
    const moment = { last: '15m', filter: 'tcp' };
    expect(picturePath(of('group=sites,clients&view=lines'), moment, 'svg', 'dark')).toBe(
      '/api/v1/series/picture.svg?last=15m&filter=tcp&dimension=sites%2Cclients&by=octets&limit=10&view=lines&theme=dark',
    );
    expect(picturePath(of('group=sites,clients&view=sankey'), moment, 'png', 'light')).toBe(
      '/api/v1/top/sites,clients/picture.png?last=15m&filter=tcp&by=octets&limit=40&theme=light',
    );
  });

  it('colours what has its colour everywhere, or else the last', () => {
    expect(colouredOf(['clients', 'applications', 'servers'])).toBe(1);
    expect(colouredOf(['clients', 'servers'])).toBe(1);
    expect(colouredOf(['ports'])).toBe(0);
  });

  it('says in its address and its title what it groups by', () => {
    expect(groupText(['applications'])).toBeUndefined();
    expect(groupText(['applications', 'sites'])).toBe('applications,sites');
    expect(titleOf(of('group=sites&by=flows'))).toBe('Flows by site');
    expect(titleOf(of('group=sites,clients'))).toBe('Traffic by site and client');
    expect(titleOf(of('group=clients,servers,ports'))).toBe('Traffic by client, server and server port');
  });
});
