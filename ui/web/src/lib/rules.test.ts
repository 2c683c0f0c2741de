import { describe, expect, it } from 'vitest';
import type { Rules } from './api/schema';
import {
  Changed,
  draftOf,
  draftOfLearned,
  EMPTY,
  fieldOf,
  filterOf,
  keyOf,
  listed,
  moved,
  put,
  read,
  without,
} from './rules';

const ORDERS = { name: 'orders', servers: ['10.0.0.1/32'], ports: ['443/tcp'] };
const WEB = { name: 'web', ports: ['80'] };
const BERLIN = { name: 'berlin', subnets: ['10.1.0.0/16'] };
const RULES: Rules = {
  application: [ORDERS, WEB],
  site: [BERLIN],
  exporter: [{ address: '10.0.0.9', name: 'core' }],
};

describe('rules in force', () => {
  it('are the catalog’s first, then those of the configuration that it does not replace', () => {
    const catalog: Rules = { application: [{ name: 'web', ports: ['80'] }], site: [], exporter: [] };
    const names = (isOurs: boolean) =>
      listed('application', RULES, catalog)
        .filter((it) => it.isOurs === isOurs)
        .map((it) => keyOf(it.rule));
    expect(names(true)).toEqual(['web']);
    expect(names(false)).toEqual(['orders']);
    expect(listed('exporter', RULES, catalog)).toEqual([{ rule: RULES.exporter[0], isOurs: false }]);
  });

  it('are added, replaced, moved and removed without touching the others', () => {
    const added = put(RULES, 'site', { name: 'bonn', subnets: ['10.2.0.0/16'] }, undefined);
    expect(added.site.map((site) => site.name)).toEqual(['berlin', 'bonn']);
    expect(put(RULES, 'application', { name: 'shop' }, ORDERS).application).toEqual([{ name: 'shop' }, WEB]);
    expect(moved(RULES, 'application', WEB, -1).application).toEqual([WEB, ORDERS]);
    expect(moved(RULES, 'application', ORDERS, -1).application).toEqual([ORDERS, WEB]);
    expect(without(RULES, 'application', ORDERS).application).toEqual([WEB]);
    expect(RULES.application).toHaveLength(2);
  });

  it('are not changed over what somebody else did', () => {
    expect(() => without(RULES, 'application', { name: 'orders', ports: ['1'] })).toThrow(Changed);
  });
});

describe('a form', () => {
  it('reads what it shows', () => {
    for (const rule of RULES.application) {
      const { rule: again, errors } = read('application', draftOf(rule));
      expect(errors).toEqual({});
      expect({ ...EMPTY, ...again }).toMatchObject(rule);
    }
    expect(read('site', draftOf(BERLIN))).toEqual({ rule: RULES.site[0], errors: {} });
    const named = {
      address: 'fd00::1',
      name: 'leaf',
      sampling_interval: 100,
      interfaces: [{ index: 3, name: 'Gi 0/1' }],
    };
    expect(read('exporter', draftOf(named))).toEqual({ rule: named, errors: {} });
  });

  it('says what is wrong, where', () => {
    const application = read('application', {
      ...EMPTY,
      servers: '10.0.0.1 nonsense',
      ports: '70000',
      clients: '10.0.0.0/40',
    });
    expect(Object.keys(application.errors).sort()).toEqual(['clients', 'name', 'ports', 'servers']);
    expect(application.errors.servers).toContain('‘nonsense’');
    expect(read('application', { ...EMPTY, name: 'all' }).errors.servers).toContain('every flow');
    expect(read('site', { ...EMPTY, name: 'a\u0007' }).errors).toMatchObject({
      name: expect.any(String),
      subnets: expect.any(String),
    });
    const wrong = read('exporter', {
      ...EMPTY,
      name: 'x',
      address: '10.0.0',
      sampling: '0',
      interfaces: '3 a\n3 b',
    });
    expect(wrong.errors.interfaces).toBe('Interface 3 is there twice.');
    expect(Object.keys(wrong.errors).sort()).toEqual(['address', 'interfaces', 'sampling']);
    expect(read('exporter', { ...EMPTY, interfaces: 'Gi0/1' }).errors.interfaces).toContain('Gi0/1');
  });

  it('takes what was learned', () => {
    const learned = {
      name: '10.1.2.3:8443/tcp',
      feed: 0,
      address: '10.1.2.3',
      port: 8443,
      protocol: 6,
      since: '',
      last_seen: '',
    };
    const { rule } = read('application', { ...draftOfLearned(learned), name: 'billing' });
    expect(rule).toEqual({ name: 'billing', servers: ['10.1.2.3/32'], ports: ['8443/tcp'], clients: [] });
  });

  it('puts what the server says at its field', () => {
    // Messages of store/src/catalog/edit.rs.
    expect(fieldOf('site', "subnet 10.0.0.0/8 is in site 'a' and in site 'b'")).toBe('subnets');
    expect(fieldOf('site', "site 'a' is there twice")).toBe('name');
    expect(fieldOf('exporter', 'exporter 10.0.0.1 is there twice')).toBe('address');
    expect(fieldOf('exporter', "the sampling interval of exporter 10.0.0.1 can't be 0")).toBe('sampling');
    expect(fieldOf('application', "'x' is not a port: write 443")).toBe('ports');
    expect(fieldOf('application', 'too many applications: at most 10000')).toBeUndefined();
  });
});

describe('the filter of a rule', () => {
  it('has servers, ports and clients', () => {
    expect(filterOf('application', ORDERS)).toBe(
      'server ip in [10.0.0.1/32] and proto tcp and server port in [443]',
    );
    const rule = { name: 'x', servers: [], ports: ['80', '8000-8099', '53/udp'], clients: ['fd00::/64'] };
    expect(filterOf('application', rule)).toBe(
      '((server port in [80, 8000-8099]) or (proto udp and server port in [53])) and client ip in [fd00::/64]',
    );
  });

  it('asks protocols without ports for no port', () => {
    expect(filterOf('application', { name: 'ping', ports: ['0-65535/icmp'] })).toBe('proto icmp');
  });

  it('is of either side for a site, and of its address for an exporter', () => {
    expect(filterOf('site', BERLIN)).toBe('ip in [10.1.0.0/16]');
    expect(filterOf('exporter', { address: 'fd00::1', name: 'x' })).toBe('exporter fd00::1');
    expect(filterOf('exporter', { address: '1) or any', name: 'x' })).toBe('');
  });
});
