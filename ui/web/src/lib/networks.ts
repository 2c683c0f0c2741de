/** Addresses, subnets and ports as people write them. */

/** Whether it is an IPv4 or IPv6 address, and not only looks like one. */
export function isIp(text: string): boolean {
  return isIpv4(text) || isIpv6(text);
}

function isIpv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

/** As URLs have them (RFC 3986), so the browser knows. */
function isIpv6(text: string): boolean {
  return /^[0-9a-f:.]{2,45}$/i.test(text) && text.includes(':') && URL.canParse(`http://[${text}]/`);
}

/** A subnet with its length: an address alone is a subnet of one. `undefined` if it is neither. */
export function subnet(text: string): string | undefined {
  const [address = '', length, ...more] = text.split('/');
  if (more.length > 0 || !isIp(address)) return undefined;
  const most = address.includes(':') ? 128 : 32;
  if (length === undefined) return `${address}/${String(most)}`;
  return /^\d{1,3}$/.test(length) && Number(length) <= most ? `${address}/${length}` : undefined;
}

/** A subnet without the length that says nothing: `10.0.0.1/32` is `10.0.0.1`. */
export function plain(text: string): string {
  const most = text.includes(':') ? '/128' : '/32';
  return text.endsWith(most) ? text.slice(0, -most.length) : text;
}

/** Protocols that have a name, as the server knows them. */
const PROTOCOLS =
  'icmp igmp ipip tcp udp ipv6 rsvp gre esp ah icmp6 eigrp ospf pim vrrp l2tp sctp udplite'.split(' ');
export const PORT_MAX = 65_535;

export interface Ports {
  first: number;
  last: number;
  /** A name or a number; any if `undefined`. */
  protocol: string | undefined;
}

/** `443`, `8000-8099`, `53/udp`; `undefined` if it is none of these. */
export function ports(text: string): Ports | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/([a-z0-9]+))?$/i.exec(text);
  if (!match) return undefined;
  const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
  const protocol = match[3]?.toLowerCase();
  const isKnown =
    protocol === undefined ||
    PROTOCOLS.includes(protocol) ||
    (/^\d{1,3}$/.test(protocol) && +protocol <= 255);
  return first <= last && last <= PORT_MAX && isKnown ? { first, last, protocol } : undefined;
}

/** The number by which learned services tell their protocol, as a name where it has one. */
export function protocolName(number: number): string {
  const named: Record<number, string> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmp6', 132: 'sctp' };
  return named[number] ?? String(number);
}

/** What stands in a list of entries: by commas, spaces or lines. */
export function entries(text: string): string[] {
  return [...new Set(text.split(/[\s,;]+/).filter((entry) => entry !== ''))];
}
