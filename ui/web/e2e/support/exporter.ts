/** An exporter whose every flow is known: NetFlow version 5, as in Cisco's "NetFlow Services Solutions Guide", table B-3 and B-4. */

import { createSocket } from 'node:dgram';

export interface Flow {
  client: string;
  server: string;
  port: number;
  octets: number;
  packets: number;
  /** How long ago it ended, and how long it lasted, in seconds. */
  agoS?: number;
  lastedS?: number;
  /** Where it went in and out, by ifIndex. */
  interfaces?: [number, number];
}

const HEADER_OCTETS = 24;
const RECORD_OCTETS = 48;
const RECORDS_MAX = 30;
/** The exporter has been up for so long: more than any flow is old. */
const UPTIME_MS = 36_000_000;
const TCP = 6;

export class Exporter {
  #sequence = 0;

  constructor(private readonly udp: number) {}

  /** Sends flows, each as its exporter ends it. */
  async send(flows: Flow[]): Promise<void> {
    const socket = createSocket('udp4');
    for (let at = 0; at < flows.length; at += RECORDS_MAX) {
      const datagram = this.#datagram(flows.slice(at, at + RECORDS_MAX));
      await new Promise<void>((resolve, reject) => {
        socket.send(datagram, this.udp, '127.0.0.1', (error) => {
          if (error) reject(error);
          else resolve();
        });
      });
    }
    socket.close();
  }

  #datagram(flows: Flow[]): Buffer {
    const now = Date.now();
    const datagram = Buffer.alloc(HEADER_OCTETS + RECORD_OCTETS * flows.length);
    datagram.writeUInt16BE(5, 0);
    datagram.writeUInt16BE(flows.length, 2);
    datagram.writeUInt32BE(UPTIME_MS, 4);
    datagram.writeUInt32BE(Math.floor(now / 1000), 8);
    datagram.writeUInt32BE((now % 1000) * 1_000_000, 12);
    datagram.writeUInt32BE(this.#sequence, 16);
    this.#sequence += flows.length;
    for (const [at, flow] of flows.entries()) {
      record(datagram.subarray(HEADER_OCTETS + at * RECORD_OCTETS), flow, at);
    }
    return datagram;
  }
}

function record(into: Buffer, flow: Flow, at: number): void {
  const last = UPTIME_MS - 1000 * (flow.agoS ?? 0);
  const [ingress, egress] = flow.interfaces ?? [1, 2];
  octets(flow.client).copy(into, 0);
  octets(flow.server).copy(into, 4);
  into.writeUInt16BE(ingress, 12);
  into.writeUInt16BE(egress, 14);
  into.writeUInt32BE(flow.packets, 16);
  into.writeUInt32BE(flow.octets, 20);
  into.writeUInt32BE(last - 1000 * (flow.lastedS ?? 1), 24);
  into.writeUInt32BE(last, 28);
  into.writeUInt16BE(40_000 + at, 32);
  into.writeUInt16BE(flow.port, 34);
  into.writeUInt8(0x1b, 37);
  into.writeUInt8(TCP, 38);
}

function octets(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}
